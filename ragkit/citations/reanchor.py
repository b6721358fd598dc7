"""Find a quote again after its document was edited: unchanged, moved, changed or gone."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import NamedTuple

from ragkit.citations.links import UNSPACED
from ragkit.citations.source import Quotation, SourceDocument
from ragkit.citations.verification import verify
from ragkit.errors import InputError
from ragkit.text.spans import Span

__all__ = ["AnchorStatus", "Anchoring", "find_again"]

_MIN_SIMILARITY = 0.6
_RARE_WORDS = 16
_WINDOWS = 5
# From this number of words on, difflib ignores frequent words, to avoid quadratic time.
_LONG_QUOTE = 1000
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
_SENTENCE_END = r"[.!?…。！？][\"'”’»)\]]*"
_SENTENCE_BOUNDARY = re.compile(rf"{_SENTENCE_END}(?=\s)|[。！？]|[\r\n]+")
_ENDS_SENTENCE = re.compile(rf"{_SENTENCE_END}\s*\Z")


class AnchorStatus(StrEnum):
    """What became of a quote.

    Attributes:
        UNCHANGED: it is where it was.
        MOVED: the exact quote is elsewhere.
        CHANGED: a passage of similarity 0.6 or more is in the document.
        GONE: no such passage is.

    """

    UNCHANGED = "unchanged"
    MOVED = "moved"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Anchoring:
    """Where a quote is in the edited document.

    Attributes:
        status: what became of the quote.
        span: its new place in code points; None if it is gone.
        section: its new heading path.
        similarity: 0–1, difflib's ratio over words.

    """

    status: AnchorStatus
    span: Span | None
    section: tuple[str, ...]
    similarity: float


class _Token(NamedTuple):
    word: str
    start: int
    end: int


def find_again(citation: Quotation, document: SourceDocument) -> Anchoring:
    """Find a citation's quote again after its document was edited.

    Of several exact copies, one under the same heading comes first, then the nearest. Of several
    similar passages the most similar is taken; new line breaks alone are a change of similarity 1.
    The new section comes from ``document.sections`` or, if there are none, is the old one. The time
    is linear in the text.

    Args:
        citation: the citation of the document before the edit.
        document: the edited document.

    Returns:
        Status, new span and heading path, and similarity.

    Raises:
        InputError: the document has another id than the cited document.

    """
    if citation.document_id != document.id:
        raise InputError(
            f"the document is {document.id!r}; expected {citation.document_id!r}, edited or not."
        )
    if verify(citation, document).ok:
        return _anchoring(AnchorStatus.UNCHANGED, citation, document, citation.span, 1.0)
    exact = _nearest_copy(citation, document)
    if exact:
        return _anchoring(AnchorStatus.MOVED, citation, document, exact, 1.0)
    similar, similarity = _most_similar(citation, document)
    if similar is None or similarity < _MIN_SIMILARITY:
        return Anchoring(AnchorStatus.GONE, None, citation.section, similarity)
    return _anchoring(AnchorStatus.CHANGED, citation, document, similar, similarity)


def _anchoring(
    status: AnchorStatus,
    citation: Quotation,
    document: SourceDocument,
    span: Span,
    similarity: float,
) -> Anchoring:
    section = _section_path(document, span.start) if document.sections else citation.section
    return Anchoring(status, span, section, similarity)


def _section_number(document: SourceDocument, position: int) -> int:
    """Return the number of the section whose body has ``position``; -1 for a heading's line."""
    number = bisect_right(document.sections, position, key=lambda section: section.start) - 1
    return number if number >= 0 and position < document.sections[number].end else -1


def _section_path(document: SourceDocument, position: int) -> tuple[str, ...]:
    number = _section_number(document, position)
    return document.sections[number].path if number >= 0 else ()


def _nearest_copy(citation: Quotation, document: SourceDocument) -> Span | None:
    text, quoted = document.text, citation.quote

    def preference(start: int) -> tuple[bool, bool, int]:
        end = start + len(quoted)
        inside_word = (text[max(0, start - 1) : start].isalnum() and quoted[0].isalnum()) or (
            text[end : end + 1].isalnum() and quoted[-1].isalnum()
        )
        elsewhere = _section_path(document, start) != citation.section
        return inside_word, elsewhere, abs(start - citation.span.start)

    start = min(_copies(text, quoted), key=preference, default=None)
    return None if start is None else Span(start, start + len(quoted))


def _copies(text: str, part: str) -> Iterator[int]:
    start = text.find(part)
    while start >= 0:
        yield start
        start = text.find(part, start + 1)


def _most_similar(citation: Quotation, document: SourceDocument) -> tuple[Span | None, float]:
    """Find the run of sentences, in one section, that is most similar to the quote."""
    words = [token.word for token in _tokens(citation.quote)]
    tokens = _tokens(document.text)
    matcher: SequenceMatcher[str] = SequenceMatcher(autojunk=len(words) >= _LONG_QUOTE)
    matcher.set_seq2(words)
    best: tuple[Span | None, float] = (None, 0.0)
    for window in _windows(words, tokens, near=citation.span.start):
        matcher.set_seq1([token.word for token in tokens[window.start : window.end]])
        matched = [False] * (window.end - window.start)
        for start, _, size in matcher.get_matching_blocks():
            matched[start : start + size] = [True] * size
        run = _best_run(document, citation.quote, tokens, window, matched)
        best = max(best, run, key=lambda each: each[1])
    return best


