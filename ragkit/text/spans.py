"""Spans of a text, and the two operations that everything else shares: trim one, cut it into lines.

All offsets are Unicode code points.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Span", "filled_lines", "lines", "split_at", "trim"]

_ZERO_WIDTH = "\ufeff\u200b"
"""Characters that count as white space here: byte order mark, zero width space."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Span(NamedTuple):
    """A half-open range ``[start, end)`` of Unicode code points in a document's text.

    >>> Span(0, 4).overlap(Span(2, 9))
    2
    """

    start: int
    end: int

    def overlap(self, other: Span) -> int:
        """Return the number of code points that both spans contain."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


def lines(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    r"""Split ``text[start:end]`` into lines, each with its line end (LF, CR LF or CR).

    Unlike ``str.splitlines``, form feeds and U+2028 do not end a line: articles contain them.

    Args:
        text: the whole text.
        start: first code point to split.
        end: one past the last code point to split; None means the end of the text.

    Returns:
        Spans in order, which together cover ``text[start:end]``.

    Example:
        >>> lines("one\ntwo")
        [Span(start=0, end=4), Span(start=4, end=7)]

    """
    stop = len(text) if end is None else end
    return [Span(*match.span()) for match in _LINE.finditer(text, start, stop)]


def trim(text: str, span: Span) -> Span | None:
    """Return ``span`` without the white space at both ends, or None if nothing else is in it.

    Example:
        >>> trim("  a b ", Span(0, 6))
        Span(start=2, end=5)

    """
    start, end = span
    while start < end and (text[start].isspace() or text[start] in _ZERO_WIDTH):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in _ZERO_WIDTH):
        end -= 1
    return Span(start, end) if start < end else None


def filled_lines(text: str, span: Span) -> list[Span]:
    r"""Return the lines of a span that hold letters or digits, trimmed; a table has rules as well.

    Example:
        >>> filled_lines("a | b\n--|--\n1 | 2", Span(0, 17))
        [Span(start=0, end=5), Span(start=12, end=17)]

    """
    trimmed = (trim(text, line) for line in lines(text, *span))
    return [line for line in trimmed if line and any(map(str.isalnum, text[slice(*line)]))]


def split_at(text: str, span: Span, mark: re.Pattern[str]) -> list[Span]:
    """Split ``span`` at each match of a pattern; the parts are trimmed, and some may be empty.

    Example:
        >>> split_at("a | b|", Span(0, 6), re.compile("[|]"))
        [Span(start=0, end=1), Span(start=4, end=5), Span(start=6, end=6)]

    """
    marks = [match.span() for match in mark.finditer(text, *span)]
    starts, ends = [span.start, *[end for _, end in marks]], [*[a for a, _ in marks], span.end]
    return [
        trim(text, Span(start, end)) or Span(start, start)
        for start, end in zip(starts, ends, strict=True)
    ]
