"""How a row of a table is read: each cell after the name of its column, and where each came from.

A reader learned from prose: of ``Radiology | Dr. Novak | A 012`` it cannot tell what is what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ragkit.text.blocks import cells
from ragkit.text.spans import Span, filled_lines

__all__ = ["NamedRow", "column_names"]


class NamedRow(NamedTuple):
    """A row with the names of its columns, as it is read.

    Attributes:
        text: ``Department: Radiology; Room: A 012``.
        places: of each cell with text, where it is in ``text`` and where in the document.

    """

    text: str
    places: tuple[tuple[Span, Span], ...]

    @classmethod
    def of(cls, document: str, names: Sequence[str], row: Span) -> NamedRow:
        """Name the cells of a row of a document that has one for each name."""
        text, places = "", []
        for name, cell in zip(names, cells(document, row), strict=True):
            content = document[cell.start : cell.end]
            if content:
                text += ("; " if text else "") + (f"{name}: " if name else "")
                places.append((Span(len(text), len(text) + len(content)), cell))
                text += content
        return cls(text, tuple(places))

    def in_document(self, words: Span) -> Span:
        """Return where words of ``text`` are in the document; of a name, where its cell is."""
        touched = [pair for pair in self.places if pair[0].end > words.start]
        touched = [pair for pair in touched if pair[0].start < words.end] or touched[:1]
        (first, first_cell), (last, last_cell) = touched[0], touched[-1]
        start = first_cell.start + max(0, words.start - first.start)
        end = last_cell.end - max(0, last.end - words.end)
        return Span(start, end) if start < end else first_cell


def column_names(text: str, lead: Span, rows: Sequence[Span]) -> tuple[str, ...]:
    r"""Return the names of columns that a lead ends with; none if the sentences are no such rows.

    >>> table = "City | Opened\nBari | 2006"
    >>> column_names(table, Span(0, 13), [Span(14, 25)])
    ('City', 'Opened')
    """
    # Below the names there may be a rule.
    names = cells(text, next(reversed(filled_lines(text, lead)), lead))
    if len(names) < 2 or any(len(cells(text, row)) != len(names) for row in rows):
        return ()
    return tuple(text[start:end] for start, end in names)
