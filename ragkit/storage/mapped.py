"""Memory-mapped tables: verified as they are read, and kept in memory within a budget.

A small file is verified when it is opened and is then a plain array. A large file has a digest for
each of its blocks (``checksums.SUMS``), so that opening it costs nothing and still no byte is used
before it was verified.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakMethod

import numpy as np
from numpy.typing import NDArray

from ragkit.storage import checksums
from ragkit.storage.arrays import Table, ranges

__all__ = ["Blocks", "Residency", "VerifiedRows", "cached_method", "cut_short", "map_file"]

_SHA256 = 32

_CAN_DO_WITHOUT = sys.version_info >= (3, 13) and sys.platform != "win32"
_WITHOUT_HANDLE: dict[str, Any] = {"trackfd": False} if _CAN_DO_WITHOUT else {}
"""A mapping needs no handle on its file, but older Pythons keep one, to be able to resize it."""

K = TypeVar("K")
V = TypeVar("V")


class Residency:
    """Keeps about ``budget`` bytes of mapped files resident and gives the rest back.

    What is given back stays in the system's own cache while there is room. The smallest files,
    which every question reads all over, stay as far as they fill half of the budget. The others are
    given back one share at a time: giving back everything at once made one question in twenty wait
    twice as long as the others, measured at a million passages.
    """

    _SHARES = 16

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._maps: list[mmap.mmap] = []
        self._staying = 0
        self._count = 0
        self._next = 0
        self._others = 0

    def watch(self, mapped: mmap.mmap) -> None:
        """Add a file to those that may be given back."""
        self._maps.append(mapped)
        self._maps.sort(key=len)
        filled = accumulate(map(len, self._maps))
        self._staying = sum(end <= self._budget // 2 for end in filled)

    def prefetch(
        self, mapped: mmap.mmap, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> None:
        """Ask the system to load the bytes ``[start, end)`` of each range, all at once.

        Touched one after the other, each would wait for the disk. Files that stay are skipped.
        """
        if mapped not in self._maps[self._staying :] or not hasattr(mmap, "MADV_WILLNEED"):
            return
        first = starts // mmap.PAGESIZE * mmap.PAGESIZE
        for start, length in zip(first.tolist(), (ends - first).tolist(), strict=True):
            with suppress(OSError):  # advice only: touching the bytes waits for them anyway
                mapped.madvise(mmap.MADV_WILLNEED, start, length)

    def count(self, size: int) -> None:
        """Count ``size`` bytes as touched; shrink once a share of the budget was.

        Threads may lose a count, which only makes the budget less strict.
        """
        self._count += size
        if self._count * self._SHARES > self._budget and hasattr(mmap, "MADV_DONTNEED"):
            self._count = 0
            self._shrink()

    def _shrink(self) -> None:
        for _ in range(self._SHARES):
            resident = _resident_bytes()
            if resident is not None and resident - self._others <= self._budget:
                return
            self._give_back_a_share()
            if resident is None:
                return
        # All was given back, so what is left belongs to programs and to other indexes.
        staying = sum(map(len, self._maps[: self._staying]))
        self._others = max(0, (_resident_bytes() or 0) - staying)

    def _give_back_a_share(self) -> None:
        self._next = (self._next + 1) % self._SHARES
        for mapped in self._maps[self._staying :]:
            pages = -(-len(mapped) // mmap.PAGESIZE)
            first, last = (pages * n // self._SHARES for n in (self._next, self._next + 1))
            if last > first:
                start, length = first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE
                mapped.madvise(mmap.MADV_DONTNEED, start, length)


class Blocks:
    """The blocks of one mapped file, each compared with its digest before it is first used."""

    def __init__(
        self,
        mapped: mmap.mmap,
        sums: bytes,
        damage: Callable[[int], Exception],
        residency: Residency,
    ) -> None:
        """Args:
        sums: the digests, 32 bytes a block.
        damage: the error to raise for a damaged block, by its number.

        """
        self._mapped = mapped
        self._content = np.frombuffer(mapped, dtype=np.uint8)
        self._sums = sums
        self._damage = damage
        self._residency = residency
        self._verified = np.zeros(-(-len(mapped) // checksums.BLOCK), dtype=np.bool_)
        if len(sums) != len(self._verified) * _SHA256:
            raise damage(0)

    def verify_bytes(self, start: int, end: int) -> None:
        """Verify the blocks of ``[start, end)``."""
        if start < end:
            self._residency.count(end - start)
            self._verify(np.arange(start // checksums.BLOCK, (end - 1) // checksums.BLOCK + 1))

    def verify_rows(self, offset: int, size: int, numbers: NDArray[np.int64]) -> None:
        """Verify rows of ``size`` bytes, the first of which begins at ``offset``."""
        self.verify_runs(offset + numbers * size, offset + (numbers + 1) * size)

    def verify_runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Verify ``[start, end)`` of every run; none is empty."""
        first, last = starts // checksums.BLOCK, (ends - 1) // checksums.BLOCK
        self._residency.prefetch(
            self._mapped,
            np.where(self._verified[first], starts, first * checksums.BLOCK),
            np.where(
                self._verified[last],
                ends,
                np.minimum((last + 1) * checksums.BLOCK, len(self._content)),
            ),
        )
        for step in range(int((last - first).max(initial=-1)) + 1):
            blocks = np.unique(np.minimum(first + step, last))
            self._residency.count(len(blocks) * mmap.PAGESIZE)
            self._verify(blocks)
        self._residency.count(int((ends - starts).sum()))

    def _verify(self, blocks: NDArray[np.int64]) -> None:
        for block in blocks[~self._verified[blocks]].tolist():
            content = self._content[block * checksums.BLOCK : (block + 1) * checksums.BLOCK]
            expected = self._sums[block * _SHA256 : (block + 1) * _SHA256]
            if hashlib.sha256(content.data).digest() != expected:
                raise self._damage(block)
            self._verified[block] = True


