"""PDF: reading order, running heads, headings, sentences over the ends of pages, hostile pages."""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from ragkit import Document, Span
from ragkit.corpus.formats import parser_for
from ragkit.errors import SourceError
from support.pdf_files import Placed, pdf, text_lines


def parsed(data: bytes) -> Document:
    [read] = parser_for(Path("a.pdf"))(io.BytesIO(data), Path("a.pdf"))
    return Document("a", read.title or "A", read.text, None, read.sections, read.metadata, read.pages)  # fmt: skip


def sections(document: Document) -> list[tuple[tuple[str, ...], str]]:
    return [(s.path, " ".join(document.text[s.start : s.end].split())) for s in document.sections]


# --- Pages


def museum(*pages: Sequence[str]) -> bytes:
    """Pages with a head and a foot that counts them."""
    return pdf([
        [
            (50, 780, 10, "F1", "ANNUAL REPORT 2023 - Museum of Clocks"),
            (50, 30, 10, "F1", f"Confidential - Page {number} of {len(pages)}"),
            *text_lines(*page),
        ]
        for number, page in enumerate(pages, 1)
    ])  # fmt: skip


CLOCKS = museum(
    ["The museum was founded in 1903.", "The oldest clock was bought by the museum in the"],
    ["year 1957 for the sum of eleven thousand marks.", "It still runs."],
    ["The shop sells post cards for two euros each."],
)


def test_a_sentence_goes_on_over_the_end_of_a_page_without_head_and_foot() -> None:
    document = parsed(CLOCKS)
    assert document.text == (
        "The museum was founded in 1903.\nThe oldest clock was bought by the museum in the\n"
        "year 1957 for the sum of eleven thousand marks.\nIt still runs.\n\n"
        "The shop sells post cards for two euros each."
    )
    assert [document.text[start:][:8] for start in document.pages] == ["The muse", "year 195", "The shop"]  # fmt: skip


def test_the_page_of_a_citation_is_that_of_its_first_character() -> None:
    document = parsed(CLOCKS)
    places = [("The oldest clock", 1), ("in the\nyear", 1), ("year 1957", 2), ("The shop", 3)]
    for quote, page in places:
        start = document.text.index(quote)
        citation = document.cite(Span(start, start + len(quote)))
        assert (citation.quote, citation.page) == (quote, page)


def test_pages_without_text_are_named(caplog: pytest.LogCaptureFixture) -> None:
    empty: list[Placed] = []
    document = parsed(pdf([empty, text_lines("Cover."), empty, empty, text_lines("End."), empty]))
    assert document.pages_without_text == (1, 3, 4, 6)
    assert [document.page_at(document.text.index(word)) for word in ("Cover", "End")] == [2, 5]
    [record] = [record for record in caplog.records if record.name == "ragkit"]
    assert record.levelno == logging.WARNING
    assert "a.pdf has no text on 4 of its 6 pages: 1, 3–4, 6." in record.getMessage()


def test_numbers_that_count_pages_are_left_out_and_other_numbers_stay() -> None:
    pages = [
        [*text_lines(f"Chapter {name}.", f"Total {total}"), (300, 20, 9, "F1", page)]
        for name, total, page in [("one", 5, "iv"), ("two", 5000, "v"), ("six", 7, "vi")]
    ]
    text = parsed(pdf(pages)).text
    assert text.split() == "Chapter one. Total 5 Chapter two. Total 5000 Chapter six. Total 7".split()  # fmt: skip


def test_heads_that_differ_from_page_to_page_are_known_by_their_number() -> None:
    pages = [
        [(50, 780, 9, "F1", f"{head}   {number}"), *text_lines(f"Text of {head} here.")]
        for number, head in enumerate(["Adders", "Bees", "Cats", "Dogs"], start=11)
    ]
    assert "11" not in parsed(pdf(pages)).text
    assert parsed(pdf(pages)).text.startswith("Text of Adders here.")


def test_pages_of_which_only_heads_would_be_left_keep_their_text() -> None:
    assert parsed(pdf([text_lines("The same."), text_lines("The same.")])).text.split() == "The same. The same.".split()  # fmt: skip


def test_footnotes_do_not_part_a_sentence_that_goes_on() -> None:
    first = [
        *text_lines("The mill stands.", "It was", top=700),
        (50, 674, 10, "F1", "sold by the town to the"),
        (50, 100, 7, "F1", "1 See the register."),
    ]
    text = parsed(pdf([first, text_lines("miller in 1820. He died.")])).text
    assert "sold by the town to the\nmiller in 1820." in text
    assert "1 See the register." in text


