"""Readers: each format to a clean text with sections, or an error that names the file."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ragkit import Document, Index
from ragkit.corpus import iter_sources, load_sources
from ragkit.corpus.archive import MAX_UNPACKED_BYTES
from ragkit.corpus.formats import parser_for, suffixes
from ragkit.corpus.mediawiki import plain_text
from ragkit.encoding import Encoder, load_encoder
from ragkit.errors import MissingExtraError, SourceError
from support.strategies import articles

MANY = 100_000  # so many of anything takes hours where time grows as the square


def read_as(name: str, data: bytes | str) -> Document:
    """The document that a file of this name and content is read as, without the file."""
    data = data.encode() if isinstance(data, str) else data
    [read] = parser_for(Path(name))(io.BytesIO(data), Path(name))
    return Document("x", read.title or "", read.text, read.url, read.sections, read.metadata, read.pages)  # fmt: skip


def outline(document: Document) -> list[tuple[tuple[str, ...], str]]:
    """Each section's path and its text, trimmed."""
    return [(s.path, document.text[s.start : s.end].strip()) for s in document.sections]


def between_sections(document: Document) -> list[str]:
    """The visible text that lies in no section, piece by piece."""
    edges = [0, *(edge for s in document.sections for edge in (s.start, s.end)), len(document.text)]
    pieces = [document.text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [piece.strip().strip("\ufeff").strip() for piece in pieces if piece.strip().strip("\ufeff").strip()]  # fmt: skip


# --- Markdown


MARKDOWN = """\
---
title: "The Rivers: a book"
date: 2020-05-01
tags: [water, 2020]
draft: false
nested: {a: 1}
---
Lead.

# Rivers #

Body with *marks*.

Danube `x` &amp; [link](http://e.org)
===
```
# no heading
```
<div>
# none either
</div>

> # quoted

## Source
It rises.
"""


def test_markdown_is_the_file_without_links_with_sections_by_its_headings() -> None:
    read = read_as("a.md", MARKDOWN)
    assert read.text == MARKDOWN.replace("`x`", "x").replace("[link](http://e.org)", "link")
    assert [path for path, _ in outline(read)] == [
        (), ("Rivers",), ("Danube x & link",), ("Danube x & link", "Source"),
    ]  # fmt: skip
    assert outline(read)[0][1] == "Lead."
    assert "# no heading" in outline(read)[2][1]
    assert outline(read)[3][1] == "It rises."


def test_front_matter_names_and_describes_the_document() -> None:
    read = read_as("a.md", MARKDOWN)
    assert read.title == "The Rivers: a book"
    assert read.metadata == {"date": "2020-05-01", "tags": ("water", "2020"), "draft": False}


def test_the_only_first_level_heading_is_the_title_and_names_no_section() -> None:
    read = read_as("a.md", "\ufeff# Rivers\r\nLead.\r\n## Danube\r\nBody.")
    assert (read.title, outline(read)) == ("Rivers", [((), "Lead."), (("Danube",), "Body.")])
    read = read_as("a.md", "# A\nx\n# B\ny")
    assert (read.title, outline(read)) == ("", [(("A",), "x"), (("B",), "y")])


@pytest.mark.parametrize("text", ["---\nJust a line.\n---\nx", "---\n\n- a\n", "---\nkey: open"])
def test_a_line_across_the_page_is_no_front_matter(text: str) -> None:
    read = read_as("a.md", text)
    assert (read.metadata, read.sections[0].start) == ({}, 0)


@pytest.mark.parametrize("front", ["a: b: c", "a: [", "a: 2024-13-45", "a: " + "[" * MANY, "a: *b"])
def test_broken_front_matter_is_refused_by_name(front: str) -> None:
    with pytest.raises(SourceError, match=r"front matter of a\.md"):
        read_as("a.md", f"---\n{front}\n---\nText.")


@settings(max_examples=150)
@given(st.one_of(articles(), st.text(), st.lists(st.sampled_from(
    ["# A", "## B\r\n", "\n", "\r", "---\n", "===\n", "```\n", "a: b\n", "text ", "> ", "- ", "\t", "<div>\n", "[a]: b\n"]
)).map("".join)))  # fmt: skip
def test_any_markdown_keeps_its_text_and_leaves_out_headings_alone(text: str) -> None:
    try:
        read = read_as("a.md", text.encode("utf-8", "surrogatepass"))
    except SourceError:
        return
    assert read.text == text
    for piece in between_sections(read):
        assert set("#=-") & set(piece), piece


@pytest.mark.parametrize("unit", ["# a\n", "- ", "> ", "a\n===\n", "[a]: b\n", "# [", "```\n", "---\n", "<a\n"])  # fmt: skip
def test_much_markdown_is_read_in_time(unit: str) -> None:
    assert read_as("a.md", "text\n\n" + unit * (MANY // 5)).text


# --- HTML


PAGE = """<!DOCTYPE html>
<html lang=en><head><title>Rivers &ndash; A site</title><meta charset=utf-8>
<link rel="canonical" href="https://e.org/rivers"><meta name="keywords" content="water, maps">
<meta property="article:published_time" content="2021-02-03"><style>p { color: red }</style></head>
<body><header>Site <a href=/>home</a></header><nav>Menu</nav><!-- comment -->
<main><article><header><h1>Rivers</h1></header>
<p>The <b>Dan</b>ube &amp; the&nbsp;Rhine<br>flow.<p>Second
   one.<script>alert("<p>no")</script>
<h2 id=d>Danube <small>(long)</small></h2>
<ul><li>Ulm<li>Wien<ul><li>Lobau</ul><li><p>Pest</p></li></ul>
<p hidden>secret<div>It<span style="display: none">x</span> ends.</div>
<table><caption>Lengths</caption><tr><th>River<th>km<tr><td>Danube<td>2850 <p>about</p></table>
<h3>Code</h3><pre>
a
  b</pre>
</article></main><aside>Ads</aside><form><input value=x>Search</form><footer>Imprint</footer></body>"""


def test_a_page_is_what_its_reader_sees() -> None:
    read = read_as("a.html", PAGE)
    assert read.text == (
        "Rivers\n\nThe Danube & the\xa0Rhine\nflow.\n\nSecond one.\n\nDanube (long)\n\n"
        "- Ulm\n- Wien\n  - Lobau\n- Pest\n\nIt ends.\n\n"
        "Lengths\nRiver | km\nDanube | 2850 about\n\nCode\n\na\n  b"
    )
    assert [path for path, _ in outline(read)] == [
        (),
        ("Danube (long)",),
        ("Danube (long)", "Code"),
    ]
    assert between_sections(read) == ["Rivers", "Danube (long)", "Code"]


def test_a_page_says_what_it_is_called_and_where_it_lives() -> None:
    read = read_as("a.html", PAGE)
    assert (read.title, read.url) == ("Rivers", "https://e.org/rivers")
    assert read.metadata == {"date": "2021-02-03", "tags": ("water", "maps")}
    read = read_as("a.html", "<link rel=canonical href='javascript:x'><h2>H</h2>t")
    assert (read.title, read.url) == ("H", None)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<b>a</b>b", "ab"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a <i> b</i>\n c", "a b c"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc"),
        ("<p hidden>a<p>b", "b"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<dl><dt>a<dd>b</dl>c", "a\nb\n\nc"),
        ("<table><tr><td><h2>H</h2>a<td><table><tr><td>b<td>c</table></table>", "H\n\na\n\nb | c"),
        ("<form><h1>T</h1>a<input></form>b", "T\n\na\n\nb"),
        ("a<svg><title>no</title><path/></svg>b<math><mi>x</mi></math>", "abx"),
        ("a<svg/>b", "ab"),
        ("a<noscript>no</noscript><template>no</template><textarea>no</textarea>b", "ab"),
        ("1 &lt; 2 &amp;amp; &#x41; &bogus; &#0;", "1 < 2 &amp; A &bogus; \ufffd"),
        ("<h2>A<h3>B</h3>c", "A\n\nB\n\nc"),
        ("<h2><button>A</button></h2>c<button>no</button>", "A\n\nc"),
        ("<p>a</div></p></p>b", "a\n\nb"),
        ("a<!-- b --><![CDATA[c]]>d", "ad"),
    ],
)
def test_blocks_are_parted_and_inlines_are_not(source: str, text: str) -> None:
    assert read_as("a.html", source).text == text


def test_xhtml_closes_its_own_tags() -> None:
    page = '<?xml version="1.0"?><html><head><title/><script src="x"/></head><body><p>a</p></body>'
    assert read_as("a.xhtml", page).text == "a"


@pytest.mark.parametrize(
    "data",
    [
        "<p>Köln".encode(),
        "<p>Köln".encode("utf-16"),
        b"\xef\xbb\xbf<p>K\xc3\xb6ln",
        b"<meta charset='iso-8859-1'><p>K\xf6ln",
        b'<meta http-equiv=Content-Type content="text/html; charset=windows-1252"><p>K\xf6ln',
        b"<?xml version='1.0' encoding='latin1'?><p>K\xf6ln",
    ],
)
def test_a_page_is_decoded_as_it_declares(data: bytes) -> None:
    assert read_as("a.html", data).text == "Köln"


@pytest.mark.parametrize(
    "data",
    [b"<p>K\xf6ln", b"<meta charset=utf-7><p>x", b"<meta charset=nonsense>x", b"<p></p>", b"a\0b"],
)
def test_an_unreadable_page_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"a\.html"):
        read_as("a.html", data)


NAMES = st.sampled_from(
    "p div b li ul table tr td h1 h2 h3 pre br a span form header nav svg title script dt".split()
)
TAGS = st.builds(lambda form, name: form.format(name), st.sampled_from(["<{0}>", "</{0}>", "<{0} hidden>", "<{0}/>", "<{0} style='display:none'", "<!-- {0} -->"]), NAMES)  # fmt: skip
PAGES = st.lists(st.one_of(TAGS, st.sampled_from(["word ", "\n", "&amp;", "&lt;p>", "x", "<", "\xa0"]), st.text(max_size=4))).map("".join)  # fmt: skip


@settings(max_examples=200)
@given(PAGES)
def test_any_page_is_sections_and_headings(source: str) -> None:
    try:
        read = read_as("a.html", source.encode("utf-8", "surrogatepass"))
    except SourceError:
        return
    assert read.text == read.text.strip("\n")
    for piece in between_sections(read):
        assert piece in read.text.split("\n\n") or "\n\n" in piece


@given(st.lists(st.one_of(NAMES.map(lambda n: f"<{n} class=LEAK>"), NAMES.map(lambda n: f"</{n} LEAK>"), st.just("word "))).map("".join))  # fmt: skip
def test_no_tag_leaks_into_the_text(source: str) -> None:
    try:
        text = read_as("a.html", source + "<script>LEAK").text
    except SourceError:
        return
    assert "LEAK" not in text
    assert not set("<>") & set(text)


@pytest.mark.parametrize(
    "unit",
    ["<div>", "<b id=1>", "<p><b>", "<ul><li>", "<table><tr><td>", "<h1>", "</div>", "<!--", "<a ",
     "<", "<p><button>", "<b></p>x", "<svg><path>", "<title>", "<form>", "<pre> <div>\n", "<br> "],
)  # fmt: skip
def test_a_hostile_page_is_read_in_time(unit: str) -> None:
    assert read_as("a.html", "text<p>" + unit * MANY + "x").text.startswith("text")


# --- MediaWiki text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("[[Danube]]s [[Rhine|the Rhine]] [[A (b)|]]", "Danubes the Rhine A (b)"),
        ("a<ref>b {{c}}</ref>d<ref name=e />f", "adf"),
        ("{{Box|a={{b}}|c=[[d]]}}\nText ({{x}}) here", "Text here"),
        ("'''Bold''' ''it'' '''''both''''' ''''q''''", "Bold it both 'q'"),
        ("l'''avion'' est", "l'avion est"),
        ("[[File:a.jpg|thumb|A [[b]]]]x[[Category:C]][[:Category:D]]", "xCategory:D"),
        ("[https://e.org the ''site''] [https://e.org] https://e.org", "the site https://e.org"),
        ("a<!-- b -->c<br/>d<div class=x>e</div> H<sub>2</sub>O", "ac\nde H2O"),
        ("<nowiki>''[[a]]''</nowiki> <math>x_{1}</math>", "''[[a]]'' x_{1}"),
        ("* a\n** b\n# c\n: d\n----\ne", "- a\n- b\n- c\nd\n\ne"),
        ('{| class=x\n|+ Cap\n! A !! w=1 | B\n|-\n| 1 || [[x|2]]\nmore\n|}\nz', "Cap\nA | B\n1 | 2 more\nz"),
        ("{|\n|a{{!}}|b\n|}", "a | b\n"),
        ("{{open [[a]] ]] }}} x", "} x"),
        ("{{open [[a]]", "{{open a"),
        ("a &lt; b &nbsp;&amp; c < d", "a < b \xa0& c < d"),
        ("__NOTOC__\nx", "x"),
        ("<unknown|a> [b] [[a\nb]]", "<unknown|a> [b] [[a\nb]]"),
    ],
)  # fmt: skip
def test_wikitext_is_what_its_reader_sees(source: str, text: str) -> None:
    assert plain_text(source) == text


