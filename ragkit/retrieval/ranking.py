"""A query → ranked chunks: candidates, approximate scores, exact scores, duplicates, reranking.

Candidates are the chunks nearest by their one vector, and those with the question's rarest words.
Approximate scores choose the ``EXACT`` best of them: both sums of ``scoring`` over the centroids of
their tokens, plus half their cosine by one vector, plus a fifth of the weights of the words that
they contain. Measured on the seed's ``dev`` questions and on XQuAD, the chunk that exact late
interaction puts first is then always among the first 24.

Passages that say the same in the same words are returned once: most of their word triples are the
same (w-shingling: Broder 1997), and all of their numbers, names and negations are. Two reports
that differ in a year or an amount are two. Only the retrieved chunks are compared, so a corpus of
any size costs the same; where many are duplicates, more are retrieved, until there are ``depth``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import punctuation
from typing import Any

import numpy as np

from ragkit.encoding import Reranker, Vectors
from ragkit.index import AllowedChunks, IndexData
from ragkit.retrieval.query import Query
from ragkit.retrieval.rerank import RERANKED, rerank
from ragkit.retrieval.scoring import ScoredChunk, approximate_scores, exact_scores
from ragkit.storage.arrays import Integers
from ragkit.timing import LAP, Part

__all__ = ["CANDIDATES", "EXACT", "LIKENESS", "Retrieved", "distinct", "retrieve", "score_chunks"]

CANDIDATES = 512
"""Number of chunks nearest by one vector that get approximate scores; half as many more are added
that have the question's rarest words."""

EXACT = 24
"""Number of chunks that are scored exactly, if no more are asked for."""

_MOST_EXACT = 2048
"""Number of chunks scored exactly at most, where nearly all are duplicates of each other."""

_DENSE, _LEXICAL = 0.5, 0.2
_BLOCK = 512

LIKENESS = 0.8
"""From this similarity on, two passages are duplicates."""

_SAME_WORDS = 0.6
"""Jaccard index of their words below which two passages cannot be that similar; a far cheaper test
that decides nearly all pairs."""

_TRIPLE = 3