# --- Lines


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["It is of inter-", "national fame."], "It is of international fame."),
        (["A well-known man, so well-", "known that all came."], "A well-known man, so well-known that all came."),
        (["Firma Meyer-", "Lansky kam."], "Firma Meyer-Lansky kam."),
        (["Vor-", "und Nachteile."], "Vor-\nund Nachteile."),
        (["From 1957 -", "a dash."], "From 1957 -\na dash."),
    ],
)  # fmt: skip
def test_a_word_that_a_line_breaks_is_whole(lines: list[str], text: str) -> None:
    assert parsed(pdf([text_lines(*lines)])).text == text


def test_a_word_is_whole_over_the_end_of_a_page() -> None:
    document = parsed(pdf([text_lines("It is of inter-"), text_lines("national fame.")]))
    assert document.text == "It is of international fame."
    assert document.pages == (0, document.text.index("national"))


# --- Columns


LEFT = ["The survey of the harbour began in April", "and was led by Captain Oduya. He found", "that the eastern quay had sunk by nine", "centimetres since the year 1962."]  # fmt: skip
RIGHT = ["The western quay is newer. It was built", "in 1988 by the firm of Halvorsen and", "it rests on steel piles. Its cost was", "four million crowns in total."]  # fmt: skip


def row_by_row(*columns: list[Placed]) -> list[Placed]:
    return [part for row in zip(*columns, strict=True) for part in row]


def test_columns_drawn_row_by_row_are_read_one_after_the_other() -> None:
    head: list[Placed] = [(50, 760, 18, "F2", "A survey of all that is known about the harbour")]
    columns = row_by_row(text_lines(*LEFT), text_lines(*RIGHT, left=320))
    text = " ".join(parsed(pdf([head + columns])).text.split())
    assert text.endswith(" ".join(LEFT + RIGHT))


def test_columns_in_a_small_font_may_be_three() -> None:
    third = ["No more was said of it in that year or", "in any of the years after it, and then", "the war began and all was forgotten by", "those who had seen it."]  # fmt: skip
    columns = [text_lines(*lines, left=left, size=8) for lines, left in ((LEFT, 30), (RIGHT, 220), (third, 410))]  # fmt: skip
    text = " ".join(parsed(pdf([row_by_row(*columns)])).text.split())
    assert text == " ".join(LEFT + RIGHT + third)


def test_the_rows_of_a_table_stay_rows() -> None:
    names, heights = ["Everest", "K2", "Lhotse", "Makalu"], ["8849 m", "8611 m", "8516 m", "8485 m"]
    rows = row_by_row(text_lines(*names), text_lines(*heights, left=320))
    assert (
        parsed(pdf([rows])).text
        == "Everest | 8849 m\nK2 | 8611 m\nLhotse | 8516 m\nMakalu | 8485 m"
    )


def drawn_cells(*rows: tuple[tuple[float, str], ...], top: float = 700) -> list[Placed]:
    """Cells at their places, drawn one after the other, each with its lines below each other."""
    placed: list[Placed] = []
    for row in rows:
        for left, cell in row:
            lines = cell.split("\n")
            placed += [(left, top - 12 * n, 10, "F1", line) for n, line in enumerate(lines)]
        top -= 12 * max(len(cell.split("\n")) for _, cell in row) + 8
    return placed


def test_a_cell_of_several_lines_is_one_and_an_empty_cell_stays() -> None:
    rows = drawn_cells(
        ((50, "Name"), (200, "Use"), (400, "Price")),
        ((50, "Alpha"), (200, "for cold\nwater"), (400, "12")),
        ((50, "Beta"), (400, "14")),
        ((50, "Gamma"), (200, "ware-\nhouses"), (400, "555-\n0178")),
    )
    page: list[Placed] = [
        *text_lines("All pumps:", top=740),
        *rows,
        *text_lines("Ask us.", top=500),
    ]
    assert parsed(pdf([page])).text == (
        "All pumps:\n\nName | Use | Price\nAlpha | for cold water | 12\nBeta | | 14\n"
        "Gamma | warehouses | 555-0178\n\nAsk us."
    )


def test_a_table_goes_on_on_the_next_page() -> None:
    def part(first: int) -> list[Placed]:
        return drawn_cells(
            *[((50, f"Pump {n}"), (200, f"{n} bar")) for n in range(first, first + 4)]
        )

    text = parsed(pdf([part(1), part(5)])).text
    assert text == "\n".join(f"Pump {n} | {n} bar" for n in range(1, 9))


def test_numbered_items_are_no_table() -> None:
    rows = drawn_cells(*[((50, f"{n}."), (90, "Open the valve.")) for n in range(1, 5)])
    assert parsed(pdf([rows])).text.startswith("1. Open the valve.\n2. Open the valve.")


def test_a_table_of_contents_with_leaders_has_no_cells() -> None:
    rows = drawn_cells(
        *[((50, f"Part {n}"), (200, ". . . . . ."), (400, f"{n}9")) for n in range(1, 6)]
    )
    assert " | " not in parsed(pdf([rows])).text


