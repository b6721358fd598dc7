"""Where a quote stands after its document was edited: unchanged, moved, changed or gone."""

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

_SIMILAR = 0.6  # below it, a passage is another one
_RARE_WORDS = 16
_WINDOWS = 5
# From here on difflib leaves out frequent words, or it would take quadratic time.
_LONG_QUOTE = 1000
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
_SENTENCE_END = r"[.!?…。！？][\"'”’»)\]]*"
_BORDER = re.compile(rf"{_SENTENCE_END}(?=\s)|[。！？]|[\r\n]+")
_ENDS_SENTENCE = re.compile(rf"{_SENTENCE_END}\s*\Z")


class AnchorStatus(StrEnum):
    """What became of a quote."""

    UNCHANGED = "unchanged"
    MOVED = "moved"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Anchoring:
    """What became of a quote: its new span and heading path, and 0–1 how similar the words are."""

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

    unchanged: the quote stands where it stood. moved: the exact quote stands elsewhere; of several
    copies the one under the same heading, then the nearest. changed: a passage of similarity 0.6 or
    more stands there, the most similar of the whole text; new line breaks alone are a change of
    similarity 1. The new section is the one that ``document.sections`` gives, or the old one if the
    document has none. Takes time linear in the text.

    Raises:
        InputError: the document has another id than the cited document.

    """
    if citation.document_id != document.id:
        raise InputError(
            f"the document is {document.id!r}; expected {citation.document_id!r}, edited or not."
        )
    if verify(citation, document).ok:
        return _at(AnchorStatus.UNCHANGED, citation, document, citation.span, 1.0)
    exact = _nearest_copy(citation, document)
    if exact:
        return _at(AnchorStatus.MOVED, citation, document, exact, 1.0)
    similar, similarity = _most_similar(citation, document)
    if similar is None or similarity < _SIMILAR:
        return Anchoring(AnchorStatus.GONE, None, citation.section, similarity)
    return _at(AnchorStatus.CHANGED, citation, document, similar, similarity)


def _at(
    status: AnchorStatus,
    citation: Quotation,
    document: SourceDocument,
    span: Span,
    similarity: float,
) -> Anchoring:
    section = _section_path(document, span.start) if document.sections else citation.section
    return Anchoring(status, span, section, similarity)


def _section_number(document: SourceDocument, position: int) -> int:
    """Which section's body has ``position``; -1 for a heading's line, or without sections."""
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
    """The run of sentences, in one section, most similar to the quote."""
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
        found = _best_run(document, citation.quote, tokens, window, matched)
        best = max(best, found, key=lambda each: each[1])
    return best


def _tokens(text: str) -> list[_Token]:
    return [_Token(m[0].casefold(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def _windows(words: Sequence[str], tokens: Sequence[_Token], *, near: int) -> list[Span]:
    """Spans of ``tokens`` that share the most of the quote's rarest words, padded by its length.

    ``near`` decides between equals: the one nearest to that code point.
    """
    wanted = set(words)
    places: dict[str, list[int]] = defaultdict(list)
    for number, token in enumerate(tokens):
        if token.word in wanted:
            places[token.word].append(number)
    step = max(1, len(words) // 2)
    scores: dict[int, float] = defaultdict(float)
    for numbers in sorted(places.values(), key=len)[:_RARE_WORDS]:
        rarity = math.log(1 + len(tokens) / len(numbers))
        # A window is two steps wide, so each word lies in two.
        for window in {number // step - back for number in numbers for back in (0, 1)}:
            scores[window] += rarity

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
    """The run of sentences in a window, in one section, that is most similar to the quote.

    A quote that ends inside a sentence is followed word by word instead. ``matched`` says which
    of the window's tokens are the quote's.
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
    behind = not (fragment and quoted[-1].isalnum())
    return _with_punctuation(document.text, span, before=before, behind=behind), ratio


def _highest_ratio(
    pieces: Sequence[Span], common: Sequence[int], sections: Sequence[int], *, words: int
) -> tuple[Span | None, float]:
    """The neighbouring pieces with the highest ``2 · common / (their length + words)``.

    By Dinkelbach's method (1967), linear a round, few rounds: the run that most exceeds the last
    ratio has a higher one.
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
    """First and last of the neighbours, in one section, whose gains add up to the most."""
    best = (-math.inf, 0, 0)
    total, first = 0.0, 0
    for number, gain in enumerate(gains):
        if total <= 0 or sections[number] != sections[first]:
            total, first = 0.0, number
        total += gain
        best = max(best, (total, first, number), key=lambda each: each[0])
    return best[1], best[2]


def _sentence_starts(text: str, tokens: Sequence[_Token], window: Span) -> list[int]:
    """Numbers of the tokens in a window that begin a sentence or a line, and of the end."""
    return [
        number
        for number in range(window.start, window.end + 1)
        if number in {0, len(tokens)}
        or _BORDER.search(text, tokens[number - 1].end, tokens[number].start)
    ]


def _with_punctuation(text: str, span: Span, *, before: bool, behind: bool) -> Span:
    """The span with the marks that adjoin it: an opening quote before, the full stop behind."""
    start, end = span
    while before and start > 0 and text[start - 1] in "\"'“‘«([¿¡":
        start -= 1
    while behind and end < len(text) and not (text[end].isalnum() or text[end].isspace()):
        end += 1
    return Span(start, end)