def test_headings_of_wikitext_are_decoded() -> None:
    read = read_as("a.wiki", "Lead.\n== ''A'' &amp; [[b|B]] <!-- c --> ==\nx\n=== D ===\ny")
    assert outline(read) == [((), "Lead."), (("A & B",), "x"), (("A & B", "D"), "y")]


@given(st.lists(st.sampled_from(
    ["= T =\n", "== H ==\r\n", "Some text, (with) 'marks' & [1] < 2.\n", "\n", "  indented\n", "- item\n", "a | b\n", "2{x}\n"]
)).map("".join))  # fmt: skip
def test_wikitext_without_marks_stays_as_it_is(source: str) -> None:
    assert plain_text(source) == source


@settings(max_examples=200)
@given(st.one_of(articles(), st.text(), st.lists(st.sampled_from(
    ["{{", "}}", "[[", "]]", "|", "''", "'''", "{|\n", "|-\n", "|}\n", "<ref>", "</ref>", "<!--", "-->", "== H ==\n", "* ", "x", "\n", "&amp;", "[http://e ", "]", "<nowiki>", "</nowiki>", "!", "File:"]
)).map("".join)))  # fmt: skip
@example("&#xD800;")
def test_any_wikitext_is_sections_and_headings(source: str) -> None:
    try:
        read = read_as("a.wiki", source.encode("utf-8", "surrogatepass"))
    except SourceError:
        return
    assert "\0" not in read.text
    for piece in between_sections(read):
        assert all("=" in line for line in piece.split("\n") if line.strip("\r \t\ufeff\x0b\x0c"))


