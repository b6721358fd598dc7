"""Token vectors for late interaction (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832).

A chunk is read twice by the model: as a whole, and each of its sentences alone, always with title
and heading path in front. Kept are, per chunk and in this order:

- the *context* tokens, as read in front of the whole chunk;
- per sentence, its tokens as read in the whole chunk, then its tokens as read alone.

Each of these runs is a segment. A vector is kept with 8 bits a component, with which no ranking
measure changed on the seed and on XQuAD against float32; or with fewer, as ``codes`` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Vectors
from ragkit.index.protocol import Numbers, TokenRows
from ragkit.index.quantization import TokenCode
from ragkit.storage.rows import Rows
from ragkit.storage.tables import Tables
from ragkit.text.spans import Span

__all__ = ["ChunkCodes", "ChunkTokens", "LateIndex", "ReadChunk", "chunk_tokens", "coded"]

_NOWHERE = np.zeros(0, dtype=np.int32)


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
    """One chunk's tokens, wherever it stands.

    ``codes``: as the model's reading is kept until the index is whole, ``(t, d)`` int8, or as an
    index has them; times ``scales``, ``(t,)``, they are unit vectors. ``starts``: from the chunk's
    beginning, -1 for tokens that are not of a sentence alone. ``lengths``: of its segments.
    """

    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int64]
    lengths: Numbers


class ReadChunk(NamedTuple):
    """What a model read of a chunk: its one vector, and its tokens."""

    vector: Vectors
    tokens: ChunkCodes


class LateIndex:
    """The tokens of all chunks, one row each, and the borders of their segments.

    For chunk c whose first sentence is row f of the sentence table, the context is segment
    ``c + 2f``; its sentence in row r has the segments ``c + 1 + 2r`` (within) and ``c + 2 + 2r``
    (alone).
    """

    NAMES = ("tokens.npy", "token_scales.npy", "token_starts.npy", "segments.npy")

    def __init__(self, files: Mapping[str, Rows], code: TokenCode, first_sentences: Rows) -> None:
        """``files``: what ``write`` wrote; ``first_sentences``: of each chunk, and their number."""
        self.code = code
        self._codes, self._scales = files["tokens.npy"], files["token_scales.npy"]
        self._starts, self._segments = files["token_starts.npy"], files["segments.npy"]
        self._first = first_sentences

    @staticmethod
    def write(
        tables: Tables, read: Iterable[ReadChunk], places: Iterable[int], code: TokenCode
    ) -> None:
        """Append the tokens of all chunks; ``places``: where in its document each begins."""
        tables.append("tokens.npy", np.zeros((0, code.width), code.dtype))
        tables.append("token_scales.npy", np.zeros(0, np.float32))
        tables.append("token_starts.npy", _NOWHERE)
        tables.append("segments.npy", np.zeros(1, dtype=np.int64))
        end = 0
        for chunk, place in zip(read, places, strict=True):
            tokens = chunk.tokens
            codes, scales = code.code(tokens.codes, tokens.scales)
            starts = np.where(tokens.starts < 0, -1, tokens.starts + place)
            tables.append("tokens.npy", codes)
            tables.append("token_scales.npy", scales)
            tables.append("token_starts.npy", starts.astype(np.int32))
            tables.append("segments.npy", end + np.cumsum(tokens.lengths))
            end += len(codes)

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self._codes)

    def rows(self, chunks: Numbers) -> TokenRows:
        """All tokens of ``chunks``, one after the other."""
        firsts, lasts = self._first[chunks], self._first[chunks + 1]
        first, last = chunks + 2 * firsts, chunks + 2 + 2 * lasts
        borders = self._segments.runs(first, last)
        ends = np.cumsum(last - first)
        lengths = np.delete(np.diff(borders), ends[:-1] - 1)
        runs = borders[ends - (last - first)], borders[ends - 1]
        return TokenRows(
            self.code,
            self._codes.runs(*runs),
            self._scales.runs(*runs),
            self._starts.runs(*runs),
            lengths,
            lasts - firsts,
        )

    def chunk(self, chunk: int, place: int) -> ChunkCodes:
        """What is kept of a chunk that begins at ``place``."""
        rows = self.rows(np.asarray([chunk]))
        starts = np.where(rows.starts < 0, -1, rows.starts.astype(np.int64) - place)
        return ChunkCodes(rows.codes, rows.scales, starts, rows.lengths)

    def vectors(self, rows: slice | Numbers) -> Vectors:
        """Some token rows as float32, turned as ``code`` has them."""
        found: Vectors = self.code.decoded(self._codes[rows]) * self._scales[rows][:, None]
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
