"""30 questions about 30 rows of a table: in every format the row is found, and is what is marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit import Index, Passage
from support.departments import FILES, QUESTIONS, Row

ENOUGH = 27


@pytest.mark.parametrize("name", FILES)
def test_a_row_is_found_first_and_is_what_is_marked(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    index = Index.build(path)
    first = [(row, index.ask(question, threshold=0).passages[0]) for question, row in QUESTIONS]
    assert len(first) == 30
    assert sum(has_row(row, passage.text) for row, passage in first) >= ENOUGH
    assert sum(is_marked(row, passage) for row, passage in first) >= ENOUGH


def is_marked(row: Row, passage: Passage) -> bool:
    marked = "".join(passage.quote(span) for span in passage.highlights)
    return has_row(row, marked) and len(marked.strip().splitlines()) == 1


def has_row(row: Row, text: str) -> bool:
    return all(cell.replace("–", "-") in text.replace("–", "-") for cell in row)
