"""Spans: the one way to say where something is in a text."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Span", "trim"]

_LAYOUT = "\ufeff\u200b"
"""Invisible characters that count as white space here: byte order mark, zero width space."""


class Span(NamedTuple):
    """A half-open range ``[start, end)`` of Unicode code points in a document's text.

    >>> Span(0, 4).overlap(Span(2, 9))
    2
    """

    start: int
    end: int

    def overlap(self, other: Span) -> int:
        """Number of code points that both spans contain."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


def trim(text: str, span: Span) -> Span | None:
    """``span`` without leading and trailing white space; None if nothing is left.

    >>> trim("  a b ", Span(0, 6))
    Span(start=2, end=5)
    """
    start, end = span
    while start < end and (text[start].isspace() or text[start] in _LAYOUT):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in _LAYOUT):
        end -= 1
    return Span(start, end) if start < end else None
