"""The lexicon on a server: read stem by stem as questions need it, and kept.

Sparse vectors would let the server add up the weights. But measured on 60,000 generated chunks,
milvus-lite takes 235 ms for that, and adding up here, over postings that were read once, 2 ms;
Milvus before 2.4 has no sparse vectors; and here the sums are, to the bit, those of an index on
disk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.directory import (
    KEYS,
    Directory,
    blocks,
    encoded,
    packed_keys,
    unpacked_keys,
)
from ragkit.index.milvus.encoding import Kind, deltas, packed, undeltas, unpacked
from ragkit.index.postings import PostingLists
from ragkit.storage.arrays import offsets_of

__all__ = ["StemBlock", "StoredPostings", "stem_blobs"]

_SHORT = 64
"""Postings up to so many stand beside their stem."""

_NONE = np.zeros(0, dtype=np.int32)

Postings = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class StemBlock:
    """``frequencies``: in how many chunks each of the ``stems`` is. ``short``: the postings of
    those that are in few, borders ``borders`` ``(s + 1,)``; the others have none here.
    """

    stems: Sequence[bytes]
    frequencies: NDArray[np.uint32]
    short: Postings
    borders: NDArray[np.int64]

    @classmethod
    def from_bytes(cls, data: bytes) -> StemBlock:
        content, lengths, frequencies, short = unpacked(data)
        own = np.where(frequencies <= _SHORT, frequencies, 0).astype(np.int64)
        stems = unpacked_keys(content, lengths)
        return cls(stems, frequencies, short, offsets_of(own))

    def place(self, stem: bytes) -> int | None:
        """Which of the stems it is."""
        found = bisect_left(self.stems, stem)
        return found if found < len(self.stems) and self.stems[found] == stem else None


def stem_blobs(
    stems: Iterable[tuple[str, Postings]], firsts: list[bytes]
) -> Iterator[tuple[Kind, int, bytes]]:
    """The blobs of a lexicon; ``firsts`` gets the first stem of each block."""
    for number, block in enumerate(blocks(stems)):
        keys = [encoded(stem) for stem, _ in block]
        firsts.append(keys[0])
        frequencies = np.asarray([len(chunks) for _, chunks in block], dtype=np.uint32)
        short = np.concatenate([_NONE, *(chunks for _, chunks in block if len(chunks) <= _SHORT)])
        yield Kind.STEMS, number, packed(*packed_keys(keys), frequencies, short)
        for place, (_, chunks) in enumerate(block):
            if len(chunks) > _SHORT:
                yield Kind.POSTINGS, number * KEYS + place, packed(deltas(chunks))


class StoredPostings(PostingLists):
    """The lexicon of an index on a server, read from there."""

    def __init__(self, blobs: Blobs, directory: Directory, chunks: int) -> None:
        super().__init__(chunks)
        self._blobs = blobs
        self._directory = directory

    def chunks_with(self, stem: str) -> Postings:
        [found] = self._read([stem])
        return found

    def frequencies(self, stems: Sequence[str]) -> list[int]:
        places = self._places(stems)
        return [0 if found is None else int(found[0].frequencies[found[2]]) for found in places]

    def best(
        self, weights: Mapping[str, float], number: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        self._read(list(weights))  # of all at once, which are then kept
        return super().best(weights, number, allowed)

    def coverage(
        self, weights: Mapping[str, float], chunks: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        self._read(list(weights))
        return super().coverage(weights, chunks)

    def _read(self, stems: Sequence[str]) -> list[Postings]:
        """Of each stem the chunks that have it."""
        places = self._places(stems)
        long = [
            number * KEYS + place
            for block, number, place in filter(None, places)
            if block.frequencies[place] > _SHORT
        ]
        read = dict(zip(long, self._blobs.get(Kind.POSTINGS, long, _postings_from), strict=True))
        found = []
        for entry in places:
            if entry is None:
                found.append(_NONE)
                continue
            block, number, place = entry
            here = block.short[block.borders[place] : block.borders[place + 1]]
            found.append(read.get(number * KEYS + place, here))
        return found

    def _places(self, stems: Sequence[str]) -> list[tuple[StemBlock, int, int] | None]:
        """Of each stem its block, that one's number, the place there; None if no chunk has it."""
        keys = [encoded(stem) for stem in stems]
        numbers = [self._directory.block(key) for key in keys]
        asked = sorted({number for number in numbers if number is not None})
        found_blocks = self._blobs.get(Kind.STEMS, asked, StemBlock.from_bytes)
        read = dict(zip(asked, found_blocks, strict=True))
        found: list[tuple[StemBlock, int, int] | None] = []
        for key, number in zip(keys, numbers, strict=True):
            place = None if number is None else read[number].place(key)
            entry = None if number is None or place is None else (read[number], number, place)
            found.append(entry)
        return found


def _postings_from(data: bytes) -> Postings:
    [differences] = unpacked(data)
    return undeltas(differences)