@pytest.mark.parametrize("unit", ["{{", "[[", "[[a|", "<ref>", "<ref name='", "[//x ", "{|\n|", "''", "{{a}}, ", "<!--", "}}"])  # fmt: skip
@pytest.mark.parametrize("close", ["", "}}", "]]", "|}"])
def test_hostile_wikitext_is_read_in_time(unit: str, close: str) -> None:
    assert isinstance(plain_text("text (" + unit * (MANY // 2) + close * (MANY // 2)), str)


# --- Dumps


def page(title: str, text: str, *, ns: int = 0, number: int = 1, more: str = "") -> str:
    return (
        f"<page><title>{escape(title)}</title><ns>{ns}</ns><id>{number}</id>{more}<revision>"
        f"<id>9{number}</id><timestamp>2024-01-0{number}T00:00:00Z</timestamp><contributor><id>7"
        f"</id></contributor><model>wikitext</model><text>{escape(text)}</text></revision></page>"
    )


def dump(*pages: str) -> bytes:
    return (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/"><siteinfo>'
        "<base>https://de.wikipedia.org/wiki/Wikipedia:Hauptseite</base><namespaces>"
        '<namespace key="6">Datei</namespace></namespaces></siteinfo>'
        f"{''.join(pages)}</mediawiki>"
    ).encode()


DUMP = dump(
    page("Köln am Rhein?", "'''Köln''' [[Datei:x.jpg]]& so.\n== Lage ==\nAm Rhein.", number=1),
    page("Colonia", "#REDIRECT [[Köln]]", number=2, more='<redirect title="Köln" />'),
    page("Diskussion:Köln", "Talk.", ns=1, number=3),
    page("köln am rhein", "Other.", number=4),
    page("Leer", "{{only|a template}}", number=5),
)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("wiki.xml", bytes),
        ("wiki.xml.gz", gzip.compress),
        ("wiki.xml.bz2", lambda data: bz2.compress(data[:200]) + bz2.compress(data[200:])),
    ],
)
def test_a_dump_is_its_articles(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(DUMP))
    read = load_sources(tmp_path)
    assert [d.id for d, _ in read] == ["koln-am-rhein", "koln-am-rhein-4"]
    first, origin = read[0]
    assert first.title == "Köln am Rhein?"
    assert first.url == "https://de.wikipedia.org/wiki/K%C3%B6ln_am_Rhein%3F"
    assert first.metadata == {"page_id": "1", "date": "2024-01-01T00:00:00Z"}
    assert outline(first) == [((), "Köln & so."), (("Lage",), "Am Rhein.")]
    assert origin.current_sha256() == origin.sha256


def test_a_dump_is_read_as_a_stream() -> None:
    class Endless(io.BytesIO):
        """A dump that never ends: whoever wants all of it never gets anything."""

        def read(self, _: int | None = -1) -> bytes:
            return super().read() or page("A", "Text.").encode()

    endless = Endless(dump().removesuffix(b"</mediawiki>"))
    assert next(parser_for(Path("a.xml"))(endless, Path("a.xml"))).text == "Text."


BOMB = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">]>'


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.xml", b"<html></html>", "outermost element is <html>"),
        ("a.xml", DUMP[:-20], "not well-formed XML"),
        ("a.xml", b"", "not well-formed XML"),
        ("a.xml", BOMB.encode() + DUMP, "DOCTYPE"),
        ("a.xml", DUMP.replace(b"Am Rhein", b"\xff"), "not well-formed XML"),
        ("a.xml", dump(page("A", "x" * (2**24 + 1))), "longer than"),
        ("a.xml.bz2", bz2.compress(DUMP)[:-9], "damaged"),
        ("a.xml.gz", gzip.compress(DUMP)[:-9], "damaged"),
        ("a.xml.gz", DUMP, "damaged"),
    ],
)
def test_an_unreadable_dump_is_refused_with_its_place(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        load_sources(tmp_path / name)
    assert name in str(caught.value)


def test_a_dump_takes_properties_for_all_but_no_name_for_all(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(DUMP)
    (tmp_path / "a.meta.json").write_text('{"lang": "de"}')
    assert [d.metadata["lang"] for d, _ in load_sources(tmp_path)] == ["de", "de"]
    (tmp_path / "a.meta.json").write_text('{"title": "All"}')
    with pytest.raises(SourceError, match="several documents"):
        load_sources(tmp_path, strict=True)


# --- PDF


def make_pdf(pages: list[list[str]], *, outlined: list[tuple[str, int]] = []) -> bytes:  # noqa: B006
    """Pages of lines, with a title, and an outline of (title, number of page from 0)."""
    from pypdf import PdfReader, PdfWriter

    objects = ["", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for shown in pages:
        lines = "".join(f"({line}) Tj 0 -20 Td\n" for line in shown)
        content = f"BT /F1 12 Tf 72 720 Td\n{lines}ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 1 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            f"/Resources << /Font << /F1 2 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append("<< /Type /Catalog /Pages 1 0 R >>")
    data, starts = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        starts.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{start:010} 00000 n \n" for start in starts)
    data += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
        f"<< /Size {len(objects) + 1} /Root {len(objects)} 0 R >>\nstartxref\n{len(data)}\n%%EOF"
    ).encode()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.add_metadata({"/Title": "Rivers", "/Keywords": "water, maps", "/CreationDate": "D:20200102030405Z"})  # fmt: skip
    for title, at in outlined:
        writer.add_outline_item(title=title, page_number=at)
    done = io.BytesIO()
    writer.write(done)
    return done.getvalue()


RIVERS = [
    ["Of rivers.", "1.2 Danube", "It rises in Germany."],
    [],
    ["Rhine", "It rises in the Alps."],
]


def test_a_pdf_knows_its_pages_and_its_outline() -> None:
    read = read_as(
        "a.pdf", make_pdf(RIVERS, outlined=[("Danube", 0), ("No line", 0), ("Rhine", 2)])
    )
    assert (
        read.text
        == "Of rivers.\n\n1.2 Danube\n\nIt rises in Germany.\n\nRhine\n\nIt rises in the Alps."
    )
    # Somewhere on the first page a section begins that has no line, so what follows is in no section.
    assert outline(read) == [
        ((), "Of rivers."), ((), "It rises in Germany."), (("Rhine",), "It rises in the Alps."),
    ]  # fmt: skip
    without = read_as("a.pdf", make_pdf(RIVERS, outlined=[("Danube", 0), ("Rhine", 2)]))
    assert (("Danube",), "It rises in Germany.") in outline(without)
    assert (len(read.pages), read.pages[0]) == (3, 0)
    assert [read.page_at(read.text.index(word)) for word in ("Of", "Germany", "Rhine")] == [1, 1, 3]
    assert read.title == "Rivers"
    assert read.metadata["tags"] == ("water", "maps")
    assert str(read.metadata["date"]).startswith("2020-01-02T03:04:05")


def test_a_pdf_without_an_outline_is_one_section_and_may_end_with_empty_pages() -> None:
    read = read_as("a.pdf", make_pdf([*RIVERS, [], []]))
    assert [path for path, _ in outline(read)] == [()]
    assert read.pages[-1] <= len(read.text)
    assert read.page_at(read.text.index("Alps")) == 3


def encrypted_pdf(password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf(RIVERS))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    done = io.BytesIO()
    writer.write(done)
    return done.getvalue()


def test_a_pdf_that_anyone_may_open_is_read_though_it_is_encrypted() -> None:
    assert "Germany" in read_as("a.pdf", encrypted_pdf("")).text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: encrypted_pdf("secret"), "encrypted with a password"),
        (lambda: make_pdf([[], []]), "no text on its 2 pages"),
        (lambda: b"", "not a readable PDF"),
        (lambda: b"%PDF-1.7 nothing", "not a readable PDF"),
        (lambda: make_pdf(RIVERS)[:300], "not a readable PDF"),
    ],
)
def test_an_unreadable_pdf_is_refused(data: Callable[[], bytes], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_as("a.pdf", data())


# --- DOCX and EPUB


def zipped(files: dict[str, str | bytes]) -> bytes:
    done = io.BytesIO()
    with zipfile.ZipFile(done, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return done.getvalue()


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def make_docx(body: str, *, doctype: str = "") -> bytes:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="H{n}"><w:name w:val="heading {n}"/></w:style>'
        for n in (1, 2)
    )
    return zipped({
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{OFFICE}.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" Type="{RELATED}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="s" Type="{RELATED}/styles" Target="styles.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        "docProps/core.xml": '<c:p xmlns:c="c" xmlns:dc="d"><dc:title>Rivers</dc:title><c:keywords>water, maps</c:keywords><dc:created>2020-01-02</dc:created></c:p>',
        "word/document.xml": f"{doctype}<w:document {W}><w:body>{body}</w:body></w:document>",
    })  # fmt: skip


def cell(text: str) -> str:
    return f"<w:tc>{paragraph(text)}</w:tc>"


DOCX = (
    paragraph("All rivers", "H1") + paragraph("Lead &amp; more.") + paragraph("Danube", "H2")
    + paragraph("It rises in Germany.") + f"<w:tbl><w:tr>{cell('a')}{cell('b')}</w:tr></w:tbl>"
)  # fmt: skip


def test_a_docx_has_its_headings_tables_and_properties() -> None:
    read = read_as("a.docx", make_docx(DOCX))
    assert outline(read) == [
        (("All rivers",), "Lead & more."),
        (("All rivers", "Danube"), "It rises in Germany.\n\na | b"),
    ]  # fmt: skip
    assert read.title == "Rivers"
    assert read.metadata == {"tags": ("water", "maps"), "date": "2020-01-02"}


def make_epub(chapters: dict[str, str], **more: str) -> bytes:
    items = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in chapters)  # fmt: skip
    spine = "".join(f'<itemref idref="{n}"/>' for n in chapters)
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/a%20b.opf"/></rootfiles></container>',
        "OPS/a%20b.opf": f'<package xmlns:dc="d"><metadata><dc:title>Rivers</dc:title><dc:subject>water</dc:subject><dc:date>2020</dc:date></metadata><manifest>{items}<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="i" href="i.png" media-type="image/png"/></manifest><spine><itemref idref="nav"/>{spine}<itemref idref="i"/></spine></package>',
        "OPS/nav.xhtml": "<nav>Contents</nav>",
        **{f"OPS/{name}.xhtml": content for name, content in chapters.items()},
        **more,
    })  # fmt: skip


