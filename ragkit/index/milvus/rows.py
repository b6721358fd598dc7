"""What a server stores of a chunk: a small row for approximate scoring, and its content.

Almost every candidate's row is fetched, but the content of only a few chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.centroids import CentroidRows, Ids
from ragkit.index.local import chunk_of_row, row_of_chunk
from ragkit.index.milvus.encoding import pack_arrays, unpack_arrays
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import TokenLayout, TokenRows
from ragkit.storage.arrays import offsets_of
from ragkit.types import Chunk

__all__ = ["ChunkContent", "ChunkRow", "centroid_rows_of", "split_chunks", "token_rows_of"]


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk's place in its document, its vector, and its part of ``CentroidRows``.

    Attributes:
        chunk: its place.
        vector: ``(d,)``.
        distinct: as ``CentroidRows.distinct``.
        within: as ``CentroidRows.within``, sentence by sentence.
        within_lengths: ``(s,)``, number of elements of ``within`` of each sentence.

    """

    chunk: Chunk
    vector: Vectors
    distinct: Ids
    within: Ids
    within_lengths: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        """Return the content of its blob."""
        chunk = self.chunk
        return pack_arrays(
            np.frombuffer(chunk.document_id.encode("utf-8", "surrogatepass"), np.uint8),
            np.asarray(row_of_chunk(0, chunk)[1:], dtype=np.int64),
            np.asarray(chunk.sentences, dtype=np.int64).reshape(-1),
            self.vector,
            self.distinct,
            self.within,
            self.within_lengths.astype(np.uint32),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ChunkRow:
        """Return the row that ``to_bytes`` wrote."""
        name, place, spans, vector, distinct, within, lengths = unpack_arrays(data)
        document_id = name.tobytes().decode("utf-8", "surrogatepass")
        chunk = chunk_of_row(document_id, place.tolist(), spans.reshape(-1, 2))
        return cls(chunk, vector, distinct, within, lengths.astype(np.int64))


@dataclass(frozen=True, slots=True)
class ChunkContent:
    """A chunk's text, and its part of ``TokenRows``.

    Attributes:
        text: the text of the chunk.
        codes: as ``TokenRows.codes``.
        scales: as ``TokenRows.scales``.
        starts: as ``TokenRows.starts``.
        lengths: number of tokens of each run.

    """

    text: str
    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int32]
    lengths: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        """Return the content of its blob."""
        return pack_arrays(
            np.frombuffer(self.text.encode("utf-8", "surrogatepass"), np.uint8),
            self.codes,
            self.scales,
            self.starts,
            self.lengths.astype(np.uint32),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ChunkContent:
        """Return the content that ``to_bytes`` wrote."""
        text, codes, scales, starts, lengths = unpack_arrays(data)
        decoded = text.tobytes().decode("utf-8", "surrogatepass")
        width = codes.size // max(scales.size, 1)
        codes = codes.reshape(scales.size, width)
        return cls(decoded, codes, scales, starts, lengths.astype(np.int64))


def centroid_rows_of(rows: Sequence[ChunkRow], centroids: Vectors) -> CentroidRows:
    """Join the centroid ids of some chunks."""
    return CentroidRows(
        centroids,
        _concatenate([row.distinct for row in rows], np.uint16),
        offsets_of(np.asarray([row.distinct.size for row in rows], dtype=np.int64)),
        _concatenate([row.within for row in rows], np.uint16),
        offsets_of(_concatenate([row.within_lengths for row in rows], np.int64)),
        np.asarray([row.within_lengths.size for row in rows], dtype=np.int64),
    )


def token_rows_of(
    chunks: Sequence[ChunkContent], quantizer: TokenQuantizer, readings: int
) -> TokenRows:
    """Join the token vectors of some chunks."""
    nothing = np.zeros((0, quantizer.width), quantizer.dtype)
    return TokenRows(
        quantizer,
        np.concatenate([nothing, *(chunk.codes for chunk in chunks if chunk.codes.size)]),
        _concatenate([chunk.scales for chunk in chunks], np.float32),
        _concatenate([chunk.starts for chunk in chunks], np.int32),
        _concatenate([chunk.lengths for chunk in chunks], np.int64),
        TokenLayout.of_runs(
            np.asarray([chunk.lengths.size for chunk in chunks], dtype=np.int64), readings
        ),
    )


def split_chunks(
    chunks: Sequence[Chunk],
    texts: Sequence[str],
    vectors: Vectors,
    centroid_ids: CentroidRows,
    tokens: TokenRows,
) -> Iterator[tuple[ChunkRow, ChunkContent]]:
    """Yield the row and the content of each chunk: the inverse of joining them."""
    distinct = np.split(centroid_ids.distinct, centroid_ids.distinct_offsets[1:-1])
    sentence_ends = np.cumsum(tokens.layout.sentences)[:-1]
    within_lengths = np.split(np.diff(centroid_ids.within_offsets), sentence_ends)
    within = np.split(centroid_ids.within, centroid_ids.within_offsets[sentence_ends])
    run_lengths = np.split(tokens.lengths, tokens.layout.first_run[1:-1])
    token_ends = np.cumsum([lengths.sum() for lengths in run_lengths])[:-1]
    codes, scales, starts = (
        np.split(rows, token_ends) for rows in (tokens.codes, tokens.scales, tokens.starts)
    )
    for i, (chunk, text) in enumerate(zip(chunks, texts, strict=True)):
        yield (
            ChunkRow(chunk, vectors[i], distinct[i], within[i], within_lengths[i]),
            ChunkContent(text, codes[i], scales[i], starts[i], run_lengths[i]),
        )


def _concatenate(arrays: Sequence[NDArray[Any]], dtype: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=dtype), *arrays])
