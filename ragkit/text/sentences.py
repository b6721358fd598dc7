"""Text → sentence spans, by nupunkt (Punkt: Kiss & Strunk 2006), which keeps offsets.

Where a line is a list item, or so long that it must be a paragraph of its own, its end is a
sentence end too, whatever the punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ragkit.text.lines import lines
from ragkit.text.spans import Span, trim

__all__ = ["LONG_LINE", "paragraphs", "split_sentences"]

# No hand-wrapped text has lines this long, so one that does is a paragraph by itself.
LONG_LINE = 200
_LIST_ITEM = re.compile(r"\s*(?:[-*#•–]|\(?\d{1,3}[.)])\s")
_READ_AT_ONCE = 5000


def paragraphs(text: str, span: Span) -> Iterator[Span]:
    """Trimmed paragraphs inside ``span``: parted by blank lines, or ended by a long line."""
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
    """Trimmed sentences that together hold every visible character of ``span``, in order."""
    found: list[Span] = []
    for block in _blocks(text, span):
        # The segmenter's spans are taken as cuts only: what it leaves out stays in a sentence.
        for start, end in pairwise([block.start, *_ends(text, block), block.end]):
            sentence = trim(text, Span(start, end))
            if sentence:
                found.append(sentence)
    return tuple(found)


def _ends(text: str, block: Span) -> Iterator[int]:
    """Where sentences end inside a block, read some thousand code points at a time.

    The segmenter takes quadratic time for "!?!?!?…": 9 s for 100,000 of them.
    """
    from nupunkt import sent_spans

    start, last = block
    before = start
    while start < last:
        stop = min(start + _READ_AT_ONCE, last)
        # The last one ends because the piece does.
        for _, end in sent_spans(text[start:stop])[:-1]:
            if before < start + end < stop:
                before = start + end
                yield before
        # A sentence that may go on is read again from its beginning, unless it is endless.
        start = stop if stop == last else max(before, start + _READ_AT_ONCE // 2)


def _blocks(text: str, span: Span) -> Iterator[Span]:
    """Runs of lines that one sentence may cross: a list item begins one, a long line ends one."""
    start = span.start
    for line in lines(text, *span):
        if line.start > start and _LIST_ITEM.match(text, line.start, line.end):
            yield Span(start, line.start)
            start = line.start
        if line.end - line.start > LONG_LINE:
            yield Span(start, line.end)
            start = line.end
    if start < span.end:
        yield Span(start, span.end)
