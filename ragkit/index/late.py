"""Token vectors for late interaction (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832).

A chunk is read twice by the model: as a whole, and each of its sentences alone, always with title
and heading path in front. Kept are, per chunk and in this order:

- the *context* tokens, as read in front of the whole chunk;
- per sentence, its tokens as read in the whole chunk, then its tokens as read alone.

Each of these runs is a segment. A vector is kept as int8 with a scale of its own: on the seed and
on XQuAD no ranking measure changed against float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Vectors
from ragkit.index.products import product_of_runs
from ragkit.index.segments import borders_of, ranges
from ragkit.types import Span

__all__ = ["ChunkCodes", "ChunkTokens", "LateIndex", "ReadChunk", "chunk_tokens", "coded"]


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


class ChunkCodes(NamedTuple):
    """One chunk's tokens as they are kept, wherever it stands.

    ``codes``, ``scales``: as in ``LateIndex``. ``starts``: from the chunk's beginning, -1 for
    tokens that are not of a sentence alone. ``lengths``: of its segments.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def starts_at(self, place: int) -> NDArray[np.int64]:
        """``starts`` in the document, where the chunk begins at ``place``."""
        moved: NDArray[np.int64] = np.where(self.starts < 0, -1, self.starts + place)
        return moved


class ReadChunk(NamedTuple):
    """What a model read of a chunk: its one vector, and its tokens."""

    vector: Vectors
    tokens: ChunkCodes


@dataclass(frozen=True, slots=True)
class LateIndex:
    """``codes``: ``(t, d)`` int8; times ``scales``, ``(t,)``, they are unit vectors.

    ``segments``: the borders of their runs.

    For chunk c whose first sentence is row f of the sentence table, the context is segment
    ``c + 2f``; its sentence in row r has the segments ``c + 1 + 2r`` (within) and ``c + 2 + 2r``
    (alone). ``starts``: ``(t,)``, where in its document a token of a sentence alone begins, -1 for
    the others.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    segments: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def build(
        cls, chunks: Sequence[ChunkCodes], places: Sequence[int], dimension: int
    ) -> LateIndex:
        """``places``: where in its document each chunk begins."""
        nothing = ChunkCodes(
            np.zeros((0, dimension), np.int8), np.zeros(0, np.float32), _NOWHERE, _NOWHERE
        )
        parts = [nothing, *chunks]
        moved = [_NOWHERE, *(c.starts_at(place) for c, place in zip(chunks, places, strict=True))]
        return cls(
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.scales for part in parts]),
            borders_of(np.concatenate([part.lengths for part in parts])),
            np.concatenate(moved),
        )

    def codes_of(self, first: int, last: int, place: int) -> ChunkCodes:
        """The segments ``[first, last)`` of a chunk that begins at ``place`` in its document."""
        borders = self.segments[first : last + 1]
        rows = slice(int(borders[0]), int(borders[-1]))
        starts = self.starts[rows]
        relative = np.where(starts < 0, -1, starts - place)
        return ChunkCodes(self.codes[rows], self.scales[rows], relative, np.diff(borders))

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """Some token rows as float32."""
        found: Vectors = self.codes[rows] * self.scales[rows, None]
        return found

    def similarities(
        self, starts: NDArray[np.int64], ends: NDArray[np.int64], queries: Vectors
    ) -> Vectors:
        """Cosine of each token of the runs of rows with each of ``(t, d)`` queries: ``(n, t)``."""
        runs = zip(starts.tolist(), ends.tolist(), strict=True)
        found = product_of_runs(self.codes, runs, np.ascontiguousarray(queries.T))
        found *= self.scales[ranges(starts, ends), None]
        return found


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


def coded(chunk: ChunkTokens, place: int) -> ChunkCodes:
    """A chunk's tokens as int8, each with the scale that its largest component has as 127."""
    runs = _runs(chunk)
    vectors = np.concatenate(runs)
    scale = np.maximum(np.abs(vectors).max(axis=1), 1e-9) / np.float32(127)
    starts = np.concatenate(_run_starts(chunk))
    return ChunkCodes(
        np.rint(vectors / scale[:, None]).astype(np.int8),
        scale.astype(np.float32),
        np.where(starts < 0, -1, starts - place),
        np.asarray([len(run) for run in runs], dtype=np.int64),
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
