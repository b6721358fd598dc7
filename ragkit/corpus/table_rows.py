"""Rows of a table as lines: ``a | b | c``, a cell that spans columns or rows repeated in each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Cell", "RowSpans", "TableCells", "row_line", "span_size"]

_MAX_REPEATED_CHARS = 1_000_000
"""Limit per page on what spans repeat, since 20 bytes can ask for a thousand columns."""


# https://html.spec.whatwg.org/multipage/tables.html#algorithm-for-processing-rows
_MAX_COLUMNS, _MAX_ROWS = 1000, 65_534
_NUMBER = re.compile(r"\s*\+?(\d{1,9})(?!\d)")


class Cell(NamedTuple):
    """The text of a cell, and how many columns and rows it spans."""

    text: str
    columns: int = 1
    rows: int = 1


class RowSpans:
    """The cells of earlier rows that reach into the next ones, by column."""

    def __init__(self) -> None:
        self._pending: dict[int, tuple[int, str]] = {}
        self._budget = _MAX_REPEATED_CHARS

    def row(self, cells: Sequence[Cell]) -> list[str]:
        """Return the text of each column of the next row, the cells of earlier rows included."""
        pending, self._pending = self._pending, {}
        if len(cells) == 1 and not pending and cells[0].rows == 1:
            return [cells[0].text]  # a headline across the table
        texts: list[str] = []
        for cell in cells:
            self._repeat_pending(texts, pending)
            for number in range(cell.columns):
                if number and not self._afford(cell.text):
                    break
                if cell.rows > 1:
                    self._pending[len(texts)] = (cell.rows - 1, cell.text)
                texts.append(cell.text)
        while pending:
            self._repeat_pending(texts, pending)
            if pending:
                texts.append("")
        return texts if cells else []

    def end_group(self) -> None:
        """End all spans, as the end of a table or of its head does."""
        self._pending.clear()

    def _repeat_pending(self, texts: list[str], pending: dict[int, tuple[int, str]]) -> None:
        while len(texts) in pending:
            rows, text = pending.pop(len(texts))
            if not self._afford(text):
                pending.clear()
                return
            if rows > 1:
                self._pending[len(texts)] = (rows - 1, text)
            texts.append(text)
        # A wide cell of this row may have covered columns of cells of earlier rows.
        for column in [column for column in pending if column < len(texts)]:
            del pending[column]

    def _afford(self, text: str) -> bool:
        self._budget -= len(text) + 3
        return self._budget >= 0


def row_line(texts: Sequence[str]) -> str:
    """Join the columns of a row; ``""`` if all are empty."""
    if not any(texts):
        return ""
    return "|".join(f" {text} " if text else " " for text in texts)[1:-1]


def span_size(columns: str | None, rows: str | None) -> tuple[int, int]:
    """Parse ``colspan`` and ``rowspan``; a ``rowspan`` of 0 reaches to the end of the table."""
    return (
        min(max(1, _number(columns)), _MAX_COLUMNS),
        min(_number(rows) or _MAX_ROWS, _MAX_ROWS),
    )


def _number(value: str | None) -> int:
    match = _NUMBER.match(value or "")
    return int(match[1]) if match else 1


class TableCells:
    """Collects the cells of the rows of a page's data tables, one row at a time.

    Attributes:
        in_row: whether a row is open.

    """

    def __init__(self) -> None:
        self.in_row = False
        self._spans = RowSpans()
        self._cells: list[Cell] = []
        self._parts: list[str] = []
        self._in_cell = False
        self._size = (1, 1)

    def begin_row(self) -> None:
        """Begin a row."""
        self.in_row = True
        self._cells, self._parts, self._in_cell = [], [], False

    def begin_cell(self, columns: str | None, rows: str | None) -> None:
        """Begin a cell with these values of ``colspan`` and ``rowspan``."""
        self._size = span_size(columns, rows)
        self._in_cell = True

    def add(self, text: str, *, is_preformatted: bool = False) -> None:
        """Append a part of the current cell; only preformatted text keeps its lines."""
        part = text if is_preformatted else " ".join(text.split())
        if part.strip():
            self._parts.append(part)

    def end_cell(self) -> None:
        """End the current cell."""
        if self._in_cell or self._parts:
            separator = "\n" if any("\n" in part for part in self._parts) else " "
            self._cells.append(Cell(separator.join(self._parts), *self._size))
        self._parts, self._in_cell, self._size = [], False, (1, 1)

    def end_row(self) -> str:
        """End the row, and return its line."""
        self.end_cell()
        self.in_row = False
        return row_line(self._spans.row(self._cells))

    def end_group(self) -> None:
        """End what spans rows, at the end of a table, or of its head or body."""
        self._spans.end_group()
