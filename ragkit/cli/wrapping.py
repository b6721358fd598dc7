"""Words in lines: no line wider than the terminal, in the cells that characters take there."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator

from ragkit.text.blocks import is_code

__all__ = [
    "Paragraph",
    "printable",
    "printable_lines",
    "text_width",
    "wrap",
    "wrap_lines",
    "wrap_quote",
]

_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})\S*\s*\Z")

MAX_WIDTH = 100
"""Longer lines are hard to read."""
_WITHOUT_TERMINAL = (88, 24)
_DIRECTIONS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_CLOSING = ("Pe", "Pf", "Po")
_OPENING = ("Ps", "Pi")


def text_width() -> int:
    """Return the width of text: the terminal's, but at most ``MAX_WIDTH``."""
    return min(MAX_WIDTH, shutil.get_terminal_size(_WITHOUT_TERMINAL).columns)


class Paragraph:
    """A paragraph whose text arrives in parts.

    Lines break at white space, and beside characters that are two cells wide, such as Chinese ones,
    which are written without blanks. What is wider than a line is cut. Control characters are left
    out.
    """

    def __init__(self, width: int, *, indent: str = "") -> None:
        self._indent = indent
        self._room = max(2, width - _cells(indent))
        self._used = 0

    @property
    def is_empty(self) -> bool:
        """Whether no text was added yet."""
        return self._used == 0

    def add(self, text: str) -> str:
        """Return what to print for the next part of the text, which begins with a new word."""
        return "".join(map(self._placed, _pieces(text, self._room)))

    def _placed(self, piece: str) -> str:
        is_word, piece = piece.startswith(" "), piece.lstrip(" ")
        size = _cells(piece)
        if not self._used:
            self._used = size
            return self._indent + piece
        blank = " " * is_word
        if self._used + len(blank) + size > self._room:
            self._used = size
            return f"\n{self._indent}{piece}"
        self._used += len(blank) + size
        return blank + piece


def wrap(text: str, width: int, *, indent: str = "", first: str | None = None) -> str:
    """Return a text in lines that are at most ``width`` cells wide.

    Args:
        text: the text; its own line breaks count as blanks.
        width: the width, in cells.
        indent: what stands in front of each line.
        first: what stands in front of the first line instead, of the same width.

    """
    wrapped = Paragraph(width, indent=indent).add(text)
    return wrapped if first is None else first + wrapped.removeprefix(indent)


def wrap_lines(text: str, width: int) -> str:
    """Return a text of several lines: those that fit as they are, such as code, others wrapped."""
    lines = printable_lines(text).split("\n")
    return "\n".join([line if _cells(line) <= width else wrap(line, width) for line in lines])


def wrap_quote(text: str, width: int, *, indent: str = "") -> str:
    """Return a quotation, wrapped; code in its own lines, without its fences."""
    lines = [line for line in text.splitlines() if not _FENCE.match(line)]
    kept = [line for line in lines if line.strip()]
    if len(lines) == text.count("\n") + 1 and not is_code(kept):
        return wrap("\n".join(lines), width, indent=indent)
    room = width - len(indent)
    return "\n".join(indent + line for line in wrap_lines("\n".join(lines), room).split("\n"))


def printable_lines(text: str) -> str:
    """Return a text of several lines, each ``printable``."""
    return "\n".join([printable(line.expandtabs()) for line in text.splitlines()])


def printable(text: str) -> str:
    """Return a text without control characters, with which it could command the terminal.

    Nor has it those that set the direction of text, with which it could show other words than its
    own.
    """
    return "".join([c for c in text if unicodedata.category(c) != "Cc" and c not in _DIRECTIONS])


def _pieces(text: str, room: int) -> Iterator[str]:
    """Yield what no line break may divide; the first piece of a word begins with a blank."""
    for word in text.split():
        blank = " "
        for piece in _breakable(printable(word)):
            for part in _cut(piece, room):
                yield blank + part
                blank = ""


def _breakable(word: str) -> Iterator[str]:
    """Divide a word between wide characters: not after an opening, nor before a closing mark."""
    if word.isascii():
        yield word
        return
    piece = ""
    for character in word:
        if piece and _may_break(piece[-1], character):
            yield piece
            piece = ""
        piece += character
    yield piece


def _may_break(before: str, after: str) -> bool:
    sizes = _cells(before), _cells(after)
    return (
        0 not in sizes
        and 2 in sizes
        and unicodedata.category(before) not in _OPENING
        and unicodedata.category(after) not in _CLOSING
    )


def _cut(piece: str, room: int) -> list[str]:
    if _cells(piece) <= room:
        return [piece] if piece else []
    from rich.cells import chop_cells

    return chop_cells(piece, room)


def _cells(text: str) -> int:
    """Return the number of cells that a text takes: two for each East Asian wide character."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
