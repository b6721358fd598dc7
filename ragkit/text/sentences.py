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

from ragkit.text.full_stops import LOOK_BACK, goes_on, is_doubtful, sure_ends
from ragkit.text.languages import DEFAULT, language_of, language_of_text
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
    rf"(?:[。！？｡।॥؟۔։።፧။᙮។៕]|．(?!\d))++(?:{_CLOSING}++(?!と|って)|(?!{_CLOSING}))"
    # A superscript mark after the full stop.
    r"|(?<=[^\W\d_][.!?])[⁰¹²³⁴-⁹]{1,3}(?=\s+[^\W\d_])"
)
_ENDS_OF_LANGUAGES = {
    "de": re.compile(r"(?<=[.!?…])[“«](?=\s+[A-ZÄÖÜ„»\d])"),  # which open elsewhere
    "el": re.compile(r"[;\u037e](?=\s)"),
}
_THAI_LAO_BLANK = re.compile("(?<=[\u0e01-\u0eff]) +(?=[\u0e01-\u0eff])")
_THAI_LAO_LEAST = 220
"""Characters. A blank that comes sooner may separate names or clauses. In Thai articles, pieces of
this length hold an answer twice as often as clauses do, and are found better."""

_AFTER_END = 24
"""Characters after an end that are looked at for how the text goes on."""

_LANGUAGE_SAMPLE = 2000
"""Characters of a paragraph that its language is told from."""

_LEAST_WORDS = 2
"""Frequent words of a language that a paragraph in another than its text's must have."""

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


def split_sentences(text: str, span: Span, *, language: str | None = None) -> tuple[Span, ...]:
    """Split ``span`` into trimmed sentences that together hold all its visible characters.

    Args:
        text: the whole text.
        span: the part to split.
        language: of the text, as a code of ISO 639-1; None if its words are to tell. Those of a
            paragraph come first.

    Example:
        >>> text = "Er kam am 16. März. Sie blieb."
        >>> [text[start:end] for start, end in split_sentences(text, Span(0, len(text)))]
        ['Er kam am 16. März.', 'Sie blieb.']

    """
    sentences: list[Span] = []
    for block in _blocks(text, span):
        # Only the ends that nupunkt reports are used: text that its spans omit is not lost.
        ends = _ends(text, block, span, language)
        for start, end in pairwise([block.start, *ends, block.end]):
            sentence = trim(text, Span(start, end))
            if sentence:
                sentences.append(sentence)
    return tuple(sentences)


def _language_at(text: str, span: Span, language: str | None) -> str:
    """The language of a part of a text: by its own words, else that of the text."""
    of_text = language or language_of_text(text)
    part = text[span.start : min(span.end, span.start + _LANGUAGE_SAMPLE)]
    own = language_of(part, least=_LEAST_WORDS, expected=of_text)
    return own or of_text or DEFAULT


def _ends(text: str, block: Span, paragraph: Span, language: str | None) -> list[int]:
    """Where sentences end inside a block of a paragraph, in any script."""
    around = {
        end: (text[max(block.start, end - LOOK_BACK) : end], text[end : end + _AFTER_END])
        for end in _sentence_ends(text, block)
    }
    ends = set(around)
    doubtful = {end for end in ends if is_doubtful(*around[end])}
    if not text.isascii() or doubtful or language not in {None, DEFAULT}:
        own = _language_at(text, paragraph, language)
        ends -= {end for end in doubtful if goes_on(*around[end], own)}
        ends |= set(sure_ends(text, block, own))
    if text.isascii():
        return sorted(ends)
    patterns = [_ENDS_OF_SCRIPTS, *([_ENDS_OF_LANGUAGES[own]] if own in _ENDS_OF_LANGUAGES else ())]
    for match in (match for pattern in patterns for match in pattern.finditer(text, *block)):
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
