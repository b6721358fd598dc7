"""A budget for how much of memory-mapped files stays in this process's memory."""

from __future__ import annotations

import mmap
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Residency"]


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


def _resident_bytes() -> int | None:
    """Bytes of mapped files in this process's memory, programs included; None if unknown."""
    try:
        with Path("/proc/self/statm").open("rb") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return None
