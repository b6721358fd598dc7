"""Matrix products on the calling thread alone.

A question's products are too small to gain from threads, and BLAS's idle threads wait busily:
measured, they made the model's own next run three times as slow. OpenBLAS shares a product among
threads from 2¹⁸ multiplications on, so larger ones are done in pieces, which also keeps each piece
in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors

__all__ = ["product", "product_of_runs"]

_SHARED_FROM = 1 << 18


def product(matrix: Vectors, columns: Vectors) -> Vectors:
    """``matrix @ columns`` for ``(n, d)`` and ``(d, t)``."""
    return product_of_runs(matrix, [(0, len(matrix))], columns)


def product_of_runs(
    matrix: NDArray[np.float32] | NDArray[np.int8],
    runs: Iterable[tuple[int, int]],
    columns: Vectors,
) -> Vectors:
    """The product of the runs of rows, one after the other; int8 rows become floats on the way."""
    runs = list(runs)
    found = np.empty((sum(end - start for start, end in runs), columns.shape[1]), np.float32)
    block = max(1, (_SHARED_FROM - 1) // max(columns.size, 1))
    buffer = np.empty((block, len(columns)), dtype=np.float32)
    done = 0
    for first, last in runs:
        for start in range(first, last, block):
            rows = matrix[start : min(last, start + block)]
            np.copyto(buffer[: len(rows)], rows)
            np.matmul(buffer[: len(rows)], columns, out=found[done : done + len(rows)])
            done += len(rows)
    return found
