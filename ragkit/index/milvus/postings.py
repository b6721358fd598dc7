"""Postings on a server: fetched stem by stem as questions need them, and cached.

Sparse vectors would let the server add up the weights. But milvus-lite takes 235 ms for that,
measured on 60,000 generated chunks, and adding up here, over postings that were fetched before, 2
ms; Milvus before 2.4 has no sparse vectors; and the sums computed here are, to the bit, those of an
index on disk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.directory import (
    KEYS_PER_BLOCK,
    Directory,
    key_blocks,
    key_bytes,
    pack_keys,
    unpack_keys,
)
from ragkit.index.milvus.encoding import (
    BlobKind,
    delta_decode,
    delta_encode,
    pack_arrays,
    unpack_arrays,
)
from ragkit.index.postings import PostingLists
from ragkit.storage.arrays import offsets_of

__all__ = ["MilvusPostings", "StemBlock", "encode_stems"]

_SHORT = 64
"""Postings of at most this length are stored in their stem's block."""

_NONE = np.zeros(0, dtype=np.int32)

ChunkNumbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class StemBlock:
    """The stems of one blob.

    Attributes:
        stems: as bytes, sorted.
        frequencies: for each stem the number of chunks that have it.
        short: the postings of all stems that have at most ``_SHORT``, concatenated.
        short_offsets: ``(s + 1,)``, offsets into ``short``; longer postings have a blob of their
            own and are empty here.

    """

    stems: Sequence[bytes]
    frequencies: NDArray[np.uint32]
    short: ChunkNumbers
    short_offsets: NDArray[np.int64]

    @classmethod
    def from_bytes(cls, data: bytes) -> StemBlock:
        """Return a block that ``encode_stems`` encoded."""
        content, lengths, frequencies, short = unpack_arrays(data)
        own = np.where(frequencies <= _SHORT, frequencies, 0).astype(np.int64)
        stems = unpack_keys(content, lengths)
        return cls(stems, frequencies, short, offsets_of(own))

    def position_of(self, stem: bytes) -> int | None:
        """Return the position of a stem, None if the block lacks it."""
        position = bisect_left(self.stems, stem)
        is_here = position < len(self.stems) and self.stems[position] == stem
        return position if is_here else None


def encode_stems(
    stems: Iterable[tuple[str, ChunkNumbers]], first_keys: list[bytes]
) -> Iterator[tuple[BlobKind, int, bytes]]:
    """Yield the blobs of all postings; append the first stem of each block."""
    for number, block in enumerate(key_blocks(stems)):
        keys = [key_bytes(stem) for stem, _ in block]
        first_keys.append(keys[0])
        frequencies = np.asarray([len(chunks) for _, chunks in block], dtype=np.uint32)
        short = np.concatenate([_NONE, *(chunks for _, chunks in block if len(chunks) <= _SHORT)])
        yield BlobKind.STEMS, number, pack_arrays(*pack_keys(keys), frequencies, short)
        for position, (_, chunks) in enumerate(block):
            if len(chunks) > _SHORT:
                own = number * KEYS_PER_BLOCK + position
                yield BlobKind.POSTINGS, own, pack_arrays(delta_encode(chunks))


class _Entry(NamedTuple):
    """Where a stem is: its block, the block's number, and its position there."""

    block: StemBlock
    number: int
    position: int

    @property
    def frequency(self) -> int:
        return int(self.block.frequencies[self.position])

    @property
    def blob(self) -> int:
        """Number of the blob of its postings, if these are long."""
        return self.number * KEYS_PER_BLOCK + self.position

    def short_postings(self) -> ChunkNumbers:
        start, end = self.block.short_offsets[self.position : self.position + 2].tolist()
        return self.block.short[start:end]


class MilvusPostings(PostingLists):
    """The postings of an index on a server."""

    def __init__(self, blobs: Blobs, directory: Directory, chunks: int) -> None:
        """Args:
        directory: the directory of stems.
        chunks: number of chunks of the corpus.

        """
        super().__init__(chunks)
        self._blobs = blobs
        self._directory = directory

    def chunks_with(self, stem: str) -> ChunkNumbers:
        [chunks] = self._fetch([stem])
        return chunks

    def frequencies(self, stems: Sequence[str]) -> list[int]:
        return [0 if entry is None else entry.frequency for entry in self._find(stems)]

    def allowed_frequencies(self, stems: Sequence[str], allowed: NDArray[np.bool_]) -> list[int]:
        self._fetch(stems)  # all stems in one call, into the cache
        return super().allowed_frequencies(stems, allowed)

    def best(
        self, weights: Mapping[str, float], number: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        self._fetch(list(weights))  # all stems in one call, into the cache
        return super().best(weights, number, allowed)

    def coverage(
        self, weights: Mapping[str, float], chunks: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        self._fetch(list(weights))
        return super().coverage(weights, chunks)

    def _fetch(self, stems: Sequence[str]) -> list[ChunkNumbers]:
        """The chunks that have each stem."""
        entries = self._find(stems)
        long = [entry.blob for entry in entries if entry and entry.frequency > _SHORT]
        postings = self._blobs.get(BlobKind.POSTINGS, long, _decode_postings)
        long_postings = dict(zip(long, postings, strict=True))
        return [
            _NONE
            if entry is None
            else long_postings[entry.blob]
            if entry.frequency > _SHORT
            else entry.short_postings()
            for entry in entries
        ]

    def _find(self, stems: Sequence[str]) -> list[_Entry | None]:
        """Where each stem is; None if no chunk has it."""
        keys = [key_bytes(stem) for stem in stems]
        numbers = [self._directory.block_of(key) for key in keys]
        distinct = sorted({number for number in numbers if number is not None})
        decoded = self._blobs.get(BlobKind.STEMS, distinct, StemBlock.from_bytes)
        blocks = dict(zip(distinct, decoded, strict=True))

        def entry(key: bytes, number: int | None) -> _Entry | None:
            if number is None:
                return None
            position = blocks[number].position_of(key)
            return None if position is None else _Entry(blocks[number], number, position)

        return [entry(key, number) for key, number in zip(keys, numbers, strict=True)]


def _decode_postings(data: bytes) -> ChunkNumbers:
    [differences] = unpack_arrays(data)
    return delta_decode(differences)
