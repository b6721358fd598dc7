"""Which few chunks deserve exact late interaction: the idea of PLAID (arXiv:2205.09707).

All token vectors are grouped by k-means into a thousand centroids. Of a chunk is kept which
centroids its tokens are nearest to; a question is compared with the centroids once, and every
chunk's score follows by looking up. Rare words drown in a centroid of others, so the retriever adds
which of the question's words stand in the chunk. Measured on the seed's ``dev`` questions and on
XQuAD, what exact late interaction puts first is then always among the first 24.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.protocol import CoarseRows, Numbers
from ragkit.index.token_vectors import LateIndex
from ragkit.storage.linalg import product
from ragkit.storage.ragged import (
    borders_of,
    gathered_max,
    ranges,
    row_max,
    segment_max,
    segment_mean,
)
from ragkit.storage.rows import Rows
from ragkit.storage.tables import Tables

__all__ = ["CoarseIndex", "coarse_scores"]

_CENTROIDS, _OF_MANY, _MANY = 1024, 4096, 3_000_000
_TOKENS_PER_CENTROID = 16
_ITERATIONS, _SAMPLE, _SEED = 5, 32, 1
_CHUNKS = 1 << 8
_GROUPS, _LOOKED_INTO = 64, 8


class CoarseIndex:
    """The centroids, and which of them the tokens of each chunk are nearest to."""

    def __init__(self, files: Mapping[str, Rows], first_sentences: Rows) -> None:
        """``files``: what ``write`` wrote; ``first_sentences``: of each chunk, and their number."""
        self._centroids: Vectors = files["centroids.npy"][:]
        self._bags, self._bag_borders = files["bags.npy"], files["bag_borders.npy"]
        self._within, self._within_borders = files["within.npy"], files["within_borders.npy"]
        self._first = first_sentences

    @staticmethod
    def write(tables: Tables, late: LateIndex, chunks: int) -> None:
        """Train the centroids on a sample of ``late``'s tokens and look up all of them."""
        turned = _trained(late)
        tables.append("centroids.npy", late.code.turned_back(turned))
        for name in ("bags.npy", "within.npy"):
            tables.append(name, np.zeros(0, dtype=np.uint16))
        for name in ("bag_borders.npy", "within_borders.npy"):
            tables.append(name, np.zeros(1, dtype=np.int64))
        nearest = _nearest(turned)
        ends = {"bags.npy": 0, "within.npy": 0}
        for first in range(0, chunks, _CHUNKS):
            numbers = np.arange(first, min(chunks, first + _CHUNKS))
            for name, borders, values, lengths in _runs(late, numbers, nearest, len(turned)):
                tables.append(name, values)
                tables.append(borders, ends[name] + np.cumsum(lengths))
                ends[name] += len(values)

    def rows(self, chunks: Numbers) -> CoarseRows:
        """Of ``chunks``, ascending."""
        firsts, lasts = self._first[chunks], self._first[chunks + 1]
        sentences = ranges(firsts, lasts)
        bags, bag_borders = _taken(self._bags, self._bag_borders, chunks)
        within, within_borders = _taken(self._within, self._within_borders, sentences)
        return CoarseRows(
            self._centroids, bags, bag_borders, within, within_borders, lasts - firsts
        )


def coarse_scores(
    rows: CoarseRows, tokens: Vectors, weights: NDArray[np.float32], reverse: float
) -> NDArray[np.float32]:
    """About ``forward + reverse × reverse``, not divided, of each chunk."""
    similarity = product(rows.centroids, np.ascontiguousarray(tokens.T))
    met = gathered_max(similarity * weights, rows.bags, rows.bag_borders)
    explained = segment_mean(np.take(row_max(similarity), rows.within), rows.within_borders)
    best = segment_max(explained, borders_of(rows.sentences))
    scores: NDArray[np.float32] = met.sum(axis=1) + np.float32(reverse) * best
    return scores


def _taken(values: Rows, borders: Rows, chosen: Numbers) -> tuple[NDArray[np.uint16], Numbers]:
    """The values of the chosen runs, one after the other, and the borders between them."""
    if len(chosen) == len(borders) - 1:
        return values[:], borders[:]
    starts, ends = borders[chosen], borders[chosen + 1]
    return values.runs(starts, ends), borders_of(ends - starts)


def _runs(
    late: LateIndex, chunks: Numbers, nearest_of: Callable[[Vectors], Numbers], centroids: int
) -> list[tuple[str, str, NDArray[np.uint16], Numbers]]:
    """Of some chunks the bags and the tokens within, each with the lengths of its runs."""
    rows = late.rows(chunks)
    vectors = late.code.decoded(rows.codes) * rows.scales[:, None]
    nearest = nearest_of(vectors)
    owners, is_within = _segments(rows.sentences)
    inside = np.repeat(is_within, rows.lengths)
    number = max(centroids, 1)
    seen = np.unique((np.repeat(owners, rows.lengths) * number + nearest)[~inside])
    bags = np.bincount(seen // number, minlength=len(chunks))
    return [
        ("bags.npy", "bag_borders.npy", (seen % number).astype(np.uint16), bags),
        (
            "within.npy",
            "within_borders.npy",
            nearest[inside].astype(np.uint16),
            rows.lengths[is_within],
        ),
    ]


def _nearest(centroids: Vectors) -> Callable[[Vectors], Numbers]:
    """Which centroid each of ``(t, d)`` vectors is nearest to.

    Four thousand are grouped themselves, and each vector is compared with those of the nearest
    groups: an eighth of the work, which at 245 tokens a passage is minutes in a hundred thousand.
    """
    import faiss

    if not len(centroids):
        return lambda vectors: np.zeros(len(vectors), np.int64)
    if len(centroids) <= _CENTROIDS:
        return lambda vectors: (vectors @ centroids.T).argmax(axis=1)
    groups = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(centroids.shape[1]), centroids.shape[1], _GROUPS,
        faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    groups.train(centroids)
    groups.add(centroids)
    groups.nprobe = _LOOKED_INTO
    return lambda vectors: groups.search(np.ascontiguousarray(vectors), 1)[1][:, 0]


def _segments(sentences: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Of every segment whose chunk it is, and whether it is a sentence within its chunk."""
    segments = 1 + 2 * sentences  # the context, and two of each sentence
    owners = np.repeat(np.arange(len(segments)), segments)
    position = np.arange(len(owners)) - borders_of(segments)[:-1][owners]
    return owners, position % 2 == 1


def _trained(late: LateIndex) -> Vectors:
    """``(c, d)``, unit; turned as the late index's code turns vectors."""
    import faiss

    tokens, dimension = len(late), late.code.dimension
    most = _OF_MANY if tokens > _MANY else _CENTROIDS
    number = min(most, -(-tokens // _TOKENS_PER_CENTROID))
    if not number:
        return np.zeros((0, dimension), dtype=np.float32)
    rng, wanted = np.random.default_rng(_SEED), number * _SAMPLE
    sample = np.arange(tokens) if tokens <= wanted else np.sort(rng.choice(tokens, wanted, False))
    kmeans = faiss.Kmeans(
        dimension, number, niter=_ITERATIONS, spherical=True, seed=_SEED,
        min_points_per_centroid=1, max_points_per_centroid=_SAMPLE,
    )  # fmt: skip
    kmeans.train(np.ascontiguousarray(late.vectors(sample)))
    return np.asarray(kmeans.centroids, dtype=np.float32)
