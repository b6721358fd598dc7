"""Which few chunks deserve exact late interaction: the idea of PLAID (arXiv:2205.09707).

All token vectors are grouped by k-means into a thousand centroids. Of a chunk is kept which
centroids its tokens are nearest to; a question is compared with the centroids once, and every
chunk's score follows by looking up. Rare words drown in a centroid of others, so the retriever adds
which of the question's words stand in the chunk. Measured on the seed's ``dev`` questions and on
XQuAD, what exact late interaction puts first is then always among the first 24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.late import LateIndex
from ragkit.index.products import product
from ragkit.index.segments import borders_of, ranges, row_max, runs_of, segment_max, segment_mean

__all__ = ["CoarseIndex"]

_CENTROIDS, _OF_MANY, _MANY = 1024, 4096, 3_000_000
_TOKENS_PER_CENTROID = 16
_ITERATIONS, _SAMPLE, _SEED = 5, 32, 1
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class CoarseIndex:
    """``centroids``: ``(c, d)`` float32, unit.

    ``bags``: the distinct centroids of each chunk's tokens that ``forward`` looks at, chunk by
    chunk, borders ``bag_borders`` ``(n + 1,)``. ``within``: the centroid of each token that
    ``reverse`` looks at, sentence by sentence, borders
    ``within_borders`` ``(m + 1,)``. Both are uint16.
    """

    centroids: Vectors
    bags: NDArray[np.uint16]
    bag_borders: NDArray[np.int64]
    within: NDArray[np.uint16]
    within_borders: NDArray[np.int64]

    @classmethod
    def build(cls, late: LateIndex, first_sentences: NDArray[np.int64]) -> CoarseIndex:
        """``first_sentences``: ``(n + 1,)``, the first row of each chunk in the sentence table."""
        centroids = _trained(late)
        codes = _nearest(late, centroids)
        chunks, is_within = _segments(first_sentences)
        lengths = np.diff(late.segments)
        inside = np.repeat(is_within, lengths)
        number = max(len(centroids), 1)
        seen = np.unique((np.repeat(chunks, lengths) * number + codes)[~inside])
        return cls(
            centroids,
            (seen % number).astype(np.uint16),
            borders_of(np.bincount(seen // number, minlength=len(first_sentences) - 1)),
            codes[inside].astype(np.uint16),
            borders_of(lengths[is_within]),
        )

    def scores(
        self,
        tokens: Vectors,
        weights: NDArray[np.float32],
        reverse: float,
        chunks: NDArray[np.int64],
        first_sentences: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """About ``forward + reverse × reverse``, not divided, of each of ``chunks`` (ascending)."""
        similarity = product(self.centroids, np.ascontiguousarray(tokens.T))
        bags, borders = runs_of(self.bags, self.bag_borders, chunks)
        forward = segment_max(np.take(similarity * weights, bags, axis=0), borders).sum(axis=1)
        sentences = ranges(first_sentences[chunks], first_sentences[chunks + 1])
        within, borders = runs_of(self.within, self.within_borders, sentences)
        explained = segment_mean(np.take(row_max(similarity), within), borders)
        best = segment_max(explained, borders_of(np.diff(first_sentences)[chunks]))
        scores: NDArray[np.float32] = forward + np.float32(reverse) * best
        return scores


def _segments(
    first_sentences: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of every segment the chunk, and whether it is a sentence within its chunk."""
    segments = 1 + 2 * np.diff(first_sentences)  # the context, and two of each sentence
    chunks = np.repeat(np.arange(len(segments)), segments)
    position = np.arange(len(chunks)) - borders_of(segments)[:-1][chunks]
    return chunks, position % 2 == 1


def _trained(late: LateIndex) -> Vectors:
    import faiss

    tokens, dimension = late.codes.shape
    most = _OF_MANY if tokens > _MANY else _CENTROIDS
    number = min(most, -(-tokens // _TOKENS_PER_CENTROID))
    if not number:
        return np.zeros((0, dimension), dtype=np.float32)
    sample = np.arange(tokens)
    if tokens > number * _SAMPLE:
        sample = np.sort(np.random.default_rng(_SEED).choice(tokens, number * _SAMPLE, False))
    kmeans = faiss.Kmeans(
        dimension, number, niter=_ITERATIONS, spherical=True, seed=_SEED,
        min_points_per_centroid=1, max_points_per_centroid=_SAMPLE,
    )  # fmt: skip
    kmeans.train(late.vectors(sample))
    return np.asarray(kmeans.centroids, dtype=np.float32)


def _nearest(late: LateIndex, centroids: Vectors) -> NDArray[np.int64]:
    blocks = [
        (late.vectors(slice(start, start + _BLOCK)) @ centroids.T).argmax(axis=1)
        for start in range(0, len(late.codes), _BLOCK)
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *blocks])
