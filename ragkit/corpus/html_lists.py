"""The marks of list items: ``-``, or the number that a page shows, such as ``4.`` or ``iv.``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ListMarks"]

_INTEGER = re.compile(r"\s*([+-]?\d{1,9})(?!\d)")
_STYLE = re.compile(r"list-style(?:-type)?\s*:[^;]*?\b(lower|upper)-(alpha|latin|roman)\b", re.I)
_CLASS = re.compile(r"(?:^|\s)(lower|upper)-?(alpha|latin|roman)(?:\s|$)", re.I)
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
          (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_INDENT = "  "
_MAX_INDENTED_DEPTH = 8
"""Deeper lists are not indented further, since nested lists would grow as the square."""


@dataclass(slots=True)
class _OpenList:
    """A list; ``style``: ``-``, ``1``, ``a``, ``A``, ``i`` or ``I``; ``number``: the next one."""

    style: str
    number: int = 1
    step: int = 1


class ListMarks:
    """The open lists of a page, and the number of the next item of each."""

    def __init__(self) -> None:
        self._lists: list[_OpenList] = []

    def open(self, name: str, attributes: Mapping[str, str | None], items: int) -> None:
        """Begin a list, whose element has so many items."""
        if name != "ol":
            self._lists.append(_OpenList("-"))
            return
        is_reversed = "reversed" in attributes
        start = _integer(attributes.get("start"))
        if start is None:
            start = items if is_reversed else 1
        self._lists.append(_OpenList(_style(attributes), start, -1 if is_reversed else 1))

    def close(self) -> None:
        """End the innermost list."""
        self._lists.pop()

    def item(self, attributes: Mapping[str, str | None]) -> str:
        """Return what stands in front of the next item's text."""
        if not self._lists:
            return "- "
        innermost = self._lists[-1]
        value = _integer(attributes.get("value"))
        number = innermost.number if value is None else value
        innermost.number = number + innermost.step
        mark = "-" if innermost.style == "-" else _numeral(number, innermost.style) + "."
        return _INDENT * min(len(self._lists) - 1, _MAX_INDENTED_DEPTH) + mark + " "


def _style(attributes: Mapping[str, str | None]) -> str:
    """Return the kind of number of an ``<ol>``: by its type, its style, or Docutils' class."""
    kind = attributes.get("type") or ""
    if kind in {"1", "a", "A", "i", "I"}:
        return kind
    match = _STYLE.search(attributes.get("style") or "")
    match = match or _CLASS.search(attributes.get("class") or "")
    if match is None:
        return "1"
    letter = "i" if match[2].lower() == "roman" else "a"
    return letter.upper() if match[1].lower() == "upper" else letter


def _integer(value: str | None) -> int | None:
    match = _INTEGER.match(value or "")
    return int(match[1]) if match else None


def _numeral(number: int, style: str) -> str:
    """Write a number; letters and Roman numerals have no zero, and these no 4000."""
    letters = ""
    if style in "aA" and number > 0:
        rest = number
        while rest:
            rest, letter = divmod(rest - 1, 26)
            letters = chr(ord("a") + letter) + letters
    elif style in "iI" and 0 < number < 4000:
        rest = number
        for value, roman in _ROMAN:
            count, rest = divmod(rest, value)
            letters += roman * count
    if not letters:
        return str(number)
    return letters.upper() if style.isupper() else letters
