"""Exact cosine search over unit vectors, by FAISS (Johnson et al. 2017, arXiv:1702.08734)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors

__all__ = ["DenseIndex"]


class DenseIndex:
    """``(n, d)`` unit vectors in a FAISS ``IndexFlatIP``; immutable once made."""

    def __init__(self, faiss_index: Any) -> None:
        self._index = faiss_index

    @classmethod
    def build(cls, vectors: Vectors) -> DenseIndex:
        import faiss

        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    @classmethod
    def from_bytes(cls, data: bytes) -> DenseIndex:
        """Only for bytes whose checksum matched: FAISS trusts what it reads."""
        import faiss

        return cls(faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8)))

    def to_bytes(self) -> bytes:
        import faiss

        return bytes(faiss.serialize_index(self._index).tobytes())

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def vectors(self) -> Vectors:
        """All vectors, ``(n, d)``, in insertion order."""
        found: Vectors = self._index.reconstruct_n(0, len(self))
        return found

    def vectors_of(self, ids: NDArray[np.int64]) -> Vectors:
        """Some vectors, ``(len(ids), d)``."""
        found: Vectors = self._index.reconstruct_batch(ids)
        return found

    def search(
        self, queries: Vectors, depth: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Vectors, NDArray[np.int64]]:
        """The ``min(depth, n)`` nearest rows of each query: cosines (higher is better) and ids.

        ``allowed``: ``(n,)``, which rows may be found; then n is how many those are.
        """
        import faiss

        library: Any = faiss  # its annotations lack what its wrappers add
        number = len(self) if allowed is None else int(allowed.sum())
        asked = np.ascontiguousarray(queries, dtype=np.float32)
        if not number:
            return np.zeros((len(asked), 0), np.float32), np.zeros((len(asked), 0), np.int64)
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            # Parameters of one call: the index itself stays as it is, for other threads.
            parameters = library.SearchParameters(sel=library.IDSelectorBitmap(bits))
        with _one_thread():
            scores, ids = self._index.search(asked, min(depth, number), params=parameters)
        return scores, ids


@contextmanager
def _one_thread() -> Iterator[None]:
    """FAISS on the calling thread alone.

    One question gives OpenMP nothing to share, and its idle threads wait busily: measured, the rest
    of an ask took twice as long. The number is the calling thread's own, so no other is touched.
    """
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
