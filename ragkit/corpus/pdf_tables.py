"""Finds the tables of a PDF, which says nowhere that it has any: rows whose cells stand in columns.

A row becomes a line ``a | b | c``, as in every format; a cell of several lines is one cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count

from ragkit.corpus.pdf_pages import Line
from ragkit.text.line_units import is_item
from ragkit.text.spans import Span

__all__ = ["with_tables"]

_MIN_ROWS = 3
_ALIKE = 0.6
"""Share of the rows that have the usual number of cells, and of cells that stand under others."""
_ALIGNED = 2.5
"""Points by which the places of aligned cells may differ."""
_NEXT_LINE = 1.45
"""Of the font's size: the greatest distance of two lines of one cell."""

_Columns = Sequence[tuple[float, float]]
"""Left and right of each column, in points."""


def with_tables(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Return the lines of each page with the rows of tables joined and numbered by table.

    A table that goes on on the next page keeps its number.
    """
    numbers = count(1)
    done: list[list[Line]] = []
    last: tuple[int, _Columns] | None = None  # of a table that ends the page before
    for page in pages:
        lines: list[Line] = []
        for run in _runs(page):
            columns = _columns(run)
            if columns is None:
                lines += run
                last = None
                continue
            continues = last is not None and not lines and _are_same(last[1], columns)
            number = last[0] if last and continues else next(numbers)
            lines += [_row(row, columns, number) for row in _merged(run, columns)]
            last = number, columns
        done.append(lines)
    return done


def _runs(page: Sequence[Line]) -> Iterator[list[Line]]:
    """Yield runs of lines that may be rows of one table, and runs of other lines."""
    run: list[Line] = []
    is_table = False
    for line in page:
        belongs = len(line.parts) > 1 or (is_table and _continues_cell(run[-1], line))
        if run and belongs != is_table:
            yield run
            run = []
        is_table = belongs
        run.append(line)
    if run:
        yield run


def _continues_cell(above: Line, line: Line) -> bool:
    """Whether a line is the next one of a cell that is not the first of its row."""
    return (
        0 < above.baseline - line.baseline < _NEXT_LINE * line.size
        and abs(above.size - line.size) < 0.1 * line.size
        and any(abs(part.left - line.left) < _ALIGNED for part in above.parts[1:] or (above,))
    )


def _columns(rows: Sequence[Line]) -> _Columns | None:
    """Return the columns of rows; None if these are no table."""
    counts = Counter(len(row.parts) for row in rows if len(row.parts) > 1)
    if sum(counts.values()) < _MIN_ROWS:
        return None
    usual = max(counts, key=lambda number: (counts[number], number))
    full = [row.parts for row in rows if len(row.parts) == usual]
    if len(full) < max(_MIN_ROWS, _ALIKE * sum(counts.values())):
        return None
    cells = list(zip(*full, strict=True))
    columns = [(min(c.left for c in own), max(c.right for c in own)) for own in cells]
    are_apart = all(a[1] < b[0] for a, b in zip(columns, columns[1:], strict=False))
    if not are_apart or not all(map(_is_aligned, cells)):
        return None
    return None if usual == 2 and _is_list(full) else columns


def _is_aligned(cells: Sequence[Line]) -> bool:
    """Whether most cells of a column begin, end, or have their middle at one place."""
    places = ([c.left for c in cells], [c.right for c in cells], [(c.left + c.right) / 2 for c in cells])  # fmt: skip
    most = max(
        sum(abs(place - other) < _ALIGNED for other in own) for own in places for place in own
    )
    return most >= _ALIKE * len(cells)


def _is_list(rows: Sequence[Sequence[Line]]) -> bool:
    """Whether the first of two columns only numbers or marks what the second has."""
    marks = sum(
        not any(map(str.isalpha, first.text)) or is_item(f"{first.text} a", Span(0, len(first.text) + 2))
        for first, _ in rows
    )  # fmt: skip
    return marks > (1 - _ALIKE) * len(rows)


def _are_same(one: _Columns, other: _Columns) -> bool:
    return len(one) == len(other) and all(
        a[0] < b[1] and b[0] < a[1] for a, b in zip(one, other, strict=True)
    )


def _merged(lines: Sequence[Line], columns: _Columns) -> list[list[Line]]:
    """Return the lines of each row, top down."""
    rows: list[list[Line]] = []
    for line in lines:
        first = (line.parts or (line,))[0]
        continues = bool(rows) and first.left > columns[0][1]
        near = rows and 0 < rows[-1][-1].baseline - line.baseline < _NEXT_LINE * line.size
        if continues and near:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _row(lines: Sequence[Line], columns: _Columns, number: int) -> Line:
    """Return one line with all cells of a row."""
    cells: list[list[Line]] = [[] for _ in columns]
    for line in lines:
        for part in line.parts or (line,):
            cells[_column(part, columns)].append(part)
    words: list[str] = []
    boxes = []
    for position, cell in enumerate(cells):
        if position:
            words.append("|")
            boxes.append(_empty_box(cell, lines[0]))
        words += [part.text for part in cell]
        boxes += [box for part in cell for box in part.boxes]
    has_boxes = any(part.boxes for cell in cells for part in cell)
    return lines[0]._replace(
        text=" ".join(words).strip(),
        right=max(line.right for line in lines),
        boxes=tuple(boxes) if has_boxes else (),
        table=number,
    )


def _column(part: Line, columns: _Columns) -> int:
    """Return the column that a cell is in: the first that it touches, or else the nearest."""
    for number, (left, right) in enumerate(columns):
        if part.left <= right and part.right >= left:
            return number
    middle = (part.left + part.right) / 2
    return min(range(len(columns)), key=lambda n: abs(sum(columns[n]) / 2 - middle))


def _empty_box(cell: Sequence[Line], line: Line) -> tuple[float, float, float, float]:
    """Return the place of a bar, which is not drawn: no width, where the cell begins."""
    if cell and cell[0].boxes:
        left, bottom, _, top = cell[0].boxes[0]
        return left, bottom, left, top
    left, bottom, right, top = line.boxes[-1] if line.boxes else (0.0, 0.0, 0.0, 0.0)
    return right, bottom, right, top
