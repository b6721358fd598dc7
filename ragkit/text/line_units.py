"""Which lines begin a sentence of their own: items of lists, and turns of conversations.

A hand-wrapped line of prose may begin as an item does, with a dash or with ``16.``. It counts as
one only where its neighbours or the punctuation say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ragkit.text.spans import Span

__all__ = ["is_conversation", "is_item", "unit_starts"]

# Bullets that no prose has at the beginning of a line; U+E000–U+F8FF are those of symbol fonts.
_BULLET = re.compile(r"\s*(?:[*#•]\s|[●○▪▫■□◦‣⁃∙⦁◆◇❖►▶➢➤➔✓✔✗☐☑☒★☆⚫⚪①-⓿❶-➓\ue000-\uf8ff]\s*\S)")
_DASH = re.compile(r"\s*([-+–—→⇒·−])\s")
_NUMBER = re.compile(r"\s*([(\[]?)(\d{1,3}|[a-zA-Z]|[ivxIVX]{2,5})([.)\]])\s|\s*(§+) ?(\d+)")
_TURNS = {
    "time": re.compile(
        r"\s*[\[(]?(?:(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4}),?[ T])?"
        r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?Z?(?: ?[AaPp]\.?[Mm]\.?)?[\])]?[\s,-]"
    ),
    "nickname": re.compile(r"\s*<[@+]?[\w.-][\w .-]{0,30}>\s"),
    "name": re.compile(
        r"\s*(?:\*\*)?[^\W\da-z_][\w.'’-]{0,20}(?: [\w.'’()-]{1,20}){0,3}(?::\s|：)"
    ),
}
_ENDS = re.compile(r"[.:;!?…。：；！？][\"'”’»)\]]*\s*\Z")
_MAX_LABEL_WORDS = 4
_LINES_AHEAD = 4
"""An item that wraps has fewer lines, most of the time."""


class _Mark(NamedTuple):
    """How an item begins. ``number``: None for a bullet and a Roman numeral of several letters."""

    kind: str
    number: int | None = None
    is_certain: bool = False

    def precedes(self, other: _Mark | None) -> bool:
        """Return whether the next item of a list may begin so."""
        if other is None or self.kind != other.kind:
            return False
        return self.number is None or other.number is None or other.number == self.number + 1


def unit_starts(text: str, lines: Sequence[Span]) -> list[bool]:
    """Return for each line whether it begins an item of a list, or a turn of a conversation."""
    starts = [False] * len(lines)
    marks = [_mark(text, line) for line in lines]
    last: _Mark | None = None
    first = 0
    for number, line in enumerate(lines):
        if not text[line.start : line.end].strip():
            _find_turns(text, lines, first, number, starts)
            first, last = number + 1, None
            continue
        mark = marks[number]
        if mark and (number == first or _continues_list(text, lines, marks, number, last)):
            starts[number], last = True, mark
        else:  # whatever it begins with, the line below it is no item for that
            marks[number] = None
    _find_turns(text, lines, first, len(lines), starts)
    return starts


def is_item(text: str, line: Span) -> bool:
    """Return whether a line begins with the mark of a list's item."""
    return _mark(text, line) is not None


def is_conversation(text: str, lines: Sequence[Span]) -> bool:
    """Return whether the first line of a paragraph and another one begin as turns do."""
    return any(
        turn.match(text, *lines[0]) and any(turn.match(text, *line) for line in lines[1:])
        for turn in _TURNS.values()
    )


def _continues_list(
    text: str,
    lines: Sequence[Span],
    marks: Sequence[_Mark | None],
    number: int,
    last: _Mark | None,
) -> bool:
    """Decide whether a line after another one is an item; ``last``: the last item before it."""
    mark = marks[number]
    if mark is None or mark.is_certain or (last and last.precedes(mark)):
        return mark is not None
    previous = text[lines[number - 1].start : lines[number - 1].end]
    if _ENDS.search(previous[-20:]):
        return True
    is_after_label = len(previous.split()) <= _MAX_LABEL_WORDS
    if mark.number in (None, 1) and (marks[number - 1] or is_after_label):
        return True
    return any(mark.precedes(other) for other in marks[number + 1 : number + 1 + _LINES_AHEAD])


def _mark(text: str, line: Span) -> _Mark | None:
    if _BULLET.match(text, *line):
        return _Mark("bullet", is_certain=True)
    dash = _DASH.match(text, *line)
    if dash:
        return _Mark(dash[1])
    number = _NUMBER.match(text, *line)
    return _numbered(number) if number else None


def _numbered(match: re.Match[str]) -> _Mark | None:
    if match[4]:
        return _Mark("§", int(match[5]))
    value, around = match[2], match[1] + "{}" + match[3]
    if value.isdecimal():
        return _Mark(around.format("1"), int(value))
    if around == "{}." and value.isupper() and len(value) == 1:
        return None  # the initial of a name
    return _Mark(around.format("a"), 1 if value in "aA" else None)


def _find_turns(
    text: str, lines: Sequence[Span], first: int, last: int, starts: list[bool]
) -> None:
    """Mark the lines of a paragraph that begin as its first one does, if it is a conversation."""
    for turn in _TURNS.values():
        if first < last and turn.match(text, *lines[first]):
            turns = [number for number in range(first, last) if turn.match(text, *lines[number])]
            for number in turns if len(turns) > 1 else ():
                starts[number] = True
            return