_DENIALS = frozenset("no not never none nothing nobody nor neither without cannot".split())


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Ranked chunks, best first.

    Attributes:
        scored: chunks by late interaction, at least as many as were asked for.
        ranking: the chunks to return; the same, or the reranker's order of them.

    """

    scored: Sequence[ScoredChunk]
    ranking: Sequence[ScoredChunk]


def retrieve(
    data: IndexData,
    query: Query,
    depth: int,
    reranker: Reranker | None = None,
    allowed: AllowedChunks | None = None,
) -> Retrieved:
    """Return the ``depth`` best chunks, none a duplicate of another.

    Args:
        reranker: reorders the best ``RERANKED`` chunks, if given.
        allowed: chunks that may be found; None for all.

    """
    number = depth if reranker is None else max(depth, RERANKED)
    # The chunks that are scored exactly anyway replace duplicates.
    exact = max(number, EXACT)
    scored = score_chunks(data, query, exact, allowed)
    unique = distinct(data, scored, number)
    while len(unique) < number and len(scored) == exact < _MOST_EXACT:
        exact *= 2
        scored = score_chunks(data, query, exact, allowed)
        unique = distinct(data, scored, number)
    if reranker is None:
        return Retrieved(unique, unique)
    reranked = rerank(data, query, unique, reranker)
    LAP.get()(Part.RERANK)
    return Retrieved(unique, reranked)


def score_chunks(
    data: IndexData, query: Query, k: int, allowed: AllowedChunks | None = None
) -> list[ScoredChunk]:
    """Return the ``min(k, n)`` best of the n allowed chunks by late interaction, best first."""
    lap = LAP.get()
    weights = query.stem_weights()
    candidates = _candidates(data, query, weights, max(k, CANDIDATES), allowed)
    lap(Part.CANDIDATES)
    if not len(candidates[0]):
        return []
    chunks = _most_promising(data, query, weights, candidates, max(k, EXACT))
    lap(Part.APPROXIMATE)
    blocks = np.split(chunks, range(_BLOCK, len(chunks), _BLOCK))
    scored = [one for b in blocks for one in exact_scores(query, b, data.token_vectors(b))]
    lap(Part.EXACT)
    return sorted(scored, key=lambda one: (-one.score, one.chunk))[:k]


def _candidates(
    data: IndexData,
    query: Query,
    weights: dict[str, float],
    depth: int,
    allowed: AllowedChunks | None,
) -> tuple[Integers, Vectors]:
    """The candidates in the order of the corpus, and the cosine of each."""
    near, cosines = data.nearest(query.vector, depth, allowed)
    if len(near) == depth:  # else these are all that may be found
        lexical = np.setdiff1d(data.with_stems(weights, depth // 2, allowed), near)
        near = np.concatenate([near, lexical])
        cosines = np.concatenate([cosines, data.cosines(query.vector, lexical)])
    order = np.argsort(near)
    return near[order], cosines[order]


def _most_promising(
    data: IndexData,
    query: Query,
    weights: dict[str, float],
    candidates: tuple[Integers, Vectors],
    number: int,
) -> Integers:
    """The ``number`` candidates with the best approximate scores, in the order of the corpus."""
    chunks, _ = candidates
    if len(chunks) <= number:
        return chunks
    scores = _candidate_scores(data, query, weights, candidates)
    return np.sort(chunks[np.argpartition(-scores, number - 1)[:number]])


def _candidate_scores(
    data: IndexData,
    query: Query,
    weights: dict[str, float],
    candidates: tuple[Integers, Vectors],
) -> Vectors:
    """``(n,)``: the approximate score of each candidate, with its cosine and its words."""
    chunks, cosines = candidates
    centroids, coverage = data.centroid_ids(chunks), data.coverage(weights, chunks)
    scores = approximate_scores(centroids, query)
    scores += np.float32(_DENSE) * cosines
    scores += np.float32(_LEXICAL) * coverage
    return scores


def distinct(data: IndexData, ranking: Sequence[ScoredChunk], k: int) -> list[ScoredChunk]:
    """Return the first ``k`` chunks that do not duplicate an earlier one.

    Each carries in ``also`` the duplicates that were met before the ``k``-th.
    """
    chosen: list[ScoredChunk] = []
    texts: list[_Text] = []
    for scored, text in zip(ranking, data.texts([one.chunk for one in ranking]), strict=True):
        if len(chosen) == k:
            break
        own = _Text.of(text)
        original = next((i for i, other in enumerate(texts) if own.is_like(other)), None)
        if original is None:
            chosen.append(scored)
            texts.append(own)
        else:
            also = (*chosen[original].also, scored.chunk)
            chosen[original] = replace(chosen[original], also=also)
    return chosen


@dataclass(frozen=True)
class _Text:
    written: tuple[str, ...]
    words: tuple[str, ...]
    distinct: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Text:
        written = tuple(text.split())
        words = tuple(word.casefold() for word in written)
        return cls(written, words, frozenset(words))

    @cached_property
    def facts(self) -> Counter[str]:
        return Counter(word.strip(punctuation) for word in self.written if _is_fact(word))

    @cached_property
    def triples(self) -> frozenset[tuple[str, ...]]:
        size = min(_TRIPLE, len(self.words))
        return frozenset(self.words[i : i + size] for i in range(len(self.words) - size + 1))

    def is_like(self, other: _Text) -> bool:
        if _jaccard(self.distinct, other.distinct) < _SAME_WORDS:
            return False
        if self.facts != other.facts:
            return False
        return _jaccard(self.triples, other.triples) >= LIKENESS


def _is_fact(word: str) -> bool:
    """Whether a word is of a number or a name, or denies something."""
    plain = word.casefold().strip(punctuation)
    first = next((character for character in word if character.isalpha()), "")
    is_number = any(character.isdigit() for character in word)
    return is_number or first.isupper() or plain in _DENIALS or plain.endswith("n't")


def _jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)
