"""A row of a table is read with the names of its columns, and what answers is in its cells."""

from __future__ import annotations

import pytest

from ragkit import Document, Index
from ragkit.reading.rows import NamedRow, column_names
from ragkit.text.spans import Span

TABLE = "| Name | Room | |\n|---|---|---|\n| Ann | | x |\n| Bob | 14 | y |\n"


def row_of(content: str) -> Span:
    start = TABLE.index(content)
    return Span(start, start + len(content))


def test_empty_cells_are_left_out_and_a_column_may_have_no_name() -> None:
    names = column_names(TABLE, Span(0, 31), [row_of("| Ann | | x |"), row_of("| Bob | 14 | y |")])
    assert names == ("Name", "Room", "")
    assert NamedRow.of(TABLE, names, row_of("| Ann | | x |")).text == "Name: Ann; x"


@pytest.mark.parametrize(
    ("words", "quote"),
    [
        ("14", "14"),
        ("Bob; Room: 14", "Bob | 14"),
        ("Room", "14"),
        ("Room: 1", "1"),
        ("Name", "Bob"),
    ],
)
def test_words_of_a_row_are_where_their_cells_are(words: str, quote: str) -> None:
    row = NamedRow.of(TABLE, ("Name", "Room", ""), row_of("| Bob | 14 | y |"))
    start = row.text.index(words)
    span = row.in_document(Span(start, start + len(words)))
    assert TABLE[slice(*span)] == quote


def test_sentences_with_other_columns_are_no_rows() -> None:
    text = "a | b\nc | d | e"
    assert column_names(text, Span(0, 5), [Span(6, 15)]) == ()


def test_the_row_and_not_its_neighbour_answers() -> None:
    names = ("Radiology", "Neurology", "Urology", "Oncology", "Cardiology", "Pharmacy")
    rows = "\n".join(f"| {name} | Dr. {name[:3]}son | 55{n} |" for n, name in enumerate(names))
    text = f"| Department | Head | Phone |\n|---|---|---|\n{rows}\n"
    index = Index.build([Document("d", "Hospital", text)])
    for n, name in enumerate(names):
        passage = index.ask(f"What is the phone number of {name}?").passages[0]
        [row] = passage.highlights
        assert passage.quote(row) == f"| {name} | Dr. {name[:3]}son | 55{n} |"
