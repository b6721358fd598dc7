"""Parse a text into its quotations and its citation markers ``[1]``, ``[2, 3]``.

Every character is visited a bounded number of times, so that no text takes quadratic time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ragkit.quotes.report import Marker
from ragkit.text.spans import Span

__all__ = ["Quotation", "parse_quotations", "unattached_markers"]


class Quotation(NamedTuple):
    """A quotation in a text.

    Attributes:
        text: the quotation without its quotation marks.
        content: ``text`` with spaces in place of markers and ``>``, so that offsets stay the same.
        start: first code point in the parsed text.
        end: one past the last code point.
        markers_end: end of the markers after the quotation; the quotation's end if it has none.
        markers: the numbers in its markers.

    """

    text: str
    content: str
    start: int
    end: int
    markers_end: int
    markers: tuple[int, ...]


_MARKER = r"\[[0-9]{1,6}(?:[,;]\s?[0-9]{1,6})*\]"
_MARKERS = re.compile(_MARKER)
_NUMBER = re.compile(r"[0-9]+")
_MARKERS_AFTER = re.compile(
    rf"[^\S\r\n]{{0,3}}[.,;:!?)*_]{{0,4}}[^\S\r\n]{{0,3}}((?:{_MARKER}[^\S\r\n]?)+)"
)
_MARKERS_AT_LINE_END = re.compile(
    rf"(?:{_MARKER}[^\S\r\n]?)+(?=[.,;:]?[^\S\r\n]{{0,4}}(?:[\r\n]|\Z))"
)
_BLOCK_LINE = r"(?<![^\r\n])[ ]{0,3}>[^\r\n]*(?:\r\n?|\n|\Z)"
_BLOCK_PREFIX = re.compile(r"(?<![^\r\n])[ ]{0,3}>[> ]*")
_ATTRIBUTION = re.compile(r"[\r\n][ ]{0,3}>[> ]*(?:—|–|--)[^\r\n]*\Z")  # > — Author, Title [1]
_DELIMITER = re.compile(
    rf"(?P<block>(?:{_BLOCK_LINE})+)"
    r"|(?P<paragraph_end>(?:\r\n?|\n)[^\S\r\n]*(?:\r\n?|\n))"
    r"|(?P<mark>[\"“”„«»‘’‚])"
)


def parse_quotations(text: str) -> Iterator[Quotation]:
    """Yield the outermost quotations of a text, in order.

    A quotation lies inside one paragraph. A quotation mark without its counterpart is ignored.
    """
    marks = _QuotationMarks(text)
    for match in _DELIMITER.finditer(text):
        if match.lastgroup == "mark":
            marks.add(match.start())
            continue
        yield from (_inline_quotation(text, span) for span in marks.closed)
        marks = _QuotationMarks(text)
        if match.lastgroup == "block":
            yield _block_quotation(text, Span(*match.span()))
    yield from (_inline_quotation(text, span) for span in marks.closed)


_OPENERS_OF = {'"': '"“„', "“": "„", "”": "“„”", "«": "»", "»": "«", "‘": "‚", "’": "‘‚"}
_OPENS_ANYWHERE = "“„«‘‚"  # other marks open a quotation only where a word begins
_BEFORE_WORD = '([{/*_>—–-"“„«‘‚'
_AFTER_WORD = ".,;:!?)]}"


class _QuotationMarks:
    """The quotation marks of one paragraph, paired as they are added from left to right.

    ``closed``: the spans between the outermost pairs. ``_open``: for each kind of mark, the
    positions where it opened a quotation that is not closed yet, in order.
    """

    def __init__(self, text: str) -> None:
        self.closed: list[Span] = []
        self._open: dict[str, list[int]] = {}
        self._text = text

    def add(self, position: int) -> None:
        mark = self._text[position]
        before = self._text[position - 1 : position] or " "
        after = self._text[position + 1 : position + 2] or " "
        if mark == "’" and before.isalnum() and after.isalnum():
            return  # an apostrophe
        at_word_start = _at_word_start(before, after)
        can_open = mark != "’" and (at_word_start or mark in _OPENS_ANYWHERE)
        opener = self._last_opener(mark)
        if opener is not None and not (can_open and at_word_start):
            self._close(opener, position)
        elif can_open:
            self._open.setdefault(mark, []).append(position)

    def _last_opener(self, mark: str) -> int | None:
        openers = (self._open.get(kind) for kind in _OPENERS_OF.get(mark, ""))
        return max((positions[-1] for positions in openers if positions), default=None)

    def _close(self, opener: int, closer: int) -> None:
        for positions in self._open.values():
            while positions and positions[-1] >= opener:
                positions.pop()
        while self.closed and self.closed[-1].start > opener:
            self.closed.pop()
        if self._text[opener + 1 : closer].strip():
            self.closed.append(Span(opener + 1, closer))


def _at_word_start(before: str, after: str) -> bool:
    if before.isspace():
        return not after.isspace() and after not in _AFTER_WORD
    return before in _BEFORE_WORD and (after.isalnum() or after in "([…")


def _inline_quotation(text: str, span: Span) -> Quotation:
    return _quotation(text, span, text[span.start : span.end], span.end + 1)


def _block_quotation(text: str, span: Span) -> Quotation:
    """Parse a Markdown block quote; its last line may name the source, ``> — Author [1]``."""
    prefix = _BLOCK_PREFIX.match(text, span.start, span.end)
    start = prefix.end() if prefix else span.start
    end = start + len(text[start : span.end].rstrip())
    attribution = _ATTRIBUTION.search(text, start, end)
    source_markers = _MARKERS_AT_LINE_END.search(attribution[0]) if attribution else None
    end = attribution.start() if attribution else end
    content = _BLOCK_PREFIX.sub(_blank, text[start:end])
    quotation = _quotation(text, Span(start, end), content, span.end)
    numbers = _numbers(source_markers[0]) if source_markers else ()
    return quotation._replace(markers=quotation.markers + numbers)


def _quotation(text: str, span: Span, content: str, after: int) -> Quotation:
    """Collect the markers at line ends inside a quotation and directly after it."""
    inside = [n for group in _MARKERS_AT_LINE_END.findall(content) for n in _numbers(group)]
    outside = _MARKERS_AFTER.match(text, after)
    return Quotation(
        text[span.start : span.end],
        _MARKERS_AT_LINE_END.sub(_blank, content),
        span.start,
        span.end,
        outside.end() if outside else after,
        (*inside, *(_numbers(outside[1]) if outside else ())),
    )


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _numbers(group: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.findall(group)))


def unattached_markers(
    text: str, quotations: Sequence[Quotation], passage_count: int
) -> Iterator[Marker]:
    """Yield the markers that are neither inside a quotation nor directly after one."""
    starts = [quotation.start for quotation in quotations]
    for match in _MARKERS.finditer(text):
        previous = bisect_right(starts, match.start()) - 1
        if previous >= 0 and match.start() < quotations[previous].markers_end:
            continue
        for number in _numbers(match[0]):
            beyond = passage_count > 0 and not 1 <= number <= passage_count
            yield Marker(number, *match.span(), beyond)
