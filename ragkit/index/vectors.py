"""Cosine search over unit vectors, by FAISS (Johnson et al. 2017, arXiv:1702.08734)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.layout import Layout
from ragkit.index.protocol import Numbers
from ragkit.storage.rows import Rows
from ragkit.storage.tables import Tables

__all__ = ["DenseIndex", "Searching"]

_FEW = 1 << 14
"""So many allowed rows, or fewer, are all compared."""

_SPARE = 64
"""So many are looked up at least, since coded vectors come in a slightly other order."""

_TRAINED_ON, _SEED = 64, 1
_ADDED = 1 << 16
_RECALL, _TOP, _DEPTH = 0.98, 10, 512
_BLOCK = 1 << 12


@dataclass(frozen=True, slots=True)
class Searching:
    """How an index is searched, and how well that does.

    ``probes``: how many lists are looked into. ``refine``: as in ``Layout``. ``recall``: of the ten
    nearest by exact search, what part is found, on ``sample`` sentences of the corpus.
    """

    faiss: str
    probes: int = 0
    refine: int = 1
    recall: float = 1.0
    sample: int = 0


class DenseIndex:
    """``(n, d)`` unit vectors; immutable once made. Search parameters go with each call."""

    NAME = "dense.faiss"
    """What FAISS searches; it is read into memory, whole."""

    def __init__(self, index: Any, vectors: Vectors | Rows | None, searching: Searching) -> None:
        """``vectors``: all of them in full, where ``index`` does not keep them so."""
        self._index = index
        self._vectors = vectors
        self._searching = searching

    @classmethod
    def open(cls, files: Mapping[str, Rows], searching: Searching) -> DenseIndex:
        """Only for bytes whose checksum matched: FAISS trusts what it reads."""
        import faiss

        index = faiss.deserialize_index(files[cls.NAME][:])
        return cls(index, files.get("vectors.npy"), searching)

    @classmethod
    def write(
        cls, tables: Tables, layout: Layout, vectors: Vectors | Rows, queries: Vectors
    ) -> DenseIndex:
        """Of ``(n, d)`` unit vectors, which lie in the table ``vectors.npy`` unless the layout is
        exact.

        ``queries``: ``(q, d)`` unit vectors like those that will be asked: the number of lists to
        look into is chosen on them, so that 98 % of the ten nearest are found.
        """
        import faiss

        index = _made(vectors, layout)
        tables.append(cls.NAME, faiss.serialize_index(index))
        if layout.is_exact:
            return cls(index, None, Searching(layout.faiss))
        return _tuned(index, vectors, layout, queries)

    @property
    def searching(self) -> Searching:
        return self._searching

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def vectors_of(self, ids: Numbers) -> Vectors:
        """Some vectors, ``(len(ids), d)``."""
        found: Vectors = (
            self._index.reconstruct_batch(ids) if self._vectors is None else self._vectors[ids]
        )
        return found

    def search(
        self, query: Vectors, depth: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Vectors, Numbers]:
        """The ``min(depth, n)`` rows nearest to a ``(d,)`` vector, best first: cosines and ids.

        ``allowed``: ``(n,)``, which rows may be found; then n is how many those are. Where lists
        are looked into, a few of the farther may be missing.
        """
        number = len(self) if allowed is None else int(allowed.sum())
        depth = min(depth, number)
        if not depth:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        if self._vectors is None:
            return self._looked_up(query, depth, allowed)
        if number <= max(_FEW, depth):
            ids = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        else:
            _, ids = self._looked_up(query, max(depth, _SPARE) * self._searching.refine, allowed)
            ids = np.sort(ids[ids >= 0])
        return self._compared(query, ids, depth)

    def _measured(self, recall: float, sample: int) -> DenseIndex:
        searching = replace(self._searching, recall=recall, sample=sample)
        return DenseIndex(self._index, self._vectors, searching)

    def _looked_up(
        self, query: Vectors, depth: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[Vectors, Numbers]:
        selector = None if allowed is None else np.packbits(allowed, bitorder="little")
        share = 1.0 if allowed is None else len(self) / max(1, int(allowed.sum()))
        with _one_thread():
            [scores], [ids] = self._index.search(
                np.ascontiguousarray(query[None, :], dtype=np.float32),
                min(depth, len(self)),
                params=self._parameters(selector, share),
            )
        return scores, ids

    def _parameters(self, selector: NDArray[np.uint8] | None, share: float) -> Any:
        """Of one call: the index itself stays as it is, for other threads.

        ``share``: of how many rows one is allowed; so many times more lists are looked into.
        """
        import faiss

        library: Any = faiss  # its annotations lack what its wrappers add
        options = {} if selector is None else {"sel": library.IDSelectorBitmap(selector)}
        if self._vectors is None:
            return library.SearchParameters(**options) if options else None
        probes = min(self._index.nlist, int(self._searching.probes * share))
        kind = (
            library.IVFRaBitQSearchParameters
            if "RaBitQ" in self._searching.faiss
            else library.SearchParametersIVF
        )
        return kind(nprobe=probes, **options)

    def _compared(self, query: Vectors, ids: Numbers, depth: int) -> tuple[Vectors, Numbers]:
        """The nearest of ``ids`` by their full vectors."""
        parts = [
            self.vectors_of(ids[start : start + _BLOCK]) @ query
            for start in range(0, len(ids), _BLOCK)
        ]
        cosines = np.concatenate([np.zeros(0, np.float32), *parts])
        order = np.lexsort((ids, -cosines))[:depth]
        return cosines[order], ids[order]


def _made(vectors: Vectors | Rows, layout: Layout) -> Any:
    import faiss

    library: Any = faiss
    dimension = vectors.shape[1]
    index = library.index_factory(dimension, layout.faiss, library.METRIC_INNER_PRODUCT)
    if not layout.is_exact:
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = _TRAINED_ON
        index.cp.seed = _SEED
        wanted = min(len(vectors), layout.lists * _TRAINED_ON)
        chosen = np.random.default_rng(_SEED).choice(len(vectors), wanted, replace=False)
        index.train(np.ascontiguousarray(vectors[np.sort(chosen)]))
    for start in range(0, len(vectors), _ADDED):
        index.add(np.ascontiguousarray(vectors[start : start + _ADDED]))
    return index


def _tuned(index: Any, vectors: Vectors | Rows, layout: Layout, queries: Vectors) -> DenseIndex:
    """With the fewest probes that find enough on the queries."""
    exact = _nearest(vectors, queries)
    probes = 1
    while True:
        found = DenseIndex(index, vectors, Searching(layout.faiss, probes, layout.refine))
        shares = [
            np.isin(ids, found.search(query, _DEPTH)[1][:_TOP]).mean()
            for query, ids in zip(queries, exact, strict=True)
        ]
        recall = float(np.mean(shares)) if shares else 1.0
        if recall >= _RECALL or probes >= layout.lists:
            return found._measured(round(recall, 4), len(queries))
        probes = min(2 * probes, layout.lists)


def _nearest(vectors: Vectors | Rows, queries: Vectors) -> list[Numbers]:
    """The ten nearest of all, by comparing all."""
    scores = np.zeros((len(queries), 0), dtype=np.float32)
    ids = np.zeros((len(queries), 0), dtype=np.int64)
    for start in range(0, len(vectors), _ADDED):
        block = vectors[start : start + _ADDED]
        scores = np.concatenate([scores, queries @ block.T], axis=1)
        here = np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))
        ids = np.concatenate([ids, here], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :_TOP]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return list(ids)


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
