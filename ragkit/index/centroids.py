"""Centroid ids of all tokens, for approximate scoring: the idea of PLAID (arXiv:2205.09707).

All token vectors are clustered by k-means into about a thousand centroids. For each chunk the index
stores which centroids its tokens are nearest to; a question is compared with the centroids once,
and the score of every chunk follows by table lookup (``retrieval.scoring``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.token_vectors import TokenVectors
from ragkit.progress import STAGE
from ragkit.storage.arrays import Integers, Table, offsets_of, ranges, take_runs
from ragkit.storage.tables import TableWriter

__all__ = ["CentroidIndex", "CentroidRows", "Ids", "write_centroids"]

_CENTROIDS, _CENTROIDS_OF_MANY, _MANY = 1024, 4096, 3_000_000
_CENTROIDS_OF_COMPACT, _FEW = 256, 1_000_000
_TOKENS_PER_CENTROID = 16
_ITERATIONS, _SAMPLE, _SEED = 5, 32, 1
_CHUNKS = 1 << 8
_GROUPS, _PROBES = 64, 8


Ids = NDArray[np.unsignedinteger[Any]]
"""Numbers of centroids: of at most 256 in a compact index, of more in others."""


@dataclass(frozen=True, slots=True)
class CentroidRows:
    """The centroid ids of some chunks.

    Attributes:
        centroids: ``(c, d)``, all centroids.
        distinct: for each chunk the distinct ids of its tokens that ``forward`` looks at.
        distinct_offsets: ``(n + 1,)`` offsets into ``distinct``.
        within: the id of each token that ``reverse`` looks at, sentence by sentence.
        within_offsets: ``(m + 1,)`` offsets into ``within``, one run a sentence.
        sentences: ``(n,)``, number of sentences of each chunk.

    """

    centroids: Vectors
    distinct: Ids
    distinct_offsets: Integers
    within: Ids
    within_offsets: Integers
    sentences: Integers


class CentroidIndex:
    """The centroids, and the centroid ids of the tokens of each chunk."""

    def __init__(self, tables: Mapping[str, Table], first_sentences: Table) -> None:
        """Args:
        tables: what ``write_centroids`` wrote.
        first_sentences: ``(n + 1,)``, offsets: the first sentence of each chunk.

        """
        self._centroids: Vectors = tables["centroids.npy"][:].astype(np.float32)
        self._distinct, self._distinct_offsets = tables["bags.npy"], tables["bag_borders.npy"]
        self._within, self._within_offsets = tables["within.npy"], tables["within_borders.npy"]
        self._first = first_sentences

    def rows(self, chunks: Integers) -> CentroidRows:
        """Return the centroid ids of ``chunks``, which ascend."""
        firsts, lasts = self._first[chunks], self._first[chunks + 1]
        distinct = _take(self._distinct, self._distinct_offsets, chunks)
        within = _take(self._within, self._within_offsets, ranges(firsts, lasts))
        return CentroidRows(self._centroids, *distinct, *within, lasts - firsts)


def write_centroids(writer: TableWriter, tokens: TokenVectors, chunks: int) -> None:
    """Train the centroids on a sample of the tokens, then assign every token to its nearest."""
    STAGE.get()("Training the approximate order", 0, None)
    quantizer = tokens.quantizer
    centroids = quantizer.rotate_back(_train(tokens)).astype(np.float16)
    writer.append("centroids.npy", centroids)
    rotated = quantizer.rotate(centroids.astype(np.float32))
    ids = np.uint8 if quantizer.compact and len(centroids) <= _CENTROIDS_OF_COMPACT else np.uint16
    for name in ("bags.npy", "within.npy"):
        writer.append(name, np.zeros(0, dtype=ids))
    for name in ("bag_borders.npy", "within_borders.npy"):
        writer.append(name, np.zeros(1, dtype=np.int64))
    assign = _assignment(rotated)
    ends = {"bags.npy": 0, "within.npy": 0}
    for first in range(0, chunks, _CHUNKS):
        STAGE.get()("Approximating chunks", first, chunks)
        numbers = np.arange(first, min(chunks, first + _CHUNKS))
        for runs in _assigned(tokens, numbers, assign, len(rotated)):
            writer.append(runs.name, runs.values.astype(ids))
            writer.append(runs.offsets_name, ends[runs.name] + np.cumsum(runs.lengths))
            ends[runs.name] += len(runs.values)


class _Runs(NamedTuple):
    """Rows for a table and for the table of its offsets."""

    name: str
    offsets_name: str
    values: Integers
    lengths: Integers


def _take(values: Table, offsets: Table, chosen: Integers) -> tuple[Ids, Integers]:
    """The values of the chosen runs, concatenated, and their offsets."""
    if len(chosen) == len(offsets) - 1:
        return values[:], offsets[:]
    starts, ends = offsets[chosen], offsets[chosen + 1]
    [taken] = take_runs([values], starts, ends)
    return taken, offsets_of(ends - starts)


def _assigned(
    tokens: TokenVectors, numbers: Integers, assign: Callable[[Vectors], Integers], centroids: int
) -> list[_Runs]:
    """The rows of some chunks for both pairs of tables."""
    rows = tokens.rows(numbers)
    ids = assign(tokens.quantizer.decode(rows.codes) * rows.scales[:, None])
    is_within = rows.layout.is_within()
    inside = np.repeat(is_within, rows.lengths)
    matched = np.repeat(rows.layout.is_matched(), rows.lengths)
    chunk = np.repeat(rows.layout.chunk_of_run(), rows.lengths)
    number = max(centroids, 1)
    pairs = np.unique((chunk * number + ids)[matched])
    distinct = np.bincount(pairs // number, minlength=len(numbers))
    return [
        _Runs("bags.npy", "bag_borders.npy", pairs % number, distinct),
        _Runs(
            "within.npy",
            "within_borders.npy",
            ids[inside],
            rows.lengths[is_within],
        ),
    ]


def _assignment(centroids: Vectors) -> Callable[[Vectors], Integers]:
    """Return a function that finds the nearest centroid of each of ``(t, d)`` vectors.

    Four thousand centroids are clustered themselves, and each vector is compared with those of the
    nearest groups: an eighth of the work, which at 245 tokens a passage is minutes in a hundred
    thousand.
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
    groups.nprobe = _PROBES
    return lambda vectors: groups.search(np.ascontiguousarray(vectors), 1)[1][:, 0]


def _train(tokens: TokenVectors) -> Vectors:
    """``(c, d)`` unit vectors, in the rotated coordinates of the tokens' quantizer."""
    import faiss

    number, dimension = len(tokens), tokens.quantizer.dimension
    most = _CENTROIDS_OF_MANY if number > _MANY else _CENTROIDS
    if tokens.quantizer.compact and number <= _FEW:
        most = _CENTROIDS_OF_COMPACT
    centroids = min(most, -(-number // _TOKENS_PER_CENTROID))
    if not centroids:
        return np.zeros((0, dimension), dtype=np.float32)
    rng, size = np.random.default_rng(_SEED), centroids * _SAMPLE
    sample = np.arange(number) if number <= size else np.sort(rng.choice(number, size, False))
    kmeans = faiss.Kmeans(
        dimension, centroids, niter=_ITERATIONS, spherical=True, seed=_SEED,
        min_points_per_centroid=1, max_points_per_centroid=_SAMPLE,
    )  # fmt: skip
    kmeans.train(np.ascontiguousarray(tokens.decoded(sample)))
    return np.asarray(kmeans.centroids, dtype=np.float32)
