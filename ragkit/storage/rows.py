"""Rows of a table, in memory or in a file that is proved piece by piece, as it is read.

A large file has a digest for each of its blocks (``SUMS``), so that opening it costs nothing and
still no byte is believed unproved. What was read of mapped files stays resident only up to a
budget: ``Residency`` gives it back to the system, whose own cache keeps it while there is room.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.storage.ragged import ranges

__all__ = ["BLOCK", "SUMS", "Proof", "Residency", "Rows", "map_file", "sums_of"]

BLOCK = 1 << 16
"""Bytes that are proved together: 40 µs, and about what a question reads of a chunk."""

SUMS = ".sums"
"""Beside ``NAME`` lies ``NAME.sums``: the sha256 of each of its blocks, one after the other."""

_SHA256 = 32

_CAN_DO_WITHOUT = sys.version_info >= (3, 13) and sys.platform != "win32"
_WITHOUT_HANDLE: dict[str, Any] = {"trackfd": False} if _CAN_DO_WITHOUT else {}
"""A mapping needs no handle on its file, but older Pythons keep one, to be able to resize it."""


class Residency:
    """How much of mapped files may stay in this process's memory: about ``budget`` bytes.

    The smallest files, which every question reads all over, stay, as far as they fill half of it.
    The others are given back a share at a time: to give back all at once and to fetch it again made
    one question in twenty wait twice as long as the others, measured at a million passages.
    """

    _SHARES = 16

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._maps: list[mmap.mmap] = []
        self._staying = 0
        self._read = 0
        self._next = 0
        self._others = 0

    def watch(self, mapped: mmap.mmap) -> None:
        """Count it among what may have to go."""
        self._maps.append(mapped)
        self._maps.sort(key=len)
        filled = accumulate(map(len, self._maps))
        self._staying = sum(end <= self._budget // 2 for end in filled)

    def fetch(self, mapped: mmap.mmap, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Have the system read the bytes ``[start, end)`` of each, all at once, before they are
        touched: one after the other, each would wait for the disk. Files that stay need it not.
        """
        if mapped not in self._maps[self._staying :] or not hasattr(mmap, "MADV_WILLNEED"):
            return
        first = starts // mmap.PAGESIZE * mmap.PAGESIZE
        for start, length in zip(first.tolist(), (ends - first).tolist(), strict=True):
            with suppress(OSError):  # it is advice, and who touches the bytes waits for them anyway
                mapped.madvise(mmap.MADV_WILLNEED, start, length)

    def count(self, size: int) -> None:
        """So much was read; threads may lose a count, which only makes the budget less strict."""
        self._read += size
        if self._read * self._SHARES > self._budget and hasattr(mmap, "MADV_DONTNEED"):
            self._read = 0
            self._shrink()

    def _shrink(self) -> None:
        for _ in range(self._SHARES):
            resident = _resident()
            if resident is not None and resident - self._others <= self._budget:
                return
            self._give_back()
            if resident is None:
                return
        # All was given back, so that what is left is of programs and of other indexes.
        staying = sum(map(len, self._maps[: self._staying]))
        self._others = max(0, (_resident() or 0) - staying)

    def _give_back(self) -> None:
        self._next = (self._next + 1) % self._SHARES
        for mapped in self._maps[self._staying :]:
            pages = -(-len(mapped) // mmap.PAGESIZE)
            first, last = (pages * n // self._SHARES for n in (self._next, self._next + 1))
            if last > first:
                start, length = first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE
                mapped.madvise(mmap.MADV_DONTNEED, start, length)


class Proof:
    """The blocks of one file, each compared with its digest before it is first believed."""

    def __init__(
        self,
        mapped: mmap.mmap,
        sums: bytes,
        refuse: Callable[[int], Exception],
        residency: Residency,
    ) -> None:
        """``refuse``: the error for a block, by its number, that is not what it should be."""
        self._mapped = mapped
        self._content = np.frombuffer(mapped, dtype=np.uint8)
        self._sums = sums
        self._refuse = refuse
        self._residency = residency
        self._proved = np.zeros(-(-len(mapped) // BLOCK), dtype=np.bool_)
        if len(sums) != len(self._proved) * _SHA256:
            raise refuse(0)

    def bytes(self, start: int, end: int) -> None:
        """Prove ``[start, end)``."""
        if start < end:
            self._residency.count(end - start)
            self._blocks(np.arange(start // BLOCK, (end - 1) // BLOCK + 1))

    def rows(self, offset: int, size: int, numbers: NDArray[np.int64]) -> None:
        """Prove rows of ``size`` bytes, the first of which begins at ``offset``."""
        self.runs(offset + numbers * size, offset + (numbers + 1) * size)

    def runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Prove ``[start, end)`` of each; none is empty."""
        first, last = starts // BLOCK, (ends - 1) // BLOCK
        self._residency.fetch(
            self._mapped,
            np.where(self._proved[first], starts, first * BLOCK),
            np.where(self._proved[last], ends, np.minimum((last + 1) * BLOCK, len(self._content))),
        )
        for step in range(int((last - first).max(initial=-1)) + 1):
            blocks = np.unique(np.minimum(first + step, last))
            self._residency.count(len(blocks) * mmap.PAGESIZE)
            self._blocks(blocks)
        self._residency.count(int((ends - starts).sum()))

    def _blocks(self, blocks: NDArray[np.int64]) -> None:
        for block in blocks[~self._proved[blocks]].tolist():
            content = self._content[block * BLOCK : (block + 1) * BLOCK]
            expected = self._sums[block * _SHA256 : (block + 1) * _SHA256]
            if hashlib.sha256(content.data).digest() != expected:
                raise self._refuse(block)
            self._proved[block] = True


class Rows:
    """``(n, …)`` rows. Taken by number, slice, or an array of numbers, they are a plain array."""

    __slots__ = ("_array", "_offset", "_proof", "_size")

    def __init__(self, array: NDArray[Any], proof: Proof | None = None, *, offset: int = 0) -> None:
        """``offset``: where in the file that ``proof`` knows the first row begins."""
        # A plain array: every slice of a memmap costs ten times a plain one's.
        self._array = np.asarray(array)
        self._proof = proof
        self._offset = offset
        self._size = int(np.prod(array.shape[1:], dtype=np.int64)) * array.itemsize

    def __len__(self) -> int:
        return len(self._array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    def __getitem__(self, key: int | slice | NDArray[np.int64]) -> NDArray[Any]:
        if self._proof is not None:
            self._prove(self._proof, key)
        found: NDArray[Any] = self._array[key]
        return found

    def runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[Any]:
        """The rows ``[start, end)`` of each run, one after the other."""
        if self._proof is not None:
            filled = ends > starts
            first = self._offset + starts[filled] * self._size
            self._proof.runs(first, self._offset + ends[filled] * self._size)
        found: NDArray[Any] = self._array[ranges(starts, ends)]
        return found

    def _prove(self, proof: Proof, key: int | slice | NDArray[np.int64]) -> None:
        if isinstance(key, slice):
            start, end, step = key.indices(len(self))
            if step == 1:
                proof.bytes(self._offset + start * self._size, self._offset + end * self._size)
                return
            key = np.arange(start, end, step)
        numbers = np.atleast_1d(np.asarray(key, dtype=np.int64))
        proof.rows(self._offset, self._size, np.where(numbers < 0, numbers + len(self), numbers))


def map_file(
    path: Path,
    residency: Residency,
    sums: bytes | None = None,
    refuse: Callable[[int], Exception] = lambda _: ValueError("unproved"),
) -> Rows:
    """The rows of an ``.npy`` file, the bytes of any other. Without ``sums`` it is proved already.

    Raises ``refuse``'s error, and ValueError for a file that is no ``.npy``.
    """
    if not path.stat().st_size:
        return Rows(np.zeros(0, dtype=np.uint8))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, **_WITHOUT_HANDLE)
    content = np.frombuffer(mapped, dtype=np.uint8)
    residency.watch(mapped)
    proof = None if sums is None else Proof(mapped, sums, refuse, residency)
    if path.suffix != ".npy":
        return Rows(content, proof)
    shape, dtype, offset = _header(Rows(content, proof))
    rows = np.frombuffer(mapped, dtype, int(np.prod(shape, dtype=np.int64)), offset)
    return Rows(rows.reshape(shape), proof, offset=offset)


def sums_of(path: Path) -> tuple[str, bytes]:
    """The sha256 of a file, and that of each of its blocks. Raises OSError."""
    whole, sums = hashlib.sha256(), []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
            sums.append(hashlib.sha256(block).digest())
    return whole.hexdigest(), b"".join(sums)


def _resident() -> int | None:
    """Bytes of mapped files in this process's memory, programs included; None if nobody tells."""
    try:
        with Path("/proc/self/statm").open("rb") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return None


def _header(content: Rows) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and where the rows begin (NumPy's format, version 1.0)."""
    length = int(content[8:10].view("<u2")[0])
    file = io.BytesIO(content[: 10 + length].tobytes())
    np.lib.format.read_magic(file)
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if by_columns or dtype.hasobject:
        raise ValueError("an array by columns, or of objects")
    return shape, dtype, file.tell()