EPUB = {
    "one": "<html><head><title/></head><body><h1>Danube</h1><p>It rises in Germany.</p></body>",
    "two": "<p>Between.</p>",
    "three": "<h1>Rhine</h1><h2>Source</h2><p>In the Alps.</p>",
}


def test_an_epub_is_the_pages_of_its_spine() -> None:
    read = read_as("a.epub", make_epub(EPUB))
    assert outline(read) == [
        (("Danube",), "It rises in Germany.\n\nBetween."), (("Rhine", "Source"), "In the Alps."),
    ]  # fmt: skip
    assert (read.title, read.metadata) == ("Rivers", {"date": "2020", "tags": ("water",)})


NESTED = "<w:tbl><w:tr><w:tc>" * 5000 + paragraph("x") + "</w:tc></w:tr></w:tbl>" * 5000
LOCKED = '<e><CipherReference URI="OPS/one.xhtml"/></e>'


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.docx", lambda: b"PK", "not a readable DOCX"),
        ("a.docx", lambda: make_docx(DOCX)[:-40], "not a readable DOCX"),
        ("a.docx", lambda: zipped({"a": "b"}), "not a readable DOCX"),
        ("a.docx", lambda: make_docx(""), "has no text"),
        ("a.docx", lambda: make_docx(DOCX, doctype=BOMB), "DOCTYPE"),
        ("a.docx", lambda: make_docx(DOCX + "<"), "not a readable DOCX"),
        ("a.docx", lambda: make_docx(NESTED), "not a readable DOCX"),
        ("a.docx", lambda: make_docx(" " * (MAX_UNPACKED_BYTES + 1)), "unpacks to more"),
        ("a.epub", lambda: make_epub({"one": " " * (MAX_UNPACKED_BYTES + 1)}), "unpacks to more"),
        ("a.epub", lambda: make_epub({}), "lists no pages"),
        ("a.epub", lambda: zipped({"a": "b"}), "no META-INF/container.xml"),
        ("a.epub", lambda: zipped({"META-INF/container.xml": BOMB + "<m/>"}), "XML entities"),
        ("a.epub", lambda: zipped({"META-INF/container.xml": "<m"}), "not well-formed XML"),
        (
            "a.epub",
            lambda: make_epub(EPUB, **{"META-INF/encryption.xml": LOCKED}),
            "copy-protected",
        ),
    ],
)
def test_an_unreadable_archive_is_refused(
    name: str, data: Callable[[], bytes], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_as(name, data())
    assert name in str(caught.value)


# --- reStructuredText


def test_sections_of_restructuredtext_come_from_its_underlines() -> None:
    source = (
        "\ufeff"
        + """=======
 Rivers
=======

Of rivers.

Danube
------
It is long.

Springs
~~~~~~~

Two.

Rhine
-----

Text with a row
of marks:
---------
====  ====
a     b
====  ====

ab
-
x
"""
    )
    parsed = read_as("a.rst", source.encode())
    assert parsed.text == source
    assert parsed.title == "Rivers"
    assert [section.path for section in parsed.sections] == [
        (), ("Danube",), ("Danube", "Springs"), ("Rhine",),
    ]  # fmt: skip
    assert source[parsed.sections[1].start : parsed.sections[1].end].strip() == "It is long."


# --- Separated values


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("a.csv", "name,long\nRhine,yes\n", "- name: Rhine; long: yes\n"),
        ("a.csv", "\ufeffname;km\r\nRhine;1233,5\r\n", "- name: Rhine; km: 1233,5\n"),
        ("a.tsv", "a,b\tc\n1\t2\n", "- a,b: 1; c: 2\n"),
        ("a.csv", 'a,b\n"x, y","two\nlines"\n', "- a: x, y; b: two lines\n"),
        ("a.csv", "\n,b\n1,2\n\n,3\n4\n,,\n", "- 1; b: 2\n- b: 3\n- 4\n"),
        ("a.csv", "only\nx\u2028y\n", "- only: x y\n"),
        ("a.csv", "a,b\n1,2,3\n", "- a: 1; b: 2; 3\n"),
        ("a.csv", "Rain of May\n\na,b\n1,2\n", "Rain of May\n- a: 1; b: 2\n"),
    ],
)
def test_a_row_is_an_item_with_the_names_of_its_columns(name: str, source: str, text: str) -> None:
    parsed = read_as(name, source.encode())
    assert parsed.text == text
    assert [(s.path, s.start, s.end) for s in parsed.sections] == [((), 0, len(text))]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a,b\n", "no rows"),
        (",,\n;\n", "no rows"),
        ("x" * 1001 + ",b\n1,2\n", "whose name has more"),
        ('a,b\n"' + "x" * 200_000, "cannot be parsed"),
        ("n" * 900 + "\n" + "1\n" * 80_000, "million characters"),
    ],
)
def test_rows_that_cannot_be_told_by_their_columns_are_refused(source: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_as("a.csv", source.encode())


# --- Notebooks, MDX, reStructuredText and plain text


def test_a_notebook_is_its_text_its_code_and_what_that_printed() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Rain\n", "\n", "It rained in Bude."]},
        {"cell_type": "code", "source": "print(61)", "outputs": [
            {"output_type": "stream", "text": ["61\n"]},
            {"data": {"image/png": "iVBOR", "text/plain": "<Figure size 6x4 with 1 Axes>"}}]},
    ]  # fmt: skip
    source = json.dumps({"cells": cells, "metadata": {"kernelspec": {"language": "python"}}})
    document = read_as("a.ipynb", source.encode())
    assert document.title == "Rain"
    assert document.text == (
        "# Rain\n\nIt rained in Bude.\n\n```python\nprint(61)\n```\n\n```\n61\n```"
    )