def _tokens(text: str) -> list[_Token]:
    return [_Token(m[0].casefold(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def _windows(words: Sequence[str], tokens: Sequence[_Token], *, near: int) -> list[Span]:
    """Return the spans of ``tokens`` with the most of the quote's rarest words, and some padding.

    Of equal ones, the nearest to the code point ``near`` comes first.
    """
    quote_words = set(words)
    positions: dict[str, list[int]] = defaultdict(list)
    for number, token in enumerate(tokens):
        if token.word in quote_words:
            positions[token.word].append(number)
    step = max(1, len(words) // 2)
    scores: dict[int, float] = defaultdict(float)
    for numbers in sorted(positions.values(), key=len)[:_RARE_WORDS]:
        idf = math.log(1 + len(tokens) / len(numbers))
        # A window is two steps wide, so each word lies in two.
        for window in {number // step - back for number in numbers for back in (0, 1)}:
            scores[window] += idf

    def rank(window: int) -> tuple[float, int]:
        first = tokens[max(0, window) * step]
        return -scores[window], abs(first.start - near)

    chosen = sorted(scores, key=rank)[:_WINDOWS]
    pad = 2 * step + 2
    return [Span(max(0, w * step - pad), min(len(tokens), (w + 2) * step + pad)) for w in chosen]


def _best_run(
    document: SourceDocument,
    quoted: str,
    tokens: Sequence[_Token],
    window: Span,
    matched: Sequence[bool],
) -> tuple[Span | None, float]:
    """Find the run of sentences in a window, in one section, that is most similar to the quote.

    For a quote that ends inside a sentence, find a run of words instead. ``matched`` says for each
    token of the window whether the quote has it too.
    """
    cuts: Sequence[int] = _sentence_starts(document.text, tokens, window)
    fragment = not _ENDS_SENTENCE.search(quoted)
    if fragment or len(cuts) < 2:
        cuts = range(window.start, window.end + 1)
    pieces = [Span(*pair) for pair in pairwise(cuts)]
    sections = [_section_number(document, tokens[piece.start].start) for piece in pieces]
    total = [0, *accumulate(matched)]
    common = [total[end - window.start] - total[start - window.start] for start, end in pieces]
    run, ratio = _highest_ratio(pieces, common, sections, words=len(_tokens(quoted)))
    if run is None:
        return None, 0.0
    span = Span(tokens[run.start].start, tokens[run.end - 1].end)
    before = not (fragment and quoted[0].isalnum())
    after = not (fragment and quoted[-1].isalnum())
    return _with_punctuation(document.text, span, before=before, after=after), ratio


def _highest_ratio(
    pieces: Sequence[Span], common: Sequence[int], sections: Sequence[int], *, words: int
) -> tuple[Span | None, float]:
    """Find the run of adjacent pieces with the highest ``2 · common / (length + words)``.

    Dinkelbach's method (1967): the run with the greatest gain over the last ratio has a higher
    ratio. Takes a few rounds of linear time.
    """
    best, ratio = None, 0.0
    while True:
        gains = [
            2 * shared - ratio * (end - start)
            for shared, (start, end) in zip(common, pieces, strict=True)
        ]
        first, last = _heaviest_run(gains, sections)
        run = Span(pieces[first].start, pieces[last].end)
        higher = 2 * sum(common[first : last + 1]) / (run.end - run.start + words)
        if higher <= ratio:
            return best, ratio
        best, ratio = run, higher


def _heaviest_run(gains: Sequence[float], sections: Sequence[int]) -> tuple[int, int]:
    """Return first and last number of the run, in one section, with the greatest sum of gains."""
    best = (-math.inf, 0, 0)
    total, first = 0.0, 0
    for number, gain in enumerate(gains):
        if total <= 0 or sections[number] != sections[first]:
            total, first = 0.0, number
        total += gain
        best = max(best, (total, first, number), key=lambda each: each[0])
    return best[1], best[2]


def _sentence_starts(text: str, tokens: Sequence[_Token], window: Span) -> list[int]:
    """Return the numbers of a window's tokens that begin a sentence or line, and of the end."""
    return [
        number
        for number in range(window.start, window.end + 1)
        if number in {0, len(tokens)}
        or _SENTENCE_BOUNDARY.search(text, tokens[number - 1].end, tokens[number].start)
    ]


def _with_punctuation(text: str, span: Span, *, before: bool, after: bool) -> Span:
    """Extend the span by adjoining marks: an opening quotation mark, the full stop at the end."""
    start, end = span
    while before and start > 0 and text[start - 1] in "\"'“‘«([¿¡":
        start -= 1
    while after and end < len(text) and not (text[end].isalnum() or text[end].isspace()):
        end += 1
    return Span(start, end)
