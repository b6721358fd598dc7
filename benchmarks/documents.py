"""Documents as people have them: each input of ``tests/data/documents``, what is right, what comes.

    python -m benchmarks.documents

Each input is named after a trait out of a public bug report of a document loader. Prints a table,
and ends with status 1 if an input is not right. ``benchmarks/tests/test_document_inputs.py`` runs the same
inputs.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ragkit import Answer, Document, Index, load_encoder
from ragkit.chunking import Chunker
from ragkit.corpus import iter_sources
from ragkit.index.filters import parse_where

FOLDER: Final = Path(__file__).parent.parent / "tests" / "data" / "documents"

Came = Callable[[Path], object]


@dataclass(frozen=True)
class Input:
    """A file, what is right of it, how that is computed, and the value that it must have."""

    name: str
    right: str
    came: Came
    expected: object


def document_of(path: Path) -> Document:
    [(document, _)] = iter_sources([path])
    return document


def text(path: Path) -> str:
    return document_of(path).text.strip()


def sections(path: Path) -> dict[str, str]:
    """The text of each section, by the names of its headings."""
    document = document_of(path)
    return {
        " › ".join(section.path): document.text[section.start : section.end].strip()
        for section in document.sections
    }


def sentences(path: Path) -> list[str]:
    document = document_of(path)
    encoder = load_encoder()
    chunks = Chunker().chunks(document, count=encoder.count_tokens, window=encoder.window)
    return [document.text[slice(*span)] for chunk in chunks for span in chunk.sentences]


def answers(*questions: str) -> Came:
    """Return what answers each question, asked of the file alone."""

    def came(path: Path) -> list[str]:
        index = Index.build(path)
        return [index.ask(question).text for question in questions]

    return came


def text_and(*questions: str) -> Came:
    return lambda path: (text(path), answers(*questions)(path))


def left_out(*contents: str, name: str = "") -> Came:
    """Return what is indexed, and what is reported as left out, of a folder with the file."""

    def came(path: Path) -> tuple[list[str], list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(path, Path(folder, name or path.name))
            for content in contents:
                Path(folder, content).write_text("lamp,colour\nold,red\n", encoding="utf-8")
            loaded = iter_sources([folder])
            ids = [document.id for document, _ in loaded]
            report = loaded.left_out
            counted = report.lines()[len(report.files) :]
            return ids, [*sorted(file.path.name for file in report.files), *counted]

    return came


def built_from(files: dict[str, str]) -> Came:
    """Return the ids of the documents of a folder with these files, which the input describes."""

    def came(_: Path) -> list[str]:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent, "docs")
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_text(content, encoding="utf-8")
            loaded = iter_sources([folder])
            return [document.id for document, _ in loaded]

    return came


def years(_: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, year in (("a", "2026"), ("b", '"2025"')):
            content = f"---\nyear: {year}\n---\nThe lamp is red.\n"
            Path(folder, f"{name}.md").write_text(content, encoding="utf-8")
        index = Index.build(folder)
        where = parse_where(["year=2026"], index.metadata)
        return [p.citation.document_id for p in index.search("What is red?", where=where)]


def rows(path: Path) -> tuple[bool, bool]:
    """Whether at least 27 of 30 rows are found first, and are what is highlighted."""
    index = Index.build(path)
    [document] = index.documents
    own = [line for line in document.text.splitlines() if " Ltd" in line]
    names = [line.strip("| ").split(" | ")[0] for line in own]
    asked = [index.ask(f"Who is the registered owner of the {name}?") for name in names]
    first = sum(row in answer.passages[0].text for row, answer in zip(own, asked, strict=True))
    marked = sum([row] == marks(answer) for row, answer in zip(own, asked, strict=True))
    return first >= 27, marked >= 27


def marks(answer: Answer) -> list[str]:
    """What is highlighted in the first passage."""
    passage = answer.passages[0]
    return [passage.quote(span).strip() for span in passage.highlights]


def code_lines(path: Path) -> tuple[bool, list[str]]:
    document = document_of(path)
    encoder = load_encoder()
    chunks = Chunker().chunks(document, count=encoder.count_tokens, window=encoder.window)
    lines = {line.strip() for line in document.text.splitlines()}
    firsts = [document.text[slice(*chunk.sentences[0])] for chunk in chunks]
    begins = all(first.splitlines()[0].strip() in lines for first in firsts)
    return begins, marks(Index.build(path).ask("default_12"))


def pages_without_text(path: Path) -> tuple[int, ...]:
    return tuple(document_of(path).pages_without_text)


def described(path: Path) -> tuple[str, dict[str, object], dict[str, str]]:
    document = document_of(path)
    return document.title, dict(document.metadata), sections(path)


def titled(path: Path) -> tuple[str, dict[str, str]]:
    return document_of(path).title, sections(path)


TABLE_30: Final = "a row is found first, and is what is highlighted, for at least 27 of 30"

INPUTS: Final = (
    Input("badfile-empty.txt", "left out and named, the rest indexed",
          left_out("good.md"), (["good"], ["badfile-empty.txt"])),
    Input("bullets.txt", "each item is a sentence", sentences,
          ["▪ Apples cost two euros", "▪ Pears cost three euros", "▪ Plums cost four euros",
           "▪ Figs cost five euros"]),
    Input("chat.txt", "one message answers",
          answers("How often does the staging password rotate?", "Which team owns the invoice service?"),
          ["[2024-03-01 10:06] Cem: the staging password rotates every ninety days",
           "[2024-03-01 10:08] Dora: team Heron owns it since January"]),
    Input("cjk-abstains.md", "answers in Chinese", answers("东码头下沉了多少？", "谁建造了西码头？"),
          ["他发现东码头自一九六二年以来下沉了九厘米。", "西码头较新，由哈尔沃森公司于一九八八年建造。"]),
    Input("cjk-sentences.md", "each sentence ends at 。",
          lambda path: (len(sentences(path)), {one[-1] for one in sentences(path)}), (59, {"。"})),
    Input("code-long.md", "cut at the ends of lines; the line is highlighted", code_lines,
          (True, ['value = request.get("field_12") or default_12'])),
    Input("de-dates.md", "an ordinal number ends no sentence",
          answers("Wann wurde der Vertrag unterzeichnet?"),
          ["Der Vertrag wurde am 16. April 1922 in Rapallo unterzeichnet."]),
    Input("docx-title.docx", "the title is that of the style Title", titled,
          ("Pump Handbook", {"Limits": "The pump runs at 40 bar.",
                             "Noise": "It makes 60 decibel of noise."})),
    Input("empty-cells.html", "empty cells stay, spans are repeated",
          lambda path: text(path).splitlines()[-3:], ["Lyon | 10 | 5", "Lyon | 12 |", "Nice | | 7"]),
    Input("epub-sections.epub", "chapters of the table of contents, which go on in the next file",
          sections,
          {"One": "The ship sailed at dawn.[1]\n\n[1] It was the brig Morwenna.\n\nThen it sank.",
           "Two › Sub": "The crew of nine survived.\n\n"
           "This page goes on with chapter two: they ate limpets.",
           "Notes": "1. Note: limpets are shellfish."}),
    Input("html-aside.html", "an aside of the text is text",
          answers("Above which pressure is the warranty void?"), ["The warranty is void above 55 bar."]),
    Input("html-form.html", "a page inside a form is text", text,
          "Refund policy\n\nRefunds are paid within 14 days."),
    Input("html-label.html", "labels, legends and buttons over text are text",
          text_and("How long is delivery?", "Can I return goods?"),
          ("FAQ\n\nHow long is delivery?\n\nDelivery takes nine days.\n\nOpening hours\n\n"
           "We open at eight.\n\nCan I return goods?\n\nYes, within thirty days.",
           ["Delivery takes nine days.", "Yes, within thirty days."])),
    Input("html-nav.html", "navigation, banners and permalinks are not text", text,
          "Pump manual\n\nThe pump runs at 40 bar."),
    Input("ligature.txt", "ligatures match letters", answers("Who classified the fluid as inflammable?"),
          ["The ﬁrst ofﬁcer classiﬁed the ﬂuid as inﬂammable in 1931."]),
    Input("lockfile.docx", "a lock file is left out, and counted",
          left_out("good.md", name="~$minutes.docx"), (["good"], ["lock files of Office: 1"])),
    Input("md-base64.md", "a data URI is no text", text,
          "# Guide\n\nThe lamp is switched on by the red lever.\n\nfig\n\n"
          "The lamp is switched off by the blue lever."),
    Input("md-comment.md", "a comment is no text", text, "# Price list\n\nThe lamp costs 40 dollars."),
    Input("md-heading-id.md", "the id of a heading does not show", sections, {"Usage": "Text is here."}),
    Input("md-toml.md", "TOML front matter is metadata", described,
          ("Brewing guide", {"date": "2024-05-01", "draft": False},
           {"Water": "Use soft water at 93 degrees."})),
    Input("ol-numbers.html", "items keep their numbers and their depth", text,
          "Steps\n\n4. Open the valve.\n5. Close the tap.\n  a. First left.\n  b. Then right."),
    Input("pdf-mixed-scan.pdf", "pages without text are named", pages_without_text, (2, 3)),
    Input("pdf-outline.pdf", "text is under its own heading", sections,
          {"1. Introduction": "This part tells of the aims.",
           "METHODS": "We used seven dogs and three cats.",
           "Long heading that wraps over two lines": "It cost 5 euros.",
           "Appendix A: Data": "Data are here.", "Résumé": "The end is near."}),
    Input("pdf-pagebreak.pdf", "a sentence goes on over the end of a page",
          answers("When did the museum buy the oldest clock?"),
          ["The oldest clock of the collection, which was made by the monk\nAnselm of Trier for the "
           "abbey, was bought by the museum in the\nyear 1957 for the sum of eleven thousand marks."]),
    Input("pdf-twocol.pdf", "columns are apart", answers("Who built the western quay?"),
          ["It was built\nin 1988 by the firm of Halvorsen and\nit rests on steel piles."]),
    Input("refmarks.txt", "a mark stays with its sentence", sentences,
          ["Ada was born in Lyon.[3]", "Her father sold clocks in the old town.[4][5]",
           "She died in 1899.[6]"]),
    Input("skipped-silently.txt", "what is not indexed is said",
          left_out("a.md", "b.rst", "c.mdx", "d.csv", "README", "e.xlsx", "f"),
          (["readme", "a", "b", "c", "d", "skipped-silently"],
           ["files of other formats: 1 without a suffix, 1 .xlsx"])),
    Input("slug-collision.txt", "all are indexed",
          built_from({name: f"Of {name}." for name in ("C.md", "C++.md", "C#.md")}),
          ["c-09629e8f", "c-3014ac8e", "c"]),
    Input("table-headings.html", "headings in header cells make no sections", sections,
          {"Staff": "Name | Room\nAnn | 12\nBob | 14\n\nEnd."}),
    Input("table-html.html", TABLE_30, rows, (True, True)),
    Input("table-md.md", TABLE_30, rows, (True, True)),
    Input("unknown-words.txt", "another spelling is found",
          answers("wifi", "cafe", "color"),
          ["Guests may use the Wi-Fi without a password.",
           "The colour of the café is light grey.", "The colour of the café is light grey."]),
    Input("utf16.txt", "UTF-16 is read", text, "\ufeffThe lamp is red."),
    Input("where-types.txt", "a value in a filter is compared as what the document's is",
          years, ["a"]),
    Input("wiki-pre-heading.wiki", "code has no headings", sections,
          {"": "Intro text.",
           "Usage": "== server ==\nport = 80\n\nThe tool reads this file.\n\n= x =\n\nMore usage text."}),
    Input("wiki-templates.wiki", "templates that hold text keep it", text,
          "At 1300 mi, it is long. He was born in New York. The Tour rose. He said it was nine."),
)  # fmt: skip
# ruff: noqa: E501 - the rows of the table


def main() -> None:
    logging.disable()
    wrong = 0
    print("| input | what is right | ok | what came |\n|---|---|---|---|")
    for one in INPUTS:
        came = one.came(FOLDER / one.name)
        is_right = came == one.expected
        wrong += not is_right
        shown = repr(came).replace("|", "\\|")
        shown = shown if len(shown) <= 120 or not is_right else f"{shown[:119]}…"
        print(f"| {one.name} | {one.right} | {'ok' if is_right else 'not'} | {shown} |", flush=True)
    print(f"\n{len(INPUTS) - wrong} of {len(INPUTS)} are right.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
