"""Array arithmetic: ragged arrays as flat tables with offsets, and single-threaded products.

A ragged array of n runs is one flat array and ``(n + 1,)`` *offsets*: run i is
``values[offsets[i]:offsets[i + 1]]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Table",
    "gathered_run_max",
    "matmul",
    "offsets_of",
    "ranges",
    "row_max",
    "run_max",
    "run_mean",
    "take_runs",
]

_GROUP = 16
_SHARED_FROM = 1 << 18
"""Multiply-adds from which OpenBLAS shares a product among threads."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


class Table(Protocol):
    """``(n, …)`` rows: a plain array, or ``VerifiedRows`` of a file too large to verify at once."""

    def __len__(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, key: Any, /) -> Any: ...


def offsets_of(lengths: Integers) -> Integers:
    """Return the ``(n + 1,)`` offsets of n runs with these lengths.

    >>> offsets_of(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    offsets: Integers = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return offsets


def ranges(starts: Integers, ends: Integers) -> Integers:
    """Concatenate ``range(start, end)`` of every pair into one array.

    >>> ranges(np.array([5, 0]), np.array([7, 2])).tolist()
    [5, 6, 0, 1]
    """
    lengths = ends - starts
    shift = np.repeat(starts - offsets_of(lengths)[:-1], lengths)
    numbers: Integers = np.arange(len(shift)) + shift
    return numbers


def take_runs(tables: Sequence[Table], starts: Integers, ends: Integers) -> list[NDArray[Any]]:
    """Return from each table the rows ``[start, end)`` of every run, concatenated."""
    rows = ranges(starts, ends)
    return [
        table[rows] if isinstance(table, np.ndarray) else table.take_runs(starts, ends)  # type: ignore[attr-defined]
        for table in tables
    ]


def row_max(values: Floats) -> Floats:
    """Return the maximum of each row; 0 for rows without columns.

    Reducing over columns of the transpose is ten times as fast as over short rows.
    """
    maxima: Floats = np.ascontiguousarray(values.T).max(axis=0, initial=-np.inf)
    return maxima if values.shape[1] else np.zeros(len(values), dtype=np.float32)


def run_max(values: Floats, offsets: Integers) -> Floats:
    """Return the column-wise maximum of each run of rows; 0 for an empty run."""
    maxima = np.zeros((len(offsets) - 1, *values.shape[1:]), dtype=np.float32)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        maxima[filled] = np.maximum.reduceat(values, offsets[filled], axis=0)
    return maxima


def gathered_run_max(values: Floats, numbers: NDArray[np.integer], offsets: Integers) -> Floats:
    """Return ``run_max(values[numbers], offsets)``, without gathering all rows first.

    More than twice as fast for long runs of short rows: the runs are reduced side by side, since
    ``reduceat`` costs one call per row.
    """
    groups = -(-np.diff(offsets) // _GROUP)
    first = offsets_of(groups)
    start = np.repeat(offsets[:-1] - _GROUP * first[:-1], groups) + _GROUP * np.arange(first[-1])
    last = np.repeat(offsets[1:] - 1, groups)
    maxima = np.take(values, numbers[start], axis=0)
    for step in range(1, _GROUP):
        rows = numbers[np.minimum(start + step, last)]
        np.maximum(maxima, np.take(values, rows, axis=0), out=maxima)
    return run_max(maxima, first)


def run_mean(values: Floats, offsets: Integers) -> Floats:
    """Return the mean of each run of a ``(n,)`` array; 0 for an empty run."""
    lengths = np.diff(offsets)
    means = np.zeros(len(lengths), dtype=np.float32)
    filled = np.flatnonzero(lengths)
    if len(filled):
        means[filled] = np.add.reduceat(values, offsets[filled]) / lengths[filled]
    return means


def matmul(matrix: Floats, columns: Floats) -> Floats:
    """Return ``matrix @ columns`` for ``(n, d)`` and ``(d, t)``, on the calling thread alone.

    The products of one question are too small to gain from threads, and BLAS's idle threads wait
    busily: measured, they made the next run of the model three times as slow. OpenBLAS shares only
    large products among threads, so those are done in pieces, which also fit the processor's cache.
    """
    product = np.empty((len(matrix), columns.shape[1]), np.float32)
    step = max(1, (_SHARED_FROM - 1) // max(columns.size, 1))
    for start in range(0, len(matrix), step):
        rows = matrix[start : start + step]
        np.matmul(rows, columns, out=product[start : start + len(rows)])
    return product
