"""A sorted table of keys in blobs: one binary search in memory finds the blob that has a key.

Keys are in the order of their bytes, a fixed number to a blob; the directory has the first key of
each blob.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ragkit.index.milvus.encoding import pack_arrays, unpack_arrays

__all__ = ["KEYS_PER_BLOCK", "Directory", "key_blocks", "key_bytes", "pack_keys", "unpack_keys"]

KEYS_PER_BLOCK = 512
"""Number of keys of a blob; the last may have fewer."""

Item = TypeVar("Item")


def key_bytes(key: str) -> bytes:
    """Return the bytes by which a key is sorted."""
    return key.encode("utf-8", "surrogatepass")


def key_blocks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Split items into lists of ``KEYS_PER_BLOCK``; the last may be shorter."""
    iterator = iter(items)
    while block := list(islice(iterator, KEYS_PER_BLOCK)):
        yield block


def pack_keys(keys: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return all keys concatenated, and the length of each."""
    lengths = np.asarray([len(key) for key in keys], dtype=np.uint32)
    return np.frombuffer(b"".join(keys), dtype=np.uint8), lengths


def unpack_keys(content: NDArray[np.uint8], lengths: NDArray[np.uint32]) -> list[bytes]:
    """Return the keys that ``pack_keys`` concatenated."""
    data, ends = content.tobytes(), np.cumsum(lengths, dtype=np.int64)
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]


class Directory:
    """The first key of each blob of a table."""

    def __init__(self, first_keys: Sequence[bytes]) -> None:
        self._first_keys = list(first_keys)

    def to_bytes(self) -> bytes:
        """Return the content of the directory's own blob."""
        return pack_arrays(*pack_keys(self._first_keys))

    @classmethod
    def from_bytes(cls, data: bytes) -> Directory:
        """Return the directory that ``to_bytes`` wrote."""
        content, lengths = unpack_arrays(data)
        return cls(unpack_keys(content, lengths))

    def block_of(self, key: bytes) -> int | None:
        """Return the number of the blob that has the key, if any has it."""
        block = bisect_right(self._first_keys, key) - 1
        return block if block >= 0 else None