class VerifiedRows:
    """``(n, …)`` rows of a large file. Indexing them verifies them and gives a plain array."""

    __slots__ = ("_array", "_blocks", "_offset", "_size")

    def __init__(self, array: NDArray[Any], blocks: Blocks, *, offset: int = 0) -> None:
        """``offset``: where in the file the first row begins, in bytes."""
        # A plain array: every slice of a memmap costs ten times a plain one's.
        self._array = np.asarray(array)
        self._blocks = blocks
        self._offset = offset
        self._size = int(np.prod(array.shape[1:], dtype=np.int64)) * array.itemsize

    def __len__(self) -> int:
        return len(self._array)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole table."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return self._array.dtype

    def __getitem__(self, key: int | slice | NDArray[np.int64]) -> NDArray[Any]:
        self._verify(key)
        rows: NDArray[Any] = self._array[key]
        return rows

    def take_runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows ``[start, end)`` of every run, concatenated."""
        filled = ends > starts
        first = self._offset + starts[filled] * self._size
        self._blocks.verify_runs(first, self._offset + ends[filled] * self._size)
        rows: NDArray[Any] = self._array[ranges(starts, ends)]
        return rows

    def _verify(self, key: int | slice | NDArray[np.int64]) -> None:
        if isinstance(key, slice):
            start, end, step = key.indices(len(self))
            if step == 1:
                offset, size = self._offset, self._size
                self._blocks.verify_bytes(offset + start * size, offset + end * size)
                return
            key = np.arange(start, end, step)
        numbers = np.atleast_1d(np.asarray(key, dtype=np.int64))
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        self._blocks.verify_rows(self._offset, self._size, numbers)


def cut_short(sizes: Mapping[str, int]) -> str | None:
    """Return the path of a mapped file that has become shorter than it was; None if there is none.

    A file that is replaced or removed leaves its mapping as it was. One that is cut short does not:
    the system ends a process that reads beyond the end (SIGBUS). So compare before reading; what is
    cut short while a question is being answered is not noticed.

    Args:
        sizes: path → bytes when it was mapped.

    """
    for path, size in sizes.items():
        try:
            if os.stat(path).st_size < size:  # noqa: PTH116 - a Path costs as much again
                return path
        except OSError:
            continue
    return None


def map_file(
    path: Path,
    residency: Residency,
    sums: bytes | None = None,
    damage: Callable[[int], Exception] = lambda _: ValueError("unverified"),
) -> Table:
    """Map the rows of an ``.npy`` file, or the bytes of any other.

    Args:
        sums: digests of the blocks; None if the file has been verified already, which gives a
            plain array.
        damage: the error to raise for a damaged block, by its number.

    Raises:
        ValueError: the file is not an ``.npy`` file of rows.

    """
    if not path.stat().st_size:
        return np.zeros(0, dtype=np.uint8)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, **_WITHOUT_HANDLE)
    content = np.frombuffer(mapped, dtype=np.uint8)
    residency.watch(mapped)
    blocks = None if sums is None else Blocks(mapped, sums, damage, residency)
    if path.suffix != ".npy":
        return content if blocks is None else VerifiedRows(content, blocks)
    shape, dtype, offset = _header(content if blocks is None else VerifiedRows(content, blocks))
    rows = np.frombuffer(mapped, dtype, int(np.prod(shape, dtype=np.int64)), offset).reshape(shape)
    return rows if blocks is None else VerifiedRows(rows, blocks, offset=offset)


def _header(content: Table) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and where the rows begin (NumPy's format, version 1.0)."""
    length = int(content[8:10].view("<u2")[0])
    file = io.BytesIO(content[: 10 + length].tobytes())
    np.lib.format.read_magic(file)
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if by_columns or dtype.hasobject:
        raise ValueError("an array by columns, or of objects")
    return shape, dtype, file.tell()


def _resident_bytes() -> int | None:
    """Bytes of mapped files in this process's memory, programs included; None if unknown."""
    try:
        with Path("/proc/self/statm").open("rb") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return None


def cached_method(method: Callable[[K], V], size: int) -> Callable[[K], V]:
    """Return ``method`` with an LRU cache of ``size`` results.

    Args:
        method: a bound method of one hashable argument.
        size: number of results kept.

    The cache holds only a weak reference to the method's object, so the object may hold the cache.
    An ``lru_cache`` of the bound method would be a reference cycle: an unused index would keep its
    mapped files open until the next garbage collection.

    """
    weak = WeakMethod(method)

    @lru_cache(maxsize=size)
    def cached(key: K) -> V:
        alive = weak()
        assert alive is not None  # noqa: S101 - the caller holds the object
        return alive(key)

    return cached
