"""Finds the tables of a PDF, which says nowhere that it has any: rows whose cells stand in columns.

A row becomes a line ``a | b | c``, as in every format. Programs draw a table cell by cell: the
lines of a cell below each other, and the next cell to the right of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, pairwise
from statistics import median
from typing import NamedTuple

from ragkit.corpus.pdf_lines import Box, Line
from ragkit.text.line_units import is_item
from ragkit.text.spans import Span

__all__ = ["is_running_text", "with_tables"]

_MIN_ROWS = 3
_ALIKE = 0.6
"""Share of the rows that have the usual number of cells, and of cells that stand under others."""
_ALIGNED = 2.5
"""Points by which the places of aligned cells may differ."""
_NEXT_LINE = 1.45
"""Of the font's size: the greatest distance of two lines of one cell."""
_SAME_LINE = 0.5
"""Of the font's size: cells whose lines are nearer stand beside each other."""
_LEADER = re.compile(r"(?:\. ?){4}")
_MAX_MARGIN = 3
"""Fragments of a head or foot between the two parts of a table that a page's end divides."""
_MIN_TEXT_LINES = 3
_MIN_TEXT_CHARACTERS = 20
_MIN_TEXT_FILL = 0.55
"""Running text has so many lines; the usual one is so long, and fills so much of the width."""

_Columns = Sequence[tuple[float, float]]
"""Left and right of each column, in points."""


class _Cell(NamedTuple):
    """Lines below each other, from ``top`` to ``bottom`` (baselines)."""

    lines: tuple[Line, ...]
    left: float
    right: float
    top: float
    bottom: float

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Cell:
        left, right = min(one.left for one in lines), max(one.right for one in lines)
        return cls(tuple(lines), left, right, lines[0].baseline, lines[-1].baseline)

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


class _Part(NamedTuple):
    """Fragments in a row; with columns, ``rows`` are those of a table."""

    fragments: list[Line]
    rows: list[list[_Cell]]
    columns: _Columns | None = None


def with_tables(pages: Iterable[Sequence[Line]]) -> Iterator[list[Line]]:
    """Yield the fragments of each page with the rows of tables as lines, numbered by table.

    A table that goes on on the next page keeps its number.
    """
    numbers = count(1)
    last: tuple[int, _Columns] | None = None  # of a table at the end of the page before
    for page in pages:
        lines: list[Line] = []
        since = 0
        for part in _with_headlines(list(_parts(page))):
            if part.columns is None:
                lines += part.fragments
                since += len(part.fragments)
                continue
            goes_on = last and since <= _MAX_MARGIN and _are_same(last[1], part.columns)
            number = last[0] if last and goes_on else next(numbers)
            lines += [_row(row, part.columns, number) for row in part.rows]
            last, since = (number, part.columns), 0
        last = last if since <= _MAX_MARGIN else None
        yield lines


def is_running_text(parts: Sequence[Line]) -> bool:
    """Return whether fragments are lines of running text, not the cells of a table."""
    if len(parts) < _MIN_TEXT_LINES:
        return False
    width = max(part.right for part in parts) - min(part.left for part in parts)
    return (
        median(len(part.text) for part in parts) >= _MIN_TEXT_CHARACTERS
        and median(part.right - part.left for part in parts) >= _MIN_TEXT_FILL * width
    )


# --- Cells, rows, tables


def _parts(page: Sequence[Line]) -> Iterator[_Part]:
    """Yield the tables of a page, and what is between them."""
    run: list[list[_Cell]] = []
    for row in [*_rows(_cells(page)), []]:
        if run and (len(run[-1]) > 1) != (len(row) > 1):
            columns = _columns(run) if len(run[0]) > 1 else None
            cells = chain.from_iterable(run)
            yield _Part([line for cell in cells for line in cell.lines], run, columns)
            run = []
        run.append(row)
    rest = [line for row in run for cell in row for line in cell.lines]
    if rest:
        yield _Part(rest, run)


