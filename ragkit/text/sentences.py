"""Split a text into paragraphs and sentences, as spans.

Sentences come from nupunkt (the Punkt algorithm, Kiss & Strunk 2006). The end of a list item, of a
turn of a conversation, and of a line too long to be hand-wrapped also ends a sentence, whatever the
punctuation. Languages other than English have abbreviations and ordinals of their own, other
scripts their own ends of sentences, and Thai and Lao end them with a blank.
Reference marks directly after a sentence, such as [3], belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ragkit.text.languages import DEFAULT, language_of, languages_that_go_on
from ragkit.text.line_units import unit_starts
from ragkit.text.spans import Span, lines, trim

__all__ = ["LONG_LINE", "paragraphs", "split_sentences"]

LONG_LINE = 200
"""Characters. Hand-wrapped lines are shorter, so a longer line is a paragraph of its own."""

# [3], [4][5], [note 1], [3]:45 and ³ directly after the end of a sentence refer to its sources.
_REFERENCE_MARKS = re.compile(
    r"(?<!\s)(?:"
    r"\[(?:\d{1,3}(?: ?[,–-] ?\d{1,3}){0,9}|[a-z]{1,2}|[a-z]{1,5} ?\d{1,3}|[a-z]{1,12} needed)\]"
    r"(?:: ?\d{1,4}(?:[–-]\d{1,4})?)?"
    r"|[⁰¹²³⁴-⁹]{1,3}(?!\w))+",
    re.IGNORECASE,
)
_CLOSING = r"[」』】》〉”’»\"')\]]"
_ENDS_OF_SCRIPTS = re.compile(
    # Full stops and the like with what closes after them; not 「だ。」と, which goes on.
    rf"(?:[。！？｡।॥؟۔։።፧။᙮]|．(?!\d))++(?:{_CLOSING}++(?!と|って)|(?!{_CLOSING}))"
)
_THAI_LAO_BLANK = re.compile("(?<=[\u0e01-\u0eff]) +(?=[\u0e01-\u0eff])")
_THAI_LAO_LEAST = 220
"""Characters. A blank that comes sooner may separate names or clauses. In Thai articles, pieces of
this length hold an answer twice as often as clauses do, and are found better."""

_BEFORE_END = 16
"""Characters before an end that are looked at for an abbreviation."""

_LANGUAGE_SAMPLE = 2000
"""Characters that the language is detected from."""

_PUNKT_WINDOW = 5000
"""Characters per call of nupunkt, whose time is quadratic for "!?!?!?…": 9 s for 100,000."""


def paragraphs(text: str, span: Span, *, long_line: float = LONG_LINE) -> Iterator[Span]:
    """Yield the paragraphs in ``span``, trimmed.

    They end at a blank line, and after a line of more than ``long_line`` characters.
    """
    start: int | None = None
    end = span.start
    for line in lines(text, *span):
        content = trim(text, line)
        if content is None:
            if start is not None:
                yield Span(start, end)
            start = None
            continue
        if start is None:
            start = content.start
        end = content.end
        if content.end - content.start > long_line:
            yield Span(start, end)
            start = None
    if start is not None:
        yield Span(start, end)


def split_sentences(text: str, span: Span) -> tuple[Span, ...]:
    """Split ``span`` into trimmed sentences that together hold all its visible characters."""
    sentences: list[Span] = []
    for block in _blocks(text, span):
        # Only the ends that nupunkt reports are used: text that its spans omit is not lost.
        ends = _ends(text, block, span)
        for start, end in pairwise([block.start, *ends, block.end]):
            sentence = trim(text, Span(start, end))
            if sentence:
                sentences.append(sentence)
    return tuple(sentences)


def _language_at(text: str, span: Span) -> str:
    """The language of a part of a text: by its own words, else by the text's first ones."""
    own = language_of(text[span.start : min(span.end, span.start + _LANGUAGE_SAMPLE)])
    return own or language_of(text[:_LANGUAGE_SAMPLE]) or DEFAULT


def _ends(text: str, block: Span, paragraph: Span) -> list[int]:
    """Where sentences end inside a block of a paragraph, in any script."""
    ends = set(_sentence_ends(text, block))
    doubtful = {
        (end, language)
        for end in ends
        for language in languages_that_go_on(text[max(block.start, end - _BEFORE_END) : end])
    }
    if doubtful:
        own = _language_at(text, paragraph)
        ends -= {end for end, language in doubtful if language == own}
    if text.isascii():
        return sorted(ends)
    for match in _ENDS_OF_SCRIPTS.finditer(text, *block):
        marks = _REFERENCE_MARKS.match(text, match.end(), block.end)
        ends.add(marks.end() if marks else match.end())
    ends |= set(_thai_lao_ends(text, block, ends))
    return sorted(end for end in ends if block.start < end < block.end)


def _thai_lao_ends(text: str, block: Span, ends: set[int]) -> Iterator[int]:
    """Blanks between Thai or Lao letters, each far enough from the end before."""
    others = iter(sorted(ends))
    following = next(others, block.end)
    last = block.start
    for match in _THAI_LAO_BLANK.finditer(text, *block):
        while following <= match.start():
            last = following
            following = next(others, block.end + 1)
        if match.start() - last >= _THAI_LAO_LEAST:
            last = match.start()
            yield last


def _sentence_ends(text: str, block: Span) -> Iterator[int]:
    """Yield where sentences end inside a block, from overlapping windows of bounded length."""
    from nupunkt import sent_spans

    start, last = block
    previous_end = start
    while start < last:
        stop = min(start + _PUNKT_WINDOW, last)
        # The last sentence of a window may end only because the window does.
        for _, end in sent_spans(text[start:stop])[:-1]:
            if previous_end < start + end < stop:
                marks = _REFERENCE_MARKS.match(text, start + end, last)
                previous_end = marks.end() if marks else start + end
                yield previous_end
        # The next window begins with the unfinished sentence, or halfway if that fills this one.
        start = stop if stop == last else max(previous_end, start + _PUNKT_WINDOW // 2)


def _blocks(text: str, span: Span) -> Iterator[Span]:
    """Yield runs of lines that a sentence may cross: an item, a turn, or to the next long line."""
    start = span.start
    spans = lines(text, *span)
    for line, is_unit in zip(spans, unit_starts(text, spans), strict=True):
        if line.start > start and is_unit:
            yield Span(start, line.start)
            start = line.start
        if line.end - line.start > LONG_LINE:
            yield Span(start, line.end)
            start = line.end
    if start < span.end:
        yield Span(start, span.end)
