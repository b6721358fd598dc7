"""Matrix products on the calling thread alone.

A question's products are too small to gain from threads, and BLAS's idle threads wait busily:
measured, they made the model's own next run three times as slow. OpenBLAS shares a product among
threads from 2¹⁸ multiplications on, so larger ones are done in pieces, which also keeps each piece
in the processor's cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["product"]

Vectors = NDArray[np.float32]

_SHARED_FROM = 1 << 18


def product(matrix: Vectors, columns: Vectors) -> Vectors:
    """``matrix @ columns`` for ``(n, d)`` and ``(d, t)``."""
    found = np.empty((len(matrix), columns.shape[1]), np.float32)
    step = max(1, (_SHARED_FROM - 1) // max(columns.size, 1))
    for start in range(0, len(matrix), step):
        rows = matrix[start : start + step]
        np.matmul(rows, columns, out=found[start : start + len(rows)])
    return found
