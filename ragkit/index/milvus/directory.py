"""A sorted table of keys in blobs: found by one look into memory and one blob.

Keys stand in the order of their bytes, so many in a blob; the first of each is known to the reader.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ragkit.index.milvus.encoding import packed, unpacked

__all__ = ["KEYS", "Directory", "blocks", "encoded", "packed_keys", "unpacked_keys"]

KEYS = 512
"""So many keys share a blob."""

Item = TypeVar("Item")


def encoded(key: str) -> bytes:
    """What keys are sorted by."""
    return key.encode("utf-8", "surrogatepass")


def blocks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Runs of ``KEYS`` items, the last perhaps shorter."""
    iterator = iter(items)
    while block := list(islice(iterator, KEYS)):
        yield block


def packed_keys(keys: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Their bytes, and how many each has."""
    lengths = np.asarray([len(key) for key in keys], dtype=np.uint32)
    return np.frombuffer(b"".join(keys), dtype=np.uint8), lengths


def unpacked_keys(content: NDArray[np.uint8], lengths: NDArray[np.uint32]) -> list[bytes]:
    """The keys again."""
    data, ends = content.tobytes(), np.cumsum(lengths, dtype=np.int64)
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]


class Directory:
    """The first keys of all blobs of a table."""

    def __init__(self, firsts: Sequence[bytes]) -> None:
        self._firsts = list(firsts)

    def to_bytes(self) -> bytes:
        return packed(*packed_keys(self._firsts))

    @classmethod
    def from_bytes(cls, data: bytes) -> Directory:
        content, lengths = unpacked(data)
        return cls(unpacked_keys(content, lengths))

    def block(self, key: bytes) -> int | None:
        """Which blob has the key if any has."""
        found = bisect_right(self._firsts, key) - 1
        return found if found >= 0 else None