# --- Headings


def headed(*blocks: tuple[str, str]) -> list[Placed]:
    """Blocks of a heading, in lines, and a line of text."""
    placed, top = [], 760.0
    for heading, text in blocks:
        for line in heading.split("\n"):
            placed.append((50.0, top, 16.0, "F2", line))
            top -= 20
        placed.append((50.0, top, 10.0, "F1", text))
        top -= 30
    return placed


PARTS = [
    ("1. Introduction", "This part tells of the aims."),
    ("Methods", "We used seven dogs."),
    ("Long heading that wraps\nover two lines", "It cost 5 euros."),
    ("Appendix A : Data", "Data are here."),
    ("R\xe9sum\xe9", "The end is near."),
]


def test_an_entry_of_the_outline_finds_its_line_approximately() -> None:
    titles = ["1. Introduction", "METHODS", "Long heading that wraps over two lines", "Appendix A: Data", "Re\u0301sume\u0301"]  # fmt: skip
    document = parsed(pdf([headed(*PARTS)], outline=[(title, 0) for title in titles]))
    assert sections(document) == [((" ".join(title.split()),), text) for title, (_, text) in zip(titles, PARTS, strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("Introduction", "2.1 Introduction"),
        ("Chapter 3. Rivers of Europe", "Rivers of Europe"),
        ("Rivers of Eur\xf6pe and Asia", "Rivers of Europe and Asia*"),
        ("The \ufb01nal \u201cword\u201d", 'The final "word"'),
    ],
)
def test_numbers_signs_and_misprints_do_not_matter(entry: str, line: str) -> None:
    page = headed((line, "Text."), ("Other", "More."))
    assert sections(parsed(pdf([page], outline=[(entry, 0), ("Other", 0)])))[0] == ((entry,), "Text.")  # fmt: skip


def test_an_entry_without_a_line_claims_no_section_rather_than_a_wrong_one() -> None:
    pages = [headed(("One", "First.")), text_lines("Second."), headed(("Three", "Third."))]
    document = parsed(pdf(pages, outline=[("One", 0), ("Nowhere in the text", 1), ("Three", 2)]))
    assert sections(document) == [(("One",), "First."), ((), "Second."), (("Three",), "Third.")]


def test_sections_that_differ_by_number_are_not_alike() -> None:
    page = headed(("Section number 12", "Text."), ("End", "More."))
    document = parsed(pdf([page], outline=[("Section number 13", 0), ("End", 0)]))
    assert [path for path, _ in sections(document)] == [(), ("End",)]


def test_without_an_outline_headings_are_told_by_size_and_weight() -> None:
    page: list[Placed] = [
        *headed(("Rivers\nof Europe", "Lead.")),
        (50, 600, 10, "F2", "Danube"),
        *text_lines("It rises in Germany,", "and it is long.", top=580),
        (50, 540, 10, "F2", "This sentence is in bold letters."),
    ]
    document = parsed(pdf([page]))
    assert document.title == "Rivers of Europe"
    assert sections(document) == [
        ((), "Lead."),
        (("Danube",), "It rises in Germany, and it is long. This sentence is in bold letters."),
    ]


def test_the_bold_head_of_a_table_is_no_heading() -> None:
    page: list[Placed] = [
        *text_lines("Some text of the document.", "It has a table.", top=760),
        (50, 700, 10, "F2", "Mountain"), (320, 700, 10, "F2", "Height"),
        *row_by_row(text_lines("Everest", top=687), text_lines("8849 m", top=687, left=320)),
    ]  # fmt: skip
    assert [path for path, _ in sections(parsed(pdf([page])))] == [()]


@pytest.mark.parametrize(
    "title", ["untitled", "Microsoft Word - draft_final_v3.docx", "thesis.dvi"]
)
def test_a_title_that_a_program_wrote_is_none(title: str) -> None:
    assert parsed(pdf([text_lines("Text.")], title=title)).title == "A"
    assert parsed(pdf([text_lines("Text.")], title="Of rivers")).title == "Of rivers"


# --- Hostile pages


def test_a_page_that_takes_too_much_is_an_error_and_ends_nothing_else() -> None:
    content = zlib.compress(b"BT /F1 12 Tf " + b"(a) Tj " * (30 << 20) + b"ET")
    with pytest.raises(SourceError, match=r"a\.pdf is not a readable PDF: one page takes too much"):
        parsed(pdf([content]))


def test_a_page_of_many_lines_is_parsed_in_time() -> None:
    lines = [(50 + number % 7 * 80, 780 - number % 97 * 8, 8, "F1", f"word {number}") for number in range(20_000)]  # fmt: skip
    assert len(parsed(pdf([lines, lines])).text) > 100_000
