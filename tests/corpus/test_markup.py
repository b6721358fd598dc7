"""Documents as people have them: what of a page, a file or a wiki text is text, and what is not."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from ragkit.corpus.formats import parser_for
from ragkit.corpus.mediawiki import plain_text
from ragkit.corpus.parser import ParsedDocument
from ragkit.errors import SourceError

PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 20


def parsed(name: str, source: str) -> ParsedDocument:
    [document] = parser_for(Path(name))(io.BytesIO(source.encode()), Path(name))
    return document


def paths(document: ParsedDocument) -> list[tuple[str, ...]]:
    return [section.path for section in document.sections]


# --- HTML


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "<main><p>40 bar.</p><aside>Void above 55 bar.</aside></main><aside>Ads</aside>",
            "40 bar.\n\nVoid above 55 bar.",
        ),
        ("<p>a</p><aside>note</aside>", "a\n\nnote"),
        ("<article>a</article><aside>Ads</aside>", "a"),
        (
            "<input type=checkbox id=q><label for=q>How long?</label><div>Nine days.</div>"
            "<fieldset><legend>Hours</legend><p>At eight.</fieldset>"
            "<button class=accordion>Returns</button><div>Thirty days.</div><button>Copy</button>",
            "How long?\n\nNine days.\n\nHours\n\nAt eight.\n\nReturns\n\nThirty days.",
        ),
        ("<label>A</label><label>B</label>", "A B"),
        ("<button>Can I return it?</button><p>Press <button>Start</button>.", "Can I return it?\n\nPress Start."),
        ("a<p hidden>secret<p hidden=until-found>open", "a\n\nopen"),
        (
            "<button role=tab>Linux</button><button role=tab>macOS</button>"
            "<div role=tabpanel>apt</div><div role=tabpanel hidden>brew</div>",
            "Linux\n\nmacOS\n\napt\n\nbrew",
        ),
        ("<button aria-controls=s>Pay</button><div id=s hidden>Cash.</div><div id=t hidden>x</div>", "Pay\n\nCash."),
        ("<form><input type=hidden><div>Refunds</div><p>In 14 days.</form>", "Refunds\n\nIn 14 days."),
        ("<form><input name=q><p>A page inside a form, as some servers write it.</form>x", "A page inside a form, as some servers write it.\n\nx"),
        ("<p>Longer than what follows it.</p><form><p>Subscribe<input type=email></form>", "Longer than what follows it."),
        (
            "<div class=navbar><a href=/>Home</a></div><div id=cookie-banner>Accept all.</div>"
            "<div class=breadcrumb>Home &gt; Docs</div><main><p>The pump runs at 40 bar.</main><div>Shop now</div>",
            "The pump runs at 40 bar.",
        ),
        ("<ul class=menu><li><a href=/>Home</a></ul><div class=menu>Soup, 5 euros</div>", "Soup, 5 euros"),
        ("<div id=cookie_notice>x</div><div class=cookie-policy>We keep cookies.</div>", "We keep cookies."),
        ('<p>The pump<a class="headerlink" href="#x">¶</a> <a href="#y">#</a> <a href="#z">text</a>', "The pump text"),
        ("<ruby>漢字<rp>(</rp><rt>kanji</rt><rp>)</rp></ruby>です<ruby>a<rt>b</ruby>c", "漢字ですac"),
    ],
)  # fmt: skip
def test_content_is_text_and_navigation_is_not(source: str, text: str) -> None:
    assert parsed("a.html", source).text == text


def test_a_permalink_is_no_part_of_its_heading() -> None:
    page = '<h1>Pump</h1><h2>Usage<a class="headerlink" href="#u" title="Permalink">¶</a></h2>t'
    assert paths(parsed("a.html", page)) == [("Usage",)]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "<ol start=4><li>Open.<li>Close.<ol type=a><li>First.<li>Then.</ol></ol>",
            "4. Open.\n5. Close.\n  a. First.\n  b. Then.",
        ),
        ("<ol reversed><li>a<li>b</ol>", "2. a\n1. b"),
        ("<ol type=I><li value=9>a<li>b</ol>", "IX. a\nX. b"),
        ("<ol type=A start=26><li>a<li>b</ol>", "Z. a\nAA. b"),
        ("<ol style='list-style-type: lower-roman'><li>a</ol>", "i. a"),
        ("<ol type=a start=0><li>a</ol><ul><li>b</ul>", "0. a\n\n- b"),
    ],
)
def test_items_have_the_numbers_that_the_page_shows(source: str, text: str) -> None:
    assert parsed("a.html", source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "<table><thead><tr><th rowspan=2>City<th colspan=2>Price<tr><th>Adult<th>Child"
            "<tbody><tr><td rowspan=2>Lyon<td>10<td>5<tr><td>12<td><tr><td>Nice<td><td>7</table>",
            "City | Price | Price\nCity | Adult | Child\nLyon | 10 | 5\nLyon | 12 |\nNice | | 7",
        ),
        ("<table><tr><td><td>a<tr><td><td></table>", "| a"),
        ("<table><tr><th colspan=2>Europe<tr><td>a<td>b</table>", "Europe\na | b"),
        ("<table><tbody><tr><td rowspan=0>1<td>2<tr><td>3<tfoot><tr><td>s</table>", "1 | 2\n1 | 3\ns"),
        ("<table><tr><td>x<td rowspan=2>y<tr><td>z</table>", "x | y\nz | y"),
        ("<table><tr><th><h3>Name</h3><th><h3>Room</h3><tr><td>Ann<td>12</table>", "Name | Room\nAnn | 12"),
        ("<table><tr><td>x<td><pre>\na\n  b</pre><tr><td>y<td><pre>c</pre></table>", "x | a\n  b\ny | c"),
    ],
)  # fmt: skip
def test_each_cell_stays_in_its_row_and_column(source: str, text: str) -> None:
    document = parsed("a.html", source)
    assert document.text == text
    assert paths(document) == [()]


def test_a_layout_table_still_has_sections() -> None:
    page = "<table><tr><td colspan=2><h1>T</h1><tr><td>a<td><h2>B</h2>c</table>"
    assert paths(parsed("a.html", page)) == [(), ("B",)]


@pytest.mark.parametrize(
    "unit",
    ["<tr><td rowspan=60000 colspan=1000>abc", "<table><tr><td colspan=1000>abc</table>",
     "<a>x", "<button>x", "<ol><li>", "<div class=menu>", "<main>", "<h1>a</h1><div role=main>"],
)  # fmt: skip
def test_spans_and_marks_that_never_end_take_linear_time(unit: str) -> None:
    start = time.process_time()
    assert len(parsed("a.html", "<p>text<table>" + unit * 5000).text) < 10_000_000
    assert time.process_time() - start < 20


# --- Markdown


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("It costs 40.\n\n<!--\nIt cost 99.\n-->\n", "It costs 40.\n\n\n"),
        ("It costs 40 <!-- not 99 --> euros.", "It costs 40  euros."),
        ("<div>\n<!-- a\n\nb -->\n</div>", "<div>\n\n</div>"),
        ("a\n\n[//]: # (secret)\n[comment]: <> 'b'\n\nb", "a\n\n\nb"),
        ("`<!-- a -->` \\<!-- b -->\n\n```\n<!-- c -->\n```\n", "`<!-- a -->` \\<!-- b -->\n\n```\n<!-- c -->\n```\n"),
        ("open <!-- never\n\nend", "open <!-- never\n\nend"),
        (f"a ![fig]({PICTURE}) b", "a fig b"),
        (f"a ![fig][1]\n\n[1]: <{PICTURE}>\n", "a ![fig][1]\n\n"),
        (f'<img src="{PICTURE}">a', '<img src="">a'),
        ("Use data:and/or, metadata:a/b,c", "Use data:and/or, metadata:a/b,c"),
        (f"```\n{PICTURE}\n```\n", f"```\n{PICTURE}\n```\n"),
    ],
)  # fmt: skip
def test_comments_and_pictures_inside_the_file_are_no_text(source: str, text: str) -> None:
    assert parsed("a.md", source).text == text


def test_a_file_of_comments_is_empty() -> None:
    with pytest.raises(SourceError, match=r"a\.md, without its comments, is empty"):
        parsed("a.md", "<!-- only -->")


def test_sections_are_exact_after_a_comment() -> None:
    document = parsed("a.md", "# T\n<!-- # no -->\n## A <!-- x -->\nBody.\n")
    [section] = document.sections
    assert section.path == ("A",)
    assert document.text[section.start : section.end] == "Body.\n"


@pytest.mark.parametrize(
    "heading",
    ["Usage {#usage}", "Usage {#usage .b key='v'} ##", "Usage {: #usage}", "Usage {.unnumbered}",
     "Usage {/* #usage */}", "Usage [¶](#usage \"Permanent link\")", "Usage[](#usage)",
     "`Usage`[^1]", "~~[Usage][r]~~"],
)  # fmt: skip
def test_what_names_a_heading_does_not_show_in_it(heading: str) -> None:
    assert paths(parsed("a.md", f"# T\n\n## {heading}\n\nText.\n\n[r]: http://e.org\n")) == [
        ("Usage",),
        *[],
    ]


def test_braces_that_are_no_attributes_stay() -> None:
    assert paths(parsed("a.md", "# T\n## Use {x}\nText.")) == [("Use {x}",)]


def test_toml_front_matter_is_metadata() -> None:
    source = '+++\ntitle = "Brewing"\ndate = 2024-05-01\ndraft = false\ntags = ["a"]\n[x]\ny = 1\n+++\n\n# Water\n\nSoft.\n'
    document = parsed("a.md", source)
    assert (document.title, document.text) == ("Brewing", source)
    assert document.metadata == {"date": "2024-05-01", "draft": False, "tags": ("a",)}
    assert document.sections[0].start >= source.index("\n# Water")


@pytest.mark.parametrize("front", ["a = ", "a.b" + ".c" * 40 + " = 1", "a = " + "[" * 5000])
def test_broken_toml_front_matter_is_refused_by_name(front: str) -> None:
    with pytest.raises(SourceError, match=r"front matter of a\.md.*TOML"):
        parsed("a.md", f"+++\n{front}\n+++\nText.")


def test_a_line_of_plus_signs_is_no_front_matter() -> None:
    assert parsed("a.md", "+++\nJust a line.\n+++\nx").metadata == {}


@pytest.mark.parametrize(
    "source",
    ["$$\na + b\n=\nc\n$$\n", "$$x\n---\ny$$\n", "| a |\n|---|\n| 1 |\n---\n", "- a\n===\n", "> a\n---\n"],
)  # fmt: skip
def test_mathematics_tables_lists_and_quotations_have_no_headings(source: str) -> None:
    assert paths(parsed("a.md", source)) == [()]


def test_a_title_comes_only_from_the_beginning() -> None:
    assert parsed("a.md", "Lead.\n\n# Middle\n\nText.").title is None
    assert parsed("a.md", "## A\nx\n# B\ny").title is None
    assert paths(parsed("a.md", "## A\nx\n# B\ny")) == [("A",), ("B",)]
    logo = "<p><img src=x></p>\n\n[![build](b)](c) ![d](e)\n\n# Title\n\nText."
    assert parsed("a.md", logo).title == "Title"


# --- Wiki text


@pytest.mark.parametrize(
    ("name", "source", "title", "path"),
    [
        ("a.md", "---\ntitle: Brewing\n---\n# Water\n\nSoft.", "Brewing", ("Water",)),
        ("a.md", "---\ntitle: On Water\n---\n# Water\n\nSoft.", "On Water", ()),
        ("a.html", "<title>Shop</title><h1>Pumps</h1>x", "Shop", ("Pumps",)),
        ("a.html", "<title>Pumps | Shop</title><h1>Pumps</h1>x", "Pumps", ()),
    ],
)
def test_a_first_heading_that_the_title_does_not_have_names_a_section(
    name: str, source: str, title: str, path: tuple[str, ...]
) -> None:
    document = parsed(name, source)
    assert (document.title, paths(document)) == (title, [path])


def test_headings_inside_code_and_comments_are_none() -> None:
    source = (
        "Intro.\n== Usage ==\n<syntaxhighlight lang=ini>\n== server ==\n</syntaxhighlight>\nMore.\n"
        "<pre>= x =</pre>\n<nowiki>\n== y ==\n</nowiki>\n<!--\n== z ==\n-->\nEnd.\n"
    )
    document = parsed("a.wiki", source)
    assert paths(document) == [(), ("Usage",)]
    assert "== server ==" in document.text


@pytest.mark.parametrize("name", ["a.txt", "a.wiki"])
def test_every_first_level_heading_stays_and_split_marks_count(name: str) -> None:
    assert paths(parsed(name, "= A =\nx\n= B =\ny\n")) == [("A",), ("B",)]
    assert paths(parsed(name, "= T =\nx\n= = A = =\ny\n = = = B = = = \nz\n")) == [(), ("A",), ("A", "B")]  # fmt: skip
    assert parsed(name, "= T =\nx\n== A ==\ny").title == "T"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("At {{convert|1300|mi|km}}, in {{nowrap|New York}}.", "At 1300 mi, in New York."),
        ("The {{lang|fr|Tour}}, {{lang-de|Turm}}. {{quote|It was nine.}}", "The Tour, Turm. It was nine."),
        ("{{convert|10|to|20|km|mi}} {{as of|2020|5|lc=y}} {{circa|1920}}", "10 to 20 km as of May 2020 c. 1920"),
        ("{{abbr|UN|United Nations}} {{small|{{nowrap|[[a|b]] c}}}}", "UN b c"),
        ("{{euro|5}} {{frac|1|2}} {{HMS|Ark Royal|91}} {{birth date|1950|3|2}}", "€5 1/2 HMS Ark Royal March 2, 1950"),
        ("{{nowrap|a{{!}}b}} {{nowrap|1=x}} {{Quote|text=y}}", "a|b x y"),
        ("{{Infobox|a=b}}x{{cite web|title=t}}", "x"),
        ("{{open|a\n| b", "{{open|a\n| b"),
        ("-{zh-hans:计算机; zh-hant:電腦}-很好-{A|zh-cn:甲;zh-tw:乙}--{H|zh:x}--{纯}-", "计算机很好甲纯"),
        ("[[Datei:x.jpg|mini|C [[d]]]]a[[Fichier:y.png]][[Archivo:z]][[Файл:q]][[Kategorie:K]]b[[:Datei:s]]", "abDatei:s"),
        (
            '{|\n! rowspan=2 | City !! colspan="2" | Price\n|-\n! Adult !! Child\n|-\n'
            "| Lyon || 10 || 5\n|-\n| Nice || || 7\n|}\nz",
            "City | Price | Price\nCity | Adult | Child\nLyon | 10 | 5\nNice | | 7\nz",
        ),
    ],
)  # fmt: skip
def test_wikitext_shows_the_words_that_it_has(source: str, text: str) -> None:
    assert plain_text(source) == text


@pytest.mark.parametrize("unit", ["{{nowrap|a", "{{quote|", "-{", "-{zh:a;", "{{convert|1|to|"])
def test_nested_templates_take_linear_time(unit: str) -> None:
    start = time.process_time()
    plain_text(unit * 50_000 + "}}" * 50_000)
    assert time.process_time() - start < 20


# --- Markdown and MDX


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Get [the release page](https://x.org/a_(b)) first.", "Get the release page first."),
        ("Run `./install.sh --fast` now.", "Run ./install.sh --fast now."),
        ("See [`run()`](api.md 'API').", "See run()."),
        ("The `<td>` of `__init__`.", "The `<td>` of `__init__`."),
        ("`- no item`", "`- no item`"),
        ("| `a` | b `c` |\n|---|---|\n| `d` | e |", "| `a` | b `c` |\n|---|---|\n| `d` | e |"),
        ("As shown [3][4] and in [^1].", "As shown [3][4] and in [^1]."),
        ("See \\[a](b), f[x](y) and $E[X](t)$.", "See \\[a](b), f[x](y) and $E[X](t)$."),
        (
            "- `- item`\n- `1.` is first\n- the `#` sign",
            "- `- item`\n- `1.` is first\n- the `#` sign",
        ),
        ("A list[0] of `` a`b ``.", "A list[0] of `` a`b ``."),
        ("```\n[a](b) `c`\n```", "```\n[a](b) `c`\n```"),
    ],
)
def test_the_marks_of_links_and_code_are_no_text(source: str, text: str) -> None:
    assert parsed("a.md", source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("We import goods.\nexport growth slowed, and\nimport prices rose.", None),
        ("import duties apply to goods above 22 euros.", None),
        ("A.\n\nimport A from 'a'\nimport {b} from \"b\"\n\nB.", "A.\n\nB."),
        ("export const a = {\n\n  b: 1,\n};\n\nB.", "\nB."),
        ("A {/* not 99 */} b, `{/* x */}`.", "A  b, `{/* x */}`."),
        ("A {/* never closed", None),
        ("export const smile = ':('\n\nOne.\n\nStep 1) now.", "\nOne.\n\nStep 1) now."),
        ("import type { X } from 'y'\nimport R, {\n  a,\n} from 'r'\n\nB.", "\nB."),
    ],
)
def test_modules_and_comments_of_mdx_are_no_text_and_prose_is(
    source: str, text: str | None
) -> None:
    assert parsed("a.mdx", source).text == (source if text is None else text)


def test_comments_of_mdx_that_are_never_closed_take_linear_time() -> None:
    assert parsed("a.mdx", "{/*" * 100_000).text.startswith("{/*{/*")


# --- HTML


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>It has 10<sup>6</sup> cells, the 1<sup>st</sup> of them.</p>",
         "It has 10^6 cells, the 1st of them."),
        ("<h2>Linux {#linux}</h2><p>a</p>", "Linux\n\na"),
        ("<h2>{#if ...}</h2><p>a</p>", "{#if ...}\n\na"),
        ("<p>In 1990<sup><a href=#2>2</a></sup>.</p>", "In 1990^2."),
        ("<div class=topbar><h1>Museum</h1></div><p>a</p>", "Museum\n\na"),
        ("<ol type=I><li>Roman one</li><li>Roman two</li></ol>", "I. Roman one\nII. Roman two"),
    ],
)  # fmt: skip
def test_what_pages_say_with_small_marks(source: str, text: str) -> None:
    assert parsed("a.html", source).text == text


# --- Wiki text, reStructuredText, CSV, notebooks


def test_a_page_whose_name_begins_like_a_language_is_text() -> None:
    source = "Die [[re:publica]] ist hier. [[de:Köln]][[ast:Colonia]][[simple:Cologne]][[nn:Køln]]"
    assert plain_text(source) == "Die re:publica ist hier."


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (".. note ::\n\n   Never open it.\n", ".. note ::\n\n   Never open it.\n"),
        ("A line\n.. and so on.\n", "A line\n.. and so on.\n"),
        ("A.\n\n.. hidden\n   this\n\n\n   and this\n.. and that\n\nB.\n", "A.\n\n\nB.\n"),
    ],
)
def test_comments_of_restructuredtext_stand_alone(source: str, text: str) -> None:
    assert parsed("a.rst", source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Note\nThe pump failed, and was replaced.\nAll is well.\n",
         "- Note: The pump failed; and was replaced.\n- Note: All is well.\n"),
        ("name,,\nRhine,1,2\n", "- name: Rhine; 1; 2\n"),
        ("Rivers\nSource: office\nname,len\nRhine,1233\n",
         "Rivers\nSource: office\n- name: Rhine; len: 1233\n"),
    ],
)  # fmt: skip
def test_titles_above_columns_are_told_from_rows(source: str, text: str) -> None:
    assert parsed("a.csv", source).text == text


def notebook(*cells: tuple[str, str]) -> str:
    own = [{"cell_type": kind, "source": source, "outputs": []} for kind, source in cells]
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": own})


def test_code_within_a_line_of_a_cell_opens_nothing() -> None:
    source = notebook(("markdown", "```x = 1``` and `<!--`, <prefix>"), ("markdown", "# Two\n\nB."))
    document = parsed("a.ipynb", source)
    assert document.text == "x = 1 and `<!--`, <prefix>\n\n# Two\n\nB."
    assert paths(document)[-1] == ("Two",)


@pytest.mark.parametrize("opened", ["<!-- todo", "```\ncode", "<pre>"])
def test_what_a_cell_leaves_open_ends_with_it(opened: str) -> None:
    source = notebook(("markdown", "# T"), ("markdown", opened), ("markdown", "## Real\n\nText."))
    assert paths(parsed("a.ipynb", source))[-1][-1] == "Real"


def test_a_raw_cell_is_no_markdown() -> None:
    source = notebook(("markdown", "# T\n\nText."), ("raw", "---\ntitle: X\n---"))
    assert {path[-1:] for path in paths(parsed("a.ipynb", source))} <= {("T",), ()}


def test_all_worksheets_of_an_old_notebook_are_read() -> None:
    sheets = [{"cells": [{"cell_type": "markdown", "source": text}]} for text in ("One.", "Two.")]
    source = json.dumps({"nbformat": 3, "metadata": {}, "worksheets": sheets})
    assert parsed("a.ipynb", source).text.split() == ["One.", "Two."]
