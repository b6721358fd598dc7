"""Text → lines, as spans."""

from __future__ import annotations

import re

from ragkit.text.spans import Span

__all__ = ["lines"]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def lines(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    r"""The lines of ``text[start:end]`` in order, each with its line end (LF, CR LF or CR).

    Together they cover the range. ``str.splitlines`` would also break at form feeds and U+2028,
    which are ordinary characters of an article.

    >>> lines("one\\ntwo")
    [Span(start=0, end=4), Span(start=4, end=7)]
    """
    stop = len(text) if end is None else end
    return [Span(*match.span()) for match in _LINE.finditer(text, start, stop)]