@pytest.mark.parametrize("source", ["{}", "[]", '{"cells": 3}', '{"cells": [3]}', "x"])
def test_what_is_no_notebook_is_refused(source: str) -> None:
    with pytest.raises(SourceError, match="cannot be parsed as a notebook"):
        read_as("a.ipynb", source.encode())


def test_imports_and_comments_of_mdx_are_no_text_and_those_in_code_are() -> None:
    code = "```js\nimport a from 'a';\n{/* shown */}\n```"
    source = f"import A from './a';\nexport const b = 1;\n\nText.\n\n{{/* hidden */}}\n\n{code}\n"
    text = read_as("a.mdx", source.encode()).text
    assert text.split() == f"Text. {code}".split()
    assert read_as("a.md", b"import duties are high.\n").text == "import duties are high.\n"


def test_comments_of_restructuredtext_are_no_text_and_directives_are() -> None:
    source = ".. A comment\n   on two lines.\n\n.. note:: Kept.\n\n.. _label:\n\n.. [1] A note.\n"
    assert read_as("a.rst", source.encode()).text.strip().split("\n\n") == [
        ".. note:: Kept.", ".. _label:", ".. [1] A note.",
    ]  # fmt: skip


def test_underlined_lines_of_plain_text_are_headings_and_names_of_columns_are_none() -> None:
    source = (
        "Pump\n====\n\nOld.\n\nLimits\n------\n\n40 bar.\n\nName    Bar\n-----------\nAlpha   40\n"
    )
    document = read_as("a.txt", source.encode())
    assert document.title == "Pump"
    assert [section.path for section in document.sections] == [(), ("Limits",)]


