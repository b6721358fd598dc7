"""Comma- and tab-separated values: each row becomes a list item with the names of its columns.

``- name: Rhine; length: 1233`` is found by the words of the column and of the cell, and is cited
whole. The first row holds the names, or the first one below some rows of one cell each, such as the
table's title, if what follows is as wide as it is; the separator is the one of comma, semicolon,
tab and bar that divides most of the first rows, and into the most columns. Cells without text are
left out; those beyond the last column have no name.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all
from ragkit.corpus.headings import BOM, MAX_HEADING_LENGTH, sections_between
from ragkit.corpus.parser import ParsedDocument
from ragkit.errors import SourceError

__all__ = ["parse"]

_SEPARATORS = ",;\t|"
_FIRST_ROWS = 8
_TITLES = 3
"""Rows above the names of the columns, at most, that the separator is not told by."""

_MAX_LENGTH = 64 * 2**20
"""Size limit of the text in characters, since each row repeats the names of its columns."""


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    source = decode(read_all(file, str(path)), str(path)).removeprefix(BOM)
    text, length = [], 0
    try:
        for row in _items(source, path):
            text.append(row)
            length += len(row) + 1
            if length > _MAX_LENGTH:
                raise SourceError(
                    f"{path} has more than {_MAX_LENGTH // 2**20} million characters with the "
                    f"names of its columns in each row; expected less. Split it into several files."
                )
    except csv.Error as error:
        raise SourceError(
            f"{path} cannot be parsed as separated values: {error}. Export it again."
        ) from error
    if not text:
        raise SourceError(f"{path} has no rows below the names of its columns. Leave it out.")
    content = "\n".join(text) + "\n"
    yield ParsedDocument(content, sections_between(content, ()))


def _items(source: str, path: Path) -> Iterator[str]:
    rows = _rows(source, _separator(source, path))
    first = list(islice(rows, _FIRST_ROWS))
    titles = _titles(first)
    yield from [" ".join(row[0].split()) for row in first[:titles]]
    names = [" ".join(cell.split()) for cell in first[titles]] if first else []
    rows = chain(first[titles + 1 :], rows)
    if max(map(len, names), default=0) > MAX_HEADING_LENGTH:
        raise SourceError(
            f"{path} has a column whose name has more than {MAX_HEADING_LENGTH:,} characters; "
            f"expected the names of the columns in its first row. Correct that row."
        )
    for row in rows:
        item = _item(names, row)
        if item:
            yield item


def _titles(rows: Sequence[Sequence[str]]) -> int:
    """Count the rows above the names of the columns; those below them are as wide as they are."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    number = next((n for n, cells in enumerate(filled) if cells > 1), 0)
    names, *rest = rows[number:] or [[]]
    is_table = bool(rest) and len(rest[0]) == len(names) and filled[number + 1] > 1
    are_first = all(row[0].strip() for row in rows[:number])
    return number if number <= _TITLES and is_table and are_first else 0


def _item(names: Sequence[str], row: Sequence[str]) -> str:
    texts = [" ".join(cell.split()) for cell in row]
    cells = zip_longest(names[: len(texts)], texts, fillvalue="")
    named = [f"{name}: {cell}" if name else cell for name, cell in cells if cell]
    return f"- {'; '.join(named)}" if named else ""


def _rows(source: str, separator: str) -> Iterator[list[str]]:
    """Yield the rows that have visible text."""
    rows = csv.reader(io.StringIO(source, newline=""), delimiter=separator)
    return (row for row in rows if any(cell.strip() for cell in row))


def _separator(source: str, path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(_SEPARATORS, key=lambda mark: _divided(islice(_rows(source, mark), _TITLES + 1)))


def _divided(rows: Iterable[Sequence[str]]) -> tuple[int, int]:
    """How many rows a separator divides, and into how many cells at most."""
    widths = [len(row) for row in rows]
    return sum(width > 1 for width in widths), max(widths, default=0)
