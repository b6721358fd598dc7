"""Split a text into paragraphs and sentences, as spans.

Sentences come from nupunkt (the Punkt algorithm, Kiss & Strunk 2006), those of other scripts than
the Latin one from their own full stops. In languages that write ordinal numbers with a full stop
("am 16. April"), told by their frequent words, such a number ends no sentence. The end of a list
item, of a turn of a conversation, and of a line too long to be hand-wrapped also ends a sentence,
whatever the punctuation. Reference marks directly after a sentence, such as [3], belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

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
# Full stops and the like of other scripts. Those of Chinese and Japanese end a sentence wherever
# they stand, but inside 「…。」 only if a blank follows; those of Arabic, Urdu, Hindi, Armenian,
# Ethiopic, Khmer and Tibetan before a blank.
_OTHER_ENDS = re.compile(
    r"[。！？｡．]+[”’）》】\"')\]]*(?=[^\s」』。！？｡．”’）》】\"')\]])"
    r"|(?:[。！？｡．]+|[؟۔।॥։።፧፨។៕༎]+)[”’」』）》】»\"')\]]*(?=\s)"
)
# Where a full stop also marks an ordinal number ("am 16. April"), which English does not do.
_ORDINALS = re.compile(
    r"\b(?:der|die|das|und|ist|nicht|wurde|von|dem|den|ein|eine|og|det|af|på|til|ikke|je|na|se|byl|"
    r"jest|w|nie|ja|on|oli|ei|az|egy|és|nem|i|ve|ili|ir|un)\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(r"\b(?:the|of|and|to|was|is|a|with|for|it|by|that)\b", re.IGNORECASE)
# What nupunkt, which is trained on English, takes for the end of a sentence.
_ABBREVIATION = re.compile(
    r"(?<!\w)(?:Sra?|Srta|Mme|Mlle|MM|Hr|Frl|Dott|Sig|Nr|Tab|Abb|bzw|ca|ул|им|пр|стр|ср)\.\s*\Z"
)
_ORDINAL = re.compile(r"(?<![\w.,])\d{1,3}\.\s*\Z")

_PUNKT_WINDOW = 5000
"""Characters per call of nupunkt, whose time is quadratic for "!?!?!?…": 9 s for 100,000."""


def paragraphs(text: str, span: Span) -> Iterator[Span]:
    """Yield the paragraphs in ``span``, trimmed: they end at a blank line or after a long line."""
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
        if content.end - content.start > LONG_LINE:
            yield Span(start, end)
            start = None
    if start is not None:
        yield Span(start, end)


def split_sentences(text: str, span: Span) -> tuple[Span, ...]:
    """Split ``span`` into trimmed sentences that together hold all its visible characters."""
    sentences: list[Span] = []
    for block in _blocks(text, span):
        # Only the ends that nupunkt reports are used: text that its spans omit is not lost.
        for start, end in pairwise([block.start, *_ends(text, block), block.end]):
            sentence = trim(text, Span(start, end))
            if sentence:
                sentences.append(sentence)
    return tuple(sentences)


def _ends(text: str, block: Span) -> list[int]:
    """Where sentences end inside a block, whatever the script."""
    no_ends = [_ABBREVIATION, *([_ORDINAL] if _has_ordinals(text, block) else [])]
    ends = {
        end
        for end in _sentence_ends(text, block)
        if not any(no_end.search(text, max(block.start, end - 8), end) for no_end in no_ends)
    }
    return sorted(ends | {match.end() for match in _OTHER_ENDS.finditer(text, *block)})


def _has_ordinals(text: str, block: Span) -> bool:
    """Whether the words are of a language that writes ordinal numbers with a full stop."""
    ordinals = len(_ORDINALS.findall(text, *block))
    return ordinals > len(_ENGLISH.findall(text, *block))


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
