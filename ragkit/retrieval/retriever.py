"""Question vectors → ranked chunks, by exact search over everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ragkit.encoding import Vectors
from ragkit.index import IndexData

__all__ = ["Ranked", "retrieve"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk's number and its score (higher is better), with each sentence's cosine."""

    chunk: int
    score: float
    sentences: tuple[float, ...]


def retrieve(data: IndexData, queries: Vectors, k: int) -> list[list[Ranked]]:
    """For each question vector, the ``min(k, n)`` best chunks, best first.

    The score is the mean of the chunk's cosine and its best sentence's: the first sees what the
    paragraph is about, the second what it says.
    """
    if not len(data):
        return [[] for _ in queries]
    cosines, ids = data.dense.search(queries, len(data))
    dense = np.empty_like(cosines)
    np.put_along_axis(dense, ids, cosines, axis=1)
    sentences = queries @ data.sentence_vectors.T
    starts = np.searchsorted(data.sentences[:, 0], np.arange(len(data)))
    scores = (dense + np.maximum.reduceat(sentences, starts, axis=1)) / 2
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return [
        [_ranked(data, int(c), scores[q, c], sentences[q]) for c in order[q]]
        for q in range(len(queries))
    ]


def _ranked(data: IndexData, chunk: int, score: np.floating, sentences: Vectors) -> Ranked:
    rows = data.sentence_rows(chunk)
    return Ranked(chunk, float(score), tuple(float(sentences[row]) for row in rows))
