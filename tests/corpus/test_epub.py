"""EPUB 2 and 3: chapters of the table of contents, notes, and pages that are no text."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from ragkit.corpus.formats import parser_for

PAGE = "application/xhtml+xml"


def outline(
    pages: dict[str, str], *, nav: str = "", ncx: str = "", guide: str = ""
) -> list[tuple[str, str]]:
    """The sections of a book of these pages, as headings and text."""
    items = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="{PAGE}"/>' for n in pages)
    spine = "".join(f'<itemref idref="{n}"/>' for n in pages)
    files = {
        "META-INF/container.xml": '<c><rootfile full-path="OPS/book.opf"/></c>',
        **{f"OPS/{name}.xhtml": content for name, content in pages.items()},
    }
    if nav:
        items += f'<item id="nav" href="nav/nav.xhtml" media-type="{PAGE}" properties="nav"/>'
        files["OPS/nav/nav.xhtml"] = nav
    if ncx:
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        files["OPS/toc.ncx"] = ncx
    files["OPS/book.opf"] = (
        f"<package><manifest>{items}</manifest><spine>{spine}</spine><guide>{guide}</guide></package>"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    [document] = parser_for(Path("a.epub"))(packed, Path("a.epub"))
    return [(" › ".join(s.path), document.text[s.start : s.end].strip()) for s in document.sections]


PAGES = {
    "cover": "<p>A picture of a ship.</p>",
    "one": "<p class='title'>Chapter One</p><p>The ship sailed.</p><h3 id='crew'>The crew</h3><p>Nine men.</p>",
    "more": "<p>It was cold.</p>",
    "two": "<h1>The island</h1><p>They ate limpets.</p><h2>Its birds</h2><p>There were gulls.</p>",
    "contents": "<p>One, Two, and all that.</p>",
}  # fmt: skip
SECTIONS = [
    ("One", "The ship sailed."),
    ("One › The men", "Nine men.\n\nIt was cold."),
    ("Two: the island", "They ate limpets."),
    ("Two: the island › Its birds", "There were gulls."),
]
NAV = (
    '<nav epub:type="toc"><h1>Contents</h1><ol><li><a href="../one.xhtml">One</a><ol><li>'
    '<a href="../one.xhtml#crew">The <i>men</i></a></li></ol></li><li><a href="../two.xhtml">'
    "Two: the island</a></li></ol></nav>"
    '<nav epub:type="landmarks"><ol><li><a epub:type="cover" href="../cover.xhtml">Cover</a></li>'
    '<li><a epub:type="toc" href="../contents.xhtml">Contents</a></li>'
    '<li><a epub:type="bodymatter" href="../one.xhtml">Start</a></li></ol></nav>'
)
NCX = (
    "<ncx><docTitle><text>Book</text></docTitle><navMap><navPoint><navLabel><text>One</text></navLabel>"
    '<content src="one.xhtml"/><navPoint><navLabel><text>The men</text></navLabel>'
    '<content src="one.xhtml#crew"/></navPoint></navPoint><navPoint><navLabel><text>Two: the island'
    '</text></navLabel><content src="two.xhtml"/></navPoint></navMap><pageList><pageTarget><navLabel>'
    '<text>5</text></navLabel><content src="two.xhtml"/></pageTarget></pageList></ncx>'
)
GUIDE = '<reference type="cover" href="cover.xhtml"/><reference type="toc" href="contents.xhtml"/>'


def test_chapters_are_those_of_the_navigation_document() -> None:
    assert outline(PAGES, nav=NAV) == SECTIONS


def test_chapters_are_those_of_the_ncx_in_epub_2() -> None:
    assert outline(PAGES, ncx=NCX, guide=GUIDE) == SECTIONS


def test_a_chapter_goes_on_on_the_next_page_without_a_table_of_contents_too() -> None:
    pages = {"a": "<h1>One</h1><h2>Start</h2><p>It began.</p>", "b": "<p>It went on.</p>"}
    assert outline(pages) == [("One › Start", "It began.\n\nIt went on.")]


def test_a_first_level_heading_of_a_page_that_the_contents_do_not_name_is_no_part_of_a_chapter() -> None:  # fmt: skip
    pages = {"one": "<h1>One</h1><p>a</p>", "end": "<h1>Afterword</h1><p>b</p>"}
    nav = '<nav epub:type="toc"><ol><li><a href="../one.xhtml">One</a></li></ol></nav>'
    assert outline(pages, nav=nav) == [("One", "a"), ("Afterword", "b")]


def test_smaller_headings_are_in_the_chapter_that_the_contents_name() -> None:
    page = "<h2>Rooms</h2><p>Nine.</p><h2>Kitchen</h2><p>Fish.</p>"
    nav = '<nav epub:type="toc"><ol><li><a href="../one.xhtml">2: The inn</a></li></ol></nav>'
    sections = [(path, text) for path, text in outline({"one": page}, nav=nav) if text]
    assert sections == [("2: The inn › Rooms", "Nine."), ("2: The inn › Kitchen", "Fish.")]


def test_a_note_stands_after_the_paragraph_that_refers_to_it() -> None:
    page = (
        '<h1>One</h1><p>It sailed at dawn.<a epub:type="noteref" href="#n1"><sup>1</sup></a></p>'
        '<p>Then it sank.</p><aside epub:type="footnote" id="n1"><p>1. The brig Morwenna. '
        '<a href="#r1">↩</a></p></aside>'
    )
    text = "It sailed at dawn.[1]\n\n[1] The brig Morwenna.\n\nThen it sank."
    assert outline({"a": page}) == [("One", text)]


def test_notes_of_another_page_stand_where_they_are_referred_to() -> None:
    pages = {
        "a": '<h1>One</h1><p>Cold<sup><a href="notes.xhtml#x" id="r">2</a></sup> it was.</p><p>So.</p>',
        "notes": '<h1>Notes</h1><ol><li id="y">Unused.</li><li><p><a id="x" href="a.xhtml#r">2</a> Minus nine.</p></li></ol>',
    }  # fmt: skip
    assert outline(pages) == [
        ("One", "Cold[2] it was.\n\n[2] Minus nine.\n\nSo."),
        ("Notes", "1. Unused."),
    ]


def test_numbers_of_printed_pages_are_no_text() -> None:
    page = '<p>Then it <span epub:type="pagebreak" title="5">5</span>sank.</p>'
    assert outline({"a": page}) == [("", "Then it sank.")]


def test_a_book_of_which_all_pages_are_contents_keeps_them() -> None:
    guide = '<reference type="toc" href="a.xhtml"/>'
    assert outline({"a": "<p>All of it.</p>"}, guide=guide) == [("", "All of it.")]
