"""A line of a page of a PDF, with its place and font."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Box", "Line"]

Box = tuple[float, float, float, float]
"""Left, bottom, right and top in points, on the page as it is before it is turned."""


class Line(NamedTuple):
    """A line, or a part of one, of a page.

    Attributes:
        text: never blank; a soft hyphen at its end is a hyphen that breaks a word.
        left, baseline, right: its place in points, upwards and to the right.
        size: size of its font in points.
        is_bold: whether all its words are bold.
        parts: the fragments with wide gaps between them that it consists of, if several.
        boxes: of each word, if they were asked for.
        table: number of the table that it is a row of, from 1; 0 for none.

    """

    text: str
    left: float
    baseline: float
    right: float
    size: float
    is_bold: bool
    parts: tuple[Line, ...] = ()
    boxes: tuple[Box, ...] = ()
    table: int = 0