# --- All of them


def samples() -> dict[str, bytes]:
    """A whole file of every format, about the same rivers."""
    danube, rhine = "The Danube rises in the Black Forest.", "The Rhine rises in the Swiss Alps."
    marked = f"Of rivers.\n\n== Danube ==\n\n{danube}\n\n== Rhine ==\n\n{rhine}\n"
    html = f"<p>Of rivers.</p><h2>Danube</h2><p>{danube}</p><h2>Rhine</h2><p>{rhine}</p>"
    wiki = dump(page("Rivers", marked))
    docx = "".join(
        paragraph(text, style)
        for text, style in [("Danube", "H2"), (danube, ""), ("Rhine", "H2"), (rhine, "")]
    )
    markdown = marked.replace("== ", "## ").replace(" ==", "")
    mail = b"Message-ID: <1@x>\nContent-Type: text/html\n\n" + html.encode()
    return {
        ".txt": marked.encode(),
        ".eml": mail,
        ".mbox": b"From a@b Mon Mar  4 10:02:00 2024\n" + mail,
        ".ipynb": json.dumps({"cells": [{"cell_type": "markdown", "source": markdown}]}).encode(),
        ".md": markdown.encode(),
        ".rst": marked.replace("== Danube ==", "Danube\n------").replace("== Rhine ==", "Rhine\n-----").encode(),
        ".csv": f"river,about\nDanube,{danube}\nRhine,{rhine}\n".encode(),
        ".html": html.encode(),
        ".xhtml": f"<?xml version='1.0'?><html><body>{html}</body></html>".encode(),
        ".wiki": marked.replace("Rhine rises", "[[Rhine]] rises").encode(),
        ".xml": wiki,
        ".xml.bz2": bz2.compress(wiki),
        ".xml.gz": gzip.compress(wiki),
        ".pdf": make_pdf([["Danube", danube], ["Rhine", rhine]], outlined=[("Danube", 0), ("Rhine", 1)]),
        ".docx": make_docx(docx),
        ".epub": make_epub({"one": html}),
    }  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.mark.parametrize("suffix", [suffix for suffix in samples() if suffix != ".csv"])
