"""What is kept of a chunk: a small row for choosing it, a large one for reading it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.centroids import CentroidRows
from ragkit.index.milvus.encoding import packed, unpacked
from ragkit.index.token_vectors import TokenLayout, TokenQuantizer, TokenRows
from ragkit.storage.arrays import offsets_of
from ragkit.text.spans import Span
from ragkit.types import Chunk

__all__ = ["ChunkRow", "ChunkTokens", "coarse_of", "rows_of", "tokens_of"]


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """Where a chunk stands, its vector, and its part of ``CentroidRows``.

    ``spans``: ``(s, 2)``, its sentences; ``within``: centroids, a run of ``lengths`` a sentence.
    """

    chunk: Chunk
    vector: Vectors
    bag: NDArray[np.uint16]
    within: NDArray[np.uint16]
    lengths: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        chunk = self.chunk
        return packed(
            np.frombuffer(chunk.document_id.encode("utf-8", "surrogatepass"), np.uint8),
            np.asarray([chunk.section, chunk.start, chunk.end], dtype=np.int64),
            np.asarray(chunk.sentences, dtype=np.int64).reshape(-1),
            self.vector,
            self.bag,
            self.within,
            self.lengths.astype(np.uint32),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ChunkRow:
        name, place, spans, vector, bag, within, lengths = unpacked(data)
        section, start, end = place.tolist()
        sentences = tuple(Span(a, b) for a, b in spans.reshape(-1, 2).tolist())
        document_id = name.tobytes().decode("utf-8", "surrogatepass")
        chunk = Chunk(document_id, section, start, end, sentences)
        return cls(chunk, vector, bag, within, lengths.astype(np.int64))


@dataclass(frozen=True, slots=True)
class ChunkTokens:
    """A chunk's text, and its part of ``TokenRows``."""

    text: str
    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int32]
    lengths: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        return packed(
            np.frombuffer(self.text.encode("utf-8", "surrogatepass"), np.uint8),
            self.codes,
            self.scales,
            self.starts,
            self.lengths.astype(np.uint32),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ChunkTokens:
        text, codes, scales, starts, lengths = unpacked(data)
        decoded = text.tobytes().decode("utf-8", "surrogatepass")
        width = codes.size // max(scales.size, 1)
        codes = codes.reshape(scales.size, width)
        return cls(decoded, codes, scales, starts, lengths.astype(np.int64))


def coarse_of(rows: Sequence[ChunkRow], centroids: Vectors) -> CentroidRows:
    """Some chunks' rows as one."""
    return CentroidRows(
        centroids,
        _all([row.bag for row in rows], np.uint16),
        offsets_of(np.asarray([row.bag.size for row in rows], dtype=np.int64)),
        _all([row.within for row in rows], np.uint16),
        offsets_of(_all([row.lengths for row in rows], np.int64)),
        np.asarray([row.lengths.size for row in rows], dtype=np.int64),
    )


def tokens_of(chunks: Sequence[ChunkTokens], code: TokenQuantizer) -> TokenRows:
    """Some chunks' tokens as one."""
    nothing = np.zeros((0, code.width), code.dtype)
    lengths = [chunk.lengths for chunk in chunks]
    return TokenRows(
        code,
        np.concatenate([nothing, *(chunk.codes for chunk in chunks if chunk.codes.size)]),
        _all([chunk.scales for chunk in chunks], np.float32),
        _all([chunk.starts for chunk in chunks], np.int32),
        _all(lengths, np.int64),
        TokenLayout.of_runs(np.asarray([own.size for own in lengths], dtype=np.int64)),
    )


def rows_of(
    chunks: Sequence[Chunk],
    texts: Sequence[str],
    vectors: Vectors,
    coarse: CentroidRows,
    tokens: TokenRows,
) -> Iterator[tuple[ChunkRow, ChunkTokens]]:
    """What is kept of each of some chunks."""
    sentences = offsets_of(coarse.sentences)
    runs = tokens.layout.first_run
    borders = offsets_of(tokens.lengths)
    for i, (chunk, text) in enumerate(zip(chunks, texts, strict=True)):
        bag = slice(*coarse.distinct_offsets[i : i + 2].tolist())
        own = coarse.within_offsets[sentences[i] : sentences[i + 1] + 1]
        lengths = tokens.lengths[runs[i] : runs[i + 1]]
        token = slice(*borders[[runs[i], runs[i + 1]]].tolist())
        yield (
            ChunkRow(
                chunk,
                vectors[i],
                coarse.distinct[bag],
                coarse.within[own[0] : own[-1]],
                np.diff(own),
            ),
            ChunkTokens(
                text, tokens.codes[token], tokens.scales[token], tokens.starts[token], lengths
            ),
        )


def _all(arrays: Sequence[NDArray[Any]], kind: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=kind), *arrays])
