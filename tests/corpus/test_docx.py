"""DOCX: titles, headings by outline level, hidden text, equations, notes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from ragkit.corpus.formats import parser_for
from ragkit.corpus.parser import ParsedDocument

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
STYLES = (
    '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="H1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Toc"><w:name w:val="TOC Heading"/><w:basedOn w:val="H1"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>'
)  # fmt: skip


def parsed(body: str, notes: str = "") -> ParsedDocument:
    files = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/><Relationship Id="f" Type="{OFFICE}/footnotes" Target="footnotes.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {W}>{STYLES}</w:styles>",
        "word/footnotes.xml": f"<w:footnotes {W}>{notes}</w:footnotes>",
        "word/document.xml": f"<w:document {W} {M}><w:body>{body}</w:body></w:document>",
    }  # fmt: skip
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    [document] = parser_for(Path("a.docx"))(packed, Path("a.docx"))
    return document


def p(text: str, style: str = "", *, properties: str = "", more: str = "") -> str:
    style = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{style}{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r>{more}</w:p>"


def outline(document: ParsedDocument) -> list[tuple[tuple[str, ...], str]]:
    return [(s.path, document.text[s.start : s.end].strip()) for s in document.sections]


def test_a_title_above_several_first_headings_is_the_title() -> None:
    document = parsed(p("Pump Handbook", "T") + p("Limits", "H1") + p("40 bar.") + p("Noise", "H1") + p("60 dB."))  # fmt: skip
    assert document.title == "Pump Handbook"
    assert outline(document) == [(("Limits",), "40 bar."), (("Noise",), "60 dB.")]


def test_headings_are_told_by_outline_level_and_by_the_style_that_theirs_is_based_on() -> None:
    second = p("Second", properties='<w:outlineLvl w:val="1"/>')
    document = parsed(p("One", "Mine") + p("a") + second + p("b") + p("Two", "H1") + p("Contents", "Toc"))  # fmt: skip
    assert outline(document) == [(("One",), "a"), (("One", "Second"), "b"), (("Two",), "Contents")]


def test_hidden_text_is_left_out() -> None:
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t> secret</w:t></w:r>"
    shown = '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> shown</w:t></w:r>'
    assert parsed(p("Text", more=hidden + shown)).text == "Text shown"


def test_equations_are_text() -> None:
    fraction = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b+c</m:t></m:r></m:den></m:f>"  # fmt: skip
    power = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"  # fmt: skip
    inline = f"<m:oMath>{power}<m:r><m:t>=</m:t></m:r>{fraction}</m:oMath>"
    alone = f"<w:p><m:oMathPara><m:oMath>{power}</m:oMath></m:oMathPara></w:p>"
    assert parsed(p("So ", more=inline) + alone).text == "So x^2=a/(b+c)\n\nx^2"


def test_a_note_stands_after_the_paragraph_that_refers_to_it() -> None:
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    document = parsed(
        p("Limits", "H1") + p("At 40 bar.", more=reference) + p("Noise", "H1") + p("60 dB."),
        f'<w:footnote w:id="2">{p("When cold.")}</w:footnote>',
    )
    assert outline(document) == [
        (("Limits",), "At 40 bar.[1]\n\n[1] When cold."), (("Noise",), "60 dB."),
    ]  # fmt: skip