def test_every_format_is_cited_by_section_span_and_page(
    tmp_path: Path, encoder: Encoder, suffix: str
) -> None:
    path = tmp_path / f"rivers{suffix}"
    path.write_bytes(samples()[suffix])
    index = Index.build(path, encoder=encoder)
    passage = index.ask("Where does the Rhine rise?", threshold=0.0).passages[0]
    citation = passage.citation
    [(again, origin)] = load_sources(path)
    assert citation.verify(again).ok
    assert citation.section == ("Rhine",)
    assert "The Rhine rises in the Swiss Alps." in citation.quote
    assert citation.page == (2 if suffix == ".pdf" else None)
    assert origin.current_sha256() == origin.sha256


def test_every_readable_suffix_has_its_reader_and_its_kin_a_sample() -> None:
    tried = {parser_for(Path(f"a{suffix}")) for suffix in samples()}
    assert {parser_for(Path(f"a{suffix.upper()}")) for suffix in suffixes()} == tried


@pytest.mark.parametrize("suffix", samples())
@settings(
    max_examples=25, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # a PDF starts a process
@given(data=st.data())
def test_damaged_bytes_are_documents_or_a_source_error(suffix: str, data: st.DataObject) -> None:
    whole = WHOLE[suffix]
    at = data.draw(st.integers(0, len(whole)))
    drop = data.draw(st.integers(0, 40))
    damaged = whole[:at] + data.draw(st.binary(max_size=20)) + whole[at + drop :]
    path = Path(f"a{suffix}")
    try:
        reads = list(parser_for(path)(io.BytesIO(damaged), path))
    except SourceError:
        return
    for read in reads:
        Document("x", "X", read.text, None, read.sections, read.metadata, read.pages)


WHOLE = samples()


@pytest.mark.parametrize(
    ("suffix", "library", "extra"),
    [
        (".html", "justhtml", "html"),
        (".pdf", "pypdfium2", "documents"),
        (".docx", "mammoth", "documents"),
        (".epub", "justhtml", "documents"),
    ],
)
def test_a_missing_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, suffix: str, library: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{library}.*ragkit-cited\[{extra}\]"):
        read_as(f"a{suffix}", WHOLE[suffix])


def test_a_library_is_imported_only_when_its_format_is_read(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "a.txt").write_text("text")
    code = (
        "import sys; from ragkit.corpus import load_sources; load_sources('a.txt'); "
        "print({'justhtml', 'pypdfium2', 'mammoth', 'markdown_it', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)  # fmt: skip
    assert done.stdout.strip() == "set()"


def test_documents_of_all_formats_lie_in_one_folder(tmp_path: Path) -> None:
    for number, (suffix, content) in enumerate(WHOLE.items()):
        if not suffix.startswith(".xml."):
            (tmp_path / f"doc{number}{suffix}").write_bytes(content)
    assert len(list(iter_sources(tmp_path))) == len(WHOLE) - 2
