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
from ragkit.storage.arrays import Integers, Table
from ragkit.storage.tables import TableWriter

__all__ = ["SearchSettings", "VectorIndex"]

_FEW = 1 << 14
"""Up to this many allowed rows are all compared exactly."""

_SPARE = 64
"""At least this many are looked up, since quantized vectors come in a slightly other order."""

_TRAINED_ON, _SEED = 64, 1
_ADDED = 1 << 16
_RECALL, _TOP, _DEPTH = 0.98, 10, 512
_BLOCK = 1 << 12


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How the vectors are searched, and how well.

    Attributes:
        faiss: the FAISS factory string.
        probes: number of IVF lists searched for a question; 0 for exact search.
        refine: this many times the requested depth is looked up in FAISS and compared again with
            the full vectors.
        recall: share of the ten exact nearest neighbours that is found, 0–1.
        sample: number of sentences of the corpus on which ``recall`` was measured.

    """

    faiss: str
    probes: int = 0
    refine: int = 1
    recall: float = 1.0
    sample: int = 0


class VectorIndex:
    """Searches ``(n, d)`` unit vectors. Immutable: search parameters go with each call."""

    NAME = "dense.faiss"
    """The table that holds the FAISS index; it is loaded into memory, whole."""

    def __init__(self, index: Any, vectors: Table | None, settings: SearchSettings) -> None:
        """``vectors``: all vectors in float32, unless ``index`` keeps them so itself."""
        self._index = index
        self._vectors = vectors
        self._settings = settings

    @classmethod
    def open(cls, tables: Mapping[str, Table], settings: SearchSettings) -> VectorIndex:
        """Open the index. Its bytes must have been verified: FAISS trusts what it loads."""
        import faiss

        index = faiss.deserialize_index(tables[cls.NAME][:])
        return cls(index, tables.get("vectors.npy"), settings)

    @classmethod
    def write(
        cls, writer: TableWriter, layout: Layout, vectors: Table, queries: Vectors
    ) -> VectorIndex:
        """Build and write the FAISS index of ``(n, d)`` unit vectors.

        Args:
            vectors: the vectors; unless the layout is exact they are the table ``vectors.npy``.
            queries: ``(q, d)`` unit vectors like those of questions: the number of lists to search
                is chosen on them, so that 98 % of the ten nearest neighbours are found.

        """
        import faiss

        index = _faiss_index(vectors, layout)
        writer.append(cls.NAME, faiss.serialize_index(index))
        if layout.is_exact:
            return cls(index, None, SearchSettings(layout.faiss))
        return _tune_probes(index, vectors, layout, queries)

    @property
    def settings(self) -> SearchSettings:
        """How the vectors are searched, and how well."""
        return self._settings

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def vectors_of(self, ids: Integers) -> Vectors:
        """Return ``(len(ids), d)``: the vectors with these numbers."""
        vectors: Vectors = (
            self._index.reconstruct_batch(ids) if self._vectors is None else self._vectors[ids]
        )
        return vectors

    def search(
        self, query: Vectors, depth: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Vectors, Integers]:
        """Return the ``min(depth, n)`` rows nearest to a ``(d,)`` vector, best first.

        Args:
            allowed: ``(n,)``, True for each row that may be found; None for all.

        Returns:
            Cosines and row numbers. If IVF lists are searched, a few farther rows may be missing.

        """
        number = len(self) if allowed is None else int(allowed.sum())
        depth = min(depth, number)
        if not depth:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        if self._vectors is None:
            return self._search_faiss(query, depth, allowed)
        if number <= max(_FEW, depth):
            ids = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        else:
            _, ids = self._search_faiss(query, max(depth, _SPARE) * self._settings.refine, allowed)
            ids = np.sort(ids[ids >= 0])
        return self._compare_exactly(query, ids, depth)

    def _with_recall(self, recall: float, sample: int) -> VectorIndex:
        settings = replace(self._settings, recall=recall, sample=sample)
        return VectorIndex(self._index, self._vectors, settings)

    def _search_faiss(
        self, query: Vectors, depth: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[Vectors, Integers]:
        selector = None if allowed is None else np.packbits(allowed, bitorder="little")
        share = 1.0 if allowed is None else len(self) / max(1, int(allowed.sum()))
        with _on_one_thread():
            [scores], [ids] = self._index.search(
                np.ascontiguousarray(query[None, :], dtype=np.float32),
                min(depth, len(self)),
                params=self._parameters(selector, share),
            )
        return scores, ids

    def _parameters(self, selector: NDArray[np.uint8] | None, share: float) -> Any:
        """The parameters of one call; the index itself does not change, for other threads.

        ``share``: rows for each allowed row; the number of searched lists is multiplied by it.
        """
        import faiss

        library: Any = faiss  # its annotations lack what its wrappers add
        options = {} if selector is None else {"sel": library.IDSelectorBitmap(selector)}
        if self._vectors is None:
            return library.SearchParameters(**options) if options else None
        probes = min(self._index.nlist, int(self._settings.probes * share))
        kind = (
            library.IVFRaBitQSearchParameters
            if "RaBitQ" in self._settings.faiss
            else library.SearchParametersIVF
        )
        return kind(nprobe=probes, **options)

    def _compare_exactly(
        self, query: Vectors, ids: Integers, depth: int
    ) -> tuple[Vectors, Integers]:
        """The nearest of ``ids`` by their full vectors."""
        parts = [
            self.vectors_of(ids[start : start + _BLOCK]) @ query
            for start in range(0, len(ids), _BLOCK)
        ]
        cosines = np.concatenate([np.zeros(0, np.float32), *parts])
        order = np.lexsort((ids, -cosines))[:depth]
        return cosines[order], ids[order]


def _faiss_index(vectors: Table, layout: Layout) -> Any:
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


def _tune_probes(index: Any, vectors: Table, layout: Layout, queries: Vectors) -> VectorIndex:
    """The index with the fewest probes that find enough of the queries' neighbours."""
    exact = _nearest(vectors, queries)
    probes = 1
    while True:
        found = VectorIndex(index, vectors, SearchSettings(layout.faiss, probes, layout.refine))
        shares = [
            np.isin(ids, found.search(query, _DEPTH)[1][:_TOP]).mean()
            for query, ids in zip(queries, exact, strict=True)
        ]
        recall = float(np.mean(shares)) if shares else 1.0
        if recall >= _RECALL or probes >= layout.lists:
            return found._with_recall(round(recall, 4), len(queries))
        probes = min(2 * probes, layout.lists)


def _nearest(vectors: Table, queries: Vectors) -> list[Integers]:
    """The ten exact nearest neighbours of each query."""
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
def _on_one_thread() -> Iterator[None]:
    """Run FAISS on the calling thread alone.

    One question gives OpenMP nothing to share, and its idle threads wait busily: measured, the rest
    of an ask took twice as long. The setting is the calling thread's own, so no other is affected.
    """
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
