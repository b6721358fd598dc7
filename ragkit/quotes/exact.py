"""Find a quotation word for word: as one run of text (verbatim), or in parts (stitched)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

from ragkit.quotes.corpus import TokenIndex, TokenRange
from ragkit.quotes.report import QuoteStatus
from ragkit.quotes.tokens import QuoteTokens, Token, sentence_bounds, word_bounds, word_count

__all__ = ["MAX_PLACES", "ExactMatch", "find_exact"]

MAX_PLACES = 100
"""Maximum number of places listed for one quotation."""

_MIN_RUN_WORDS = 4  # shorter runs of words occur everywhere and show no origin
_MAX_RUNS = 4


class ExactMatch(NamedTuple):
    """Where the documents have a quotation.

    Attributes:
        status: verbatim or stitched.
        ranges: every place if verbatim, one for each part if stitched.

    """

    status: QuoteStatus
    ranges: list[TokenRange]


def find_exact(
    index: TokenIndex, quote: QuoteTokens, scope: Sequence[TokenRange], *, whole_sentences: bool
) -> ExactMatch | None:
    """Find a quotation word for word.

    Args:
        index: the tokens of the documents.
        quote: the quotation's tokens.
        scope: the ranges to search.
        whole_sentences: join parts only where one sentence ends and another begins; if False, at
            any word. A quotation with ellipses is joined only there, in either case.

    Returns:
        The match, or None if the scope does not contain the quotation.

    """
    matches = index.find_all(index.encode_both_cases(quote.core), scope)
    verbatim = [_extend(index, match, quote) for match in islice(matches, MAX_PLACES)]
    if verbatim:
        return ExactMatch(QuoteStatus.VERBATIM, verbatim)
    if quote.has_ellipsis:
        parts = _find_pieces(index, quote.pieces, scope)
    else:
        parts = _RunSearch(index, quote.core, scope, whole_sentences).find()
    return ExactMatch(QuoteStatus.STITCHED, parts) if parts else None


def _extend(index: TokenIndex, match: TokenRange, quote: QuoteTokens) -> TokenRange:
    """Extend a match of the core by as much of head and tail as the document has too."""
    start, end = match
    for code in reversed(index.encode(quote.head)):
        if start == 0 or index.exact[start - 1] != code:
            break
        start -= 1
    for code in index.encode(quote.tail):
        if index.exact[end] != code:
            break
        end += 1
    return TokenRange(start, end)


def _find_pieces(
    index: TokenIndex, pieces: Sequence[QuoteTokens], scope: Sequence[TokenRange]
) -> list[TokenRange]:
    """Find the pieces between ellipses in order in one section; if all are long, anywhere."""
    patterns = [index.encode_both_cases(piece.core) for piece in pieces]
    for area in _sections_with(index, max(patterns, key=lambda p: len(p[0])), scope):
        ranges = _find_in_order(index, patterns, area)
        if ranges:
            return ranges
    if min(word_count(piece.core) for piece in pieces) < _MIN_RUN_WORDS:
        return []
    return _all_or_none([next(index.find_all(each, scope), None) for each in patterns])


def _sections_with(
    index: TokenIndex, patterns: Sequence[str], scope: Sequence[TokenRange]
) -> list[TokenRange]:
    """Return the sections that contain a match, cut to the scope."""
    areas: dict[TokenRange, None] = {}
    for bounds in scope:
        for match in islice(index.find_all(patterns, [bounds]), MAX_PLACES):
            start, end = index.section_around(match.start)
            areas[TokenRange(max(start, bounds.start), min(end, bounds.end))] = None
    return list(areas)


def _find_in_order(
    index: TokenIndex, patterns: Sequence[Sequence[str]], area: TokenRange
) -> list[TokenRange]:
    ranges: list[TokenRange] = []
    end = area.start
    for each in patterns:
        start = index.find(each, end, area.end)
        if start < 0:
            return []
        end = start + len(each[0])
        ranges.append(TokenRange(start, end))
    return ranges


def _all_or_none(ranges: Sequence[TokenRange | None]) -> list[TokenRange]:
    return [] if None in ranges else [each for each in ranges if each]


@dataclass(frozen=True, slots=True)
class _RunSearch:
    """Search for up to four runs of text that together are the quotation, each as long as possible.

    ``whole_sentences``: a run begins and ends where a sentence does, in the quotation and in the
    document, except at the quotation's own start and end.
    """

    index: TokenIndex
    core: Sequence[Token]
    scope: Sequence[TokenRange]
    whole_sentences: bool

    def find(self) -> list[TokenRange]:
        runs = list(pairwise(self._run_bounds()))
        if any(word_count(self.core[start:end]) < _MIN_RUN_WORDS for start, end in runs):
            return []
        return _all_or_none([self._first_match(start, end) for start, end in runs])

    def _run_bounds(self) -> list[int]:
        """Return where runs begin in the quotation, and its end; empty if runs do not cover it."""
        bounds = sentence_bounds(self.core) if self.whole_sentences else word_bounds(self.core)
        cuts = [0]
        while cuts[-1] < len(self.core) and len(cuts) <= _MAX_RUNS:
            end = self._longest_run_end(cuts[-1], bounds)
            if end is None:
                return []
            cuts.append(end)
        if cuts[-1] < len(self.core):
            return []
        cuts[-2] = self._lengthen_last(cuts[-2], bounds)
        return cuts

    def _longest_run_end(self, start: int, bounds: Sequence[int]) -> int | None:
        """Bisect, because every prefix of a run that matches does match too."""
        first = bisect_right(bounds, start)
        failing = bisect_left(
            bounds, True, first, key=lambda end: self._first_match(start, end) is None
        )
        return None if failing == first else bounds[failing - 1]

    def _first_match(self, start: int, end: int) -> TokenRange | None:
        part = self.core[start:end]
        if start == 0:
            return next(self.index.find_all(self.index.encode_both_cases(part), self.scope), None)
        matches = self.index.find_all((self.index.encode(part),), self.scope)
        if self.whole_sentences:
            candidates = islice(matches, MAX_PLACES)
            matches = (m for m in candidates if self.index.begins_sentence(m.start))
        return next(matches, None)

    def _lengthen_last(self, start: int, bounds: Sequence[int]) -> int:
        """Move the last run's start back until the run has enough words."""
        at = bisect_left(bounds, start)
        words = word_count(self.core[bounds[at] :])
        while at > 0 and words < _MIN_RUN_WORDS:
            at -= 1
            words += word_count(self.core[bounds[at] : bounds[at + 1]])
        return bounds[at]
