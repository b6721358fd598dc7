"""Find the place in the documents that is most similar to an altered quotation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from heapq import nlargest
from math import log
from typing import NamedTuple

from ragkit.quotes.corpus import TokenIndex, TokenRange
from ragkit.quotes.diff import TokenPair, adjacent, word_diff
from ragkit.quotes.tokens import QuoteTokens, Token, word_count

__all__ = ["NearestPlace", "find_nearest"]

_MIN_SIMILARITY = 0.6
_MAX_PIECES = 32  # a quotation with more pieces between ellipses is not compared
_MAX_VOTES = 2_000  # in one quotation; rare words vote first
_MAX_VOTES_PER_TOKEN = 100
_CANDIDATES = 3  # neighbourhoods compared word by word
_BLOCK = 100  # tokens aligned at a time, which keeps the time linear


class NearestPlace(NamedTuple):
    """The most similar place in the documents.

    Attributes:
        ranges: one place for each piece of the quotation.
        diff: the document's words and the quotation's, as ``word_diff`` shows them.
        similarity: 0–1; of several pieces, the mean weighted by their words.
        changed: whether the quotation differs from the place.

    """

    ranges: list[TokenRange]
    diff: str
    similarity: float
    changed: bool


def find_nearest(index: TokenIndex, content: str, quote: QuoteTokens) -> NearestPlace | None:
    """Find the place most similar to a quotation, or to each of its pieces between ellipses.

    Args:
        index: the tokens of the documents.
        content: the text that contains the quotation's tokens.
        quote: the quotation's tokens.

    Returns:
        The place, or None if a piece has no place of similarity 0.6 or more, or if no piece is
        changed: then each is somewhere, but they do not belong together.

    """
    pieces = quote.pieces
    if len(pieces) > _MAX_PIECES:
        return None
    places: list[NearestPlace] = []
    for piece in pieces:
        place = _nearest_to_piece(index, content, piece.core)
        if place is None:
            return None
        places.append(place)
    if not any(place.changed for place in places):
        return None
    weights = [word_count(piece.core) for piece in pieces]
    weighted = (p.similarity * w for p, w in zip(places, weights, strict=True))
    return NearestPlace(
        [each for place in places for each in place.ranges],
        " … ".join(place.diff for place in places),
        sum(weighted) / sum(weights),
        changed=True,
    )


def _nearest_to_piece(
    index: TokenIndex, content: str, core: Sequence[Token]
) -> NearestPlace | None:
    best = max(_alignments(index, core), key=lambda each: each.similarity, default=None)
    if best is None or best.similarity < _MIN_SIMILARITY:
        return None
    equal = _equal_in_case(index, core, best)
    changed = not len(equal) == len(core) == best.matched.end - best.matched.start
    diff = word_diff(index, content, core, equal, best.matched)
    return NearestPlace([best.matched], diff, best.similarity, changed)


class _Alignment(NamedTuple):
    """``pairs``: tokens that are equal but for case, ascending; ``matched``: their place."""

    pairs: list[TokenPair]
    matched: TokenRange
    similarity: float


def _alignments(index: TokenIndex, core: Sequence[Token]) -> Iterator[_Alignment]:
    lower = index.encode_lower(core)
    slack = 8 + min(len(core), _BLOCK) // 2
    for start, document in _neighbourhoods(index, core, lower, slack):
        pairs = _without_strays(index, core, _align(index, lower, start, slack, document))
        if pairs:
            matched = _replaced_range(index, core, pairs, document)
            paired = sum(core[quoted].kind == "word" for quoted, _ in pairs)
            similarity = 2 * paired / (word_count(core) + index.word_count(matched))
            yield _Alignment(pairs, matched, similarity)


class _Neighbourhood(NamedTuple):
    """Where the quotation may begin, and the tokens of that document."""

    start: int
    document: TokenRange


def _neighbourhoods(
    index: TokenIndex, core: Sequence[Token], lower: str, slack: int
) -> list[_Neighbourhood]:
    """Let each occurrence of each word vote for where the quotation would begin.

    A vote weighs the word's inverse document frequency. Positions are counted in buckets of
    ``slack`` tokens; since words put in or left out move later votes into the next bucket, a
    bucket's score includes the next one's votes.
    """
    votes: dict[int, float] = {}
    voters: dict[int, int] = {}
    left = min(_MAX_VOTES, _MAX_VOTES_PER_TOKEN * len(core))
    for code, offsets in _words_by_idf(index, core, lower):
        positions = index.postings(code)
        weight = log(1 + len(index.exact) / len(positions))
        for offset in offsets:
            for position in positions[: max(0, left)]:
                bucket = (position - offset) // slack
                votes[bucket] = votes.get(bucket, 0.0) + weight
                voters.setdefault(bucket, position)
            left -= len(positions)
    scores = {bucket: vote + votes.get(bucket + 1, 0) for bucket, vote in votes.items()}
    best = nlargest(_CANDIDATES, scores, key=scores.__getitem__)
    return [
        _Neighbourhood(bucket * slack, index.document_around(voters[bucket])) for bucket in best
    ]


def _words_by_idf(
    index: TokenIndex, core: Sequence[Token], lower: str
) -> list[tuple[str, list[int]]]:
    """Return the code of each word and its offsets in the quotation, rarest word first."""
    offsets: dict[str, list[int]] = {}
    for offset, token in enumerate(core):
        if token.kind == "word" and index.postings(lower[offset]):
            offsets.setdefault(lower[offset], []).append(offset)
    return sorted(offsets.items(), key=lambda item: len(index.postings(item[0])))


def _align(
    index: TokenIndex, lower: str, start: int, slack: int, document: TokenRange
) -> list[TokenPair]:
    """Pair equal tokens, one block at a time, each near the end of the block before it."""
    pairs: list[TokenPair] = []
    floor, expected, reach = document.start, start, 2 * slack
    for at in range(0, len(lower), _BLOCK):
        block = lower[at : at + _BLOCK]
        low = max(floor, expected - slack)
        high = min(document.end, expected + len(block) + slack + reach)
        matcher = SequenceMatcher(None, block, index.lower[low:high], autojunk=False)
        matches = matcher.get_matching_blocks()[:-1]
        pairs += [(at + a + k, low + b + k) for a, b, size in matches for k in range(size)]
        expected += len(block)
        if matches:
            a, b, size = matches[-1]
            floor = low + b + size
            expected = floor + len(block) - a - size
        reach = 0
    return pairs


def _without_strays(
    index: TokenIndex, core: Sequence[Token], pairs: list[TokenPair]
) -> list[TokenPair]:
    """Return the run of pairs with the greatest similarity: choose its end, then its start."""
    words = [pair for pair in pairs if core[pair[0]].kind == "word"]
    if not words:
        return []
    total = word_count(core)

    def similarity(first: int, last: int) -> float:
        matched = index.words_before[words[last][1] + 1] - index.words_before[words[first][1]]
        return 2 * (last - first + 1) / (total + matched)

    last = max(range(len(words)), key=lambda number: similarity(0, number))
    first = max(range(last + 1), key=lambda number: similarity(number, last))
    start, end = bisect_left(pairs, words[first]), bisect_right(pairs, words[last])
    # Include equal punctuation around the words.
    while start > 0 and adjacent(pairs[start - 1], pairs[start]):
        start -= 1
    while end < len(pairs) and adjacent(pairs[end - 1], pairs[end]):
        end += 1
    return pairs[start:end]


def _replaced_range(
    index: TokenIndex, core: Sequence[Token], pairs: Sequence[TokenPair], document: TokenRange
) -> TokenRange:
    """Return the range of the pairs, and the words that unpaired words at both ends replace.

    It is widened within the sentence, and ends inside no hyphenated word.
    """
    (first, start), (last, end) = pairs[0], pairs[-1]
    missing = word_count(core[:first])
    while start > document.start and (
        _touches_hyphen(index, start)
        or (missing > 0 and index.exact[start - 1] not in index.sentence_ends)
    ):
        start -= 1
        missing -= index.word_count(TokenRange(start, start + 1))
    end, missing = end + 1, word_count(core[last + 1 :])
    while end < document.end and (
        _touches_hyphen(index, end) or (missing > 0 and index.exact[end] not in index.sentence_ends)
    ):
        missing -= index.word_count(TokenRange(end, end + 1))
        end += 1
    return TokenRange(start, end)


def _touches_hyphen(index: TokenIndex, bound: int) -> bool:
    return bound - 1 in index.hyphens or bound in index.hyphens


def _equal_in_case(
    index: TokenIndex, core: Sequence[Token], alignment: _Alignment
) -> list[TokenPair]:
    """Return the pairs that are equal in case too; the quotation's first letter may differ."""
    exact = index.encode(core)
    first_codes = {pattern[0] for pattern in index.encode_both_cases(core)}
    return [
        (quoted, position)
        for quoted, position in alignment.pairs
        if index.exact[position] == exact[quoted]
        or (quoted == 0 and index.exact[position] in first_codes)
    ]