def _with_headlines(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Yield parts; one line between two parts of a table is a row of it."""
    last = len(parts) - 1
    for number, part in enumerate(parts):
        if part.columns is None and 0 < number < last and len(part.fragments) == 1:
            before, after = parts[number - 1].columns, parts[number + 1].columns
            if before and after and _are_same(before, after):
                part = part._replace(columns=before)  # noqa: PLW2901
        yield part


def _cells(page: Sequence[Line]) -> Iterator[_Cell]:
    cell: list[Line] = []
    for line in page:
        if cell and not _is_next_line(cell[-1], line):
            yield _Cell.of(cell)
            cell = []
        cell.append(line)
    if cell:
        yield _Cell.of(cell)


def _is_next_line(above: Line, line: Line) -> bool:
    """Whether a line is the next of the same cell."""
    return (
        0 < above.baseline - line.baseline < _NEXT_LINE * line.size
        and abs(above.size - line.size) < 0.1 * line.size
        and any(abs(a - b) < _ALIGNED for a, b in zip(_places(above), _places(line), strict=True))
    )


def _places(part: Line | _Cell) -> tuple[float, float, float]:
    return part.left, part.right, (part.left + part.right) / 2


def _rows(cells: Iterable[_Cell]) -> Iterator[list[_Cell]]:
    """Yield runs of cells that stand beside each other."""
    row: list[_Cell] = []
    for cell in cells:
        near = _SAME_LINE * max(cell.lines[0].size, 1.0)
        if row and (
            cell.left < row[-1].right - near
            or cell.bottom > max(one.top for one in row) + near
            or cell.top < min(one.bottom for one in row) - near
        ):
            yield row
            row = []
        row.append(cell)
    if row:
        yield row


def _columns(rows: Sequence[Sequence[_Cell]]) -> _Columns | None:
    """Return the columns of rows; None if these are no table."""
    counts = Counter(map(len, rows))
    usual = max(counts, key=lambda number: (counts[number], number))
    full = [row for row in rows if len(row) == usual]
    if len(full) < max(_MIN_ROWS, _ALIKE * len(rows)):
        return None
    by_column = list(zip(*full, strict=True))
    columns = [(min(c.left for c in own), max(c.right for c in own)) for own in by_column]
    are_apart = all(a[1] < b[0] for a, b in pairwise(columns))
    if not are_apart or not all(map(_is_aligned, by_column)):
        return None
    if sum(map(_has_leader, full)) > (1 - _ALIKE) * len(full):
        return None  # a table of contents
    are_text = [is_running_text([line for c in own for line in c.lines]) for own in by_column]
    return None if all(are_text) or (usual == 2 and _is_list(full)) else columns


def _is_aligned(cells: Sequence[_Cell]) -> bool:
    """Whether most cells of a column begin, end, or have their middle at one place."""
    most = 0
    for places in zip(*map(_places, cells), strict=True):
        rounded = Counter(round(place / _ALIGNED) for place in places)
        most = max(most, *(rounded[n] + rounded[n + 1] for n in rounded))
    return most >= _ALIKE * len(cells)


def _has_leader(row: Sequence[_Cell]) -> bool:
    """Whether a row has dots that lead the eye to a number of a page."""
    return any(_LEADER.search(cell.text) or cell.text == "." for cell in row)


def _is_list(rows: Sequence[Sequence[_Cell]]) -> bool:
    """Whether the first of two columns only numbers or marks what the second has."""
    firsts = [row[0].text for row in rows]
    marks = sum(
        not any(map(str.isalpha, first)) or is_item(f"{first} a", Span(0, len(first) + 2))
        for first in firsts
    )
    return marks > (1 - _ALIKE) * len(rows)


def _are_same(one: _Columns, other: _Columns) -> bool:
    return len(one) == len(other) and all(
        a[0] < b[1] and b[0] < a[1] for a, b in zip(one, other, strict=True)
    )


# --- Rows as lines


def _row(row: Sequence[_Cell], columns: _Columns, number: int) -> Line:
    """Return one line with all cells of a row; ``a | | c`` if the second is empty."""
    by_column: list[list[Line]] = [[] for _ in columns]
    for cell in row:
        by_column[_column(cell, columns)] += cell.lines
    if len(row) == 1:
        by_column = [list(row[0].lines)]  # a headline across the table
    words: list[str] = []
    boxes: list[Box] = []
    for position, lines in enumerate(by_column):
        if position:
            words.append("|")
            boxes.append(_bar_box(lines, boxes))
        for number_in_cell, line in enumerate(lines):
            _add_words(words, boxes, line, joins=number_in_cell > 0)
    own = [line for cell in row for line in cell.lines]
    return own[0]._replace(
        text=" ".join(words).replace("\u00ad", "-"),
        baseline=max(cell.top for cell in row),
        right=row[-1].right,
        is_bold=all(line.is_bold for line in own),
        boxes=tuple(boxes) if own[0].boxes else (),
        table=number,
    )


def _add_words(words: list[str], boxes: list[Box], line: Line, *, joins: bool) -> None:
    """Append the words of a line; one that the end of the line before breaks is whole."""
    own, own_boxes = line.text.split(), list(line.boxes)
    if joins and len(words[-1]) > 1 and words[-1][-1] in "-–\u00ad":
        is_hyphenated = words[-1][-2].isalpha() and own[0][0].islower()
        words[-1] = (words[-1][:-1] if is_hyphenated else words[-1]) + own.pop(0)
        if own_boxes:
            lefts, bottoms, rights, tops = zip(boxes[-1], own_boxes.pop(0), strict=True)
            boxes[-1] = min(lefts), min(bottoms), max(rights), max(tops)
    words += own
    boxes += own_boxes


def _bar_box(cell: Sequence[Line], before: Sequence[Box]) -> Box:
    """Return the box of a bar, which is not drawn: no width, where its cell begins."""
    if cell and cell[0].boxes:
        left, bottom, _, top = cell[0].boxes[0]
        return left, bottom, left, top
    _, bottom, right, top = before[-1] if before else (0.0, 0.0, 0.0, 0.0)
    return right, bottom, right, top


def _column(cell: _Cell, columns: _Columns) -> int:
    """Return the column that a cell is in: the first that it touches, or else the nearest."""
    for number, (left, right) in enumerate(columns):
        if cell.left <= right and cell.right >= left:
            return number
    middle = (cell.left + cell.right) / 2
    return min(range(len(columns)), key=lambda n: abs(sum(columns[n]) / 2 - middle))
