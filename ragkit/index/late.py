"""Token vectors for late interaction (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832).

A chunk is read twice by the model: as a whole, and each of its sentences alone, always with title
and heading path in front. Kept are, per chunk and in this order:

- the *context* tokens, as read in front of the whole chunk;
- per sentence, its tokens as read in the whole chunk, then its tokens as read alone.

Each of these runs is a segment. Vectors are kept as int8, one scale for all: on the seed and on
XQuAD no ranking measure changed against float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Vectors
from ragkit.index.products import product_of_runs
from ragkit.types import Span

__all__ = ["ChunkTokens", "LateIndex", "chunk_tokens"]


_NOWHERE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ChunkTokens:
    """One chunk's tokens: the ``context``, and per sentence ``within`` the chunk and ``alone``.

    ``starts``: where in the document each of the tokens of ``alone`` begins.
    """

    context: Vectors
    within: tuple[Vectors, ...]
    alone: tuple[Vectors, ...]
    starts: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, slots=True)
class LateIndex:
    """``codes``: ``(t, d)`` int8; ``codes × scale`` are unit vectors. ``segments``: their borders.

    For chunk c whose first sentence is row f of the sentence table, the context is segment
    ``c + 2f``; its sentence in row r has the segments ``c + 1 + 2r`` (within) and ``c + 2 + 2r``
    (alone). ``starts``: ``(t,)``, where in its document a token of a sentence alone begins, -1 for
    the others.
    """

    codes: NDArray[np.int8]
    scale: float
    segments: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def build(cls, chunks: Sequence[ChunkTokens], dimension: int) -> LateIndex:
        runs = [run for chunk in chunks for run in _runs(chunk)]
        borders = np.concatenate([[0], np.cumsum([len(run) for run in runs], dtype=np.int64)])
        vectors = np.concatenate([np.zeros((0, dimension), dtype=np.float32), *runs])
        largest = float(np.abs(vectors).max(initial=0.0)) or 1.0
        scale = float(np.float32(largest / 127))
        codes = np.rint(vectors / scale).astype(np.int8)
        starts = [_NOWHERE, *(start for chunk in chunks for start in _run_starts(chunk))]
        return cls(codes, scale, borders.astype(np.int64), np.concatenate(starts))

    def vectors(self, start: int, end: int) -> Vectors:
        """Token rows ``[start, end)`` as float32."""
        return self.codes[start:end] * np.float32(self.scale)

    def similarities(self, runs: Iterable[tuple[int, int]], queries: Vectors) -> Vectors:
        """Cosine of each token of the runs of rows with each of ``(t, d)`` queries: ``(n, t)``."""
        scaled = np.ascontiguousarray(queries.T * np.float32(self.scale))
        return product_of_runs(self.codes, runs, scaled)


def chunk_tokens(
    whole: Encoded, alone: Sequence[Encoded], context: int, sentences: Sequence[Span]
) -> ChunkTokens:
    """Sort a chunk's tokens into runs.

    ``context``: how many code points of title and headings stand in front of every text read.
    ``sentences``: their spans in the document; the chunk begins with the first.
    """
    place = whole.starts - context + sentences[0].start
    own = [encoded.starts >= context for encoded in alone]
    return ChunkTokens(
        context=whole.tokens[whole.starts < context],
        within=tuple(whole.tokens[(place >= s.start) & (place < s.end)] for s in sentences),
        alone=tuple(encoded.tokens[mask] for encoded, mask in zip(alone, own, strict=True)),
        starts=tuple(
            encoded.starts[mask] - context + s.start
            for encoded, mask, s in zip(alone, own, sentences, strict=True)
        ),
    )


def _run_starts(chunk: ChunkTokens) -> list[NDArray[np.int64]]:
    starts = [np.full(len(chunk.context), -1)]
    for within, alone in zip(chunk.within, chunk.starts, strict=True):
        starts += [np.full(len(within), -1), alone]
    return starts


def _runs(chunk: ChunkTokens) -> list[Vectors]:
    runs = [chunk.context]
    for within, alone in zip(chunk.within, chunk.alone, strict=True):
        runs += [within, alone]
    return runs
