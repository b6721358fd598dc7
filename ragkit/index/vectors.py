"""Cosine search over unit vectors, by FAISS (Johnson et al. 2017, arXiv:1702.08734).

Small corpora are searched exactly. In larger ones FAISS groups the vectors into lists (IVF: Jégou
et al. 2011), searches the lists nearest to a question, and stores each vector there with 8 bits a
component, or with one (RaBitQ: Gao & Long 2024, arXiv:2405.12497) where memory is short. Results
are compared again with the full vectors, which stay on disk. ``choose_layout`` decides by the size
of the corpus and the memory budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.errors import InputError
from ragkit.index.config import DEFAULT_MEMORY
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import QuantizedTokens, TokenLayout
from ragkit.storage.arrays import Integers, Table, offsets_of
from ragkit.storage.tables import TableWriter

__all__ = ["Layout", "QuerySample", "SearchSettings", "VectorIndex", "choose_layout"]

_EXACT = 25_000
_EIGHT_BITS, _FOUR_BITS = 50_000, 300_000
_LEAST = 64 << 20

_FEW = 1 << 14
"""Up to this many allowed rows are all compared exactly."""

_SPARE = 64
"""At least this many are looked up, since quantized vectors come in a slightly other order."""

_MIXED = 4
"""Number of sentences that are mixed into one query of the sample."""

_TRAINED_ON, _SEED = 64, 1
_ADDED = 1 << 16
_RECALL, _TOP, _DEPTH = 0.98, 10, 512
_BLOCK = 1 << 12


@dataclass(frozen=True, slots=True)
class Layout:
    """How vectors are searched and tokens quantized.

    Attributes:
        faiss: the string for FAISS's ``index_factory``.
        lists: number of lists of an IVF index, else 0.
        refine: this many times the requested depth is looked up and compared again with the full
            vectors.
        token_bits: bits of each component of a token vector.
        compact: whether what is stored beside the codes is as small as it can be.

    """

    faiss: str
    lists: int
    refine: int
    token_bits: int
    compact: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared in full."""
        return self.lists == 0


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

        is_exact, index = layout.is_exact, _faiss_index(vectors, layout)
        writer.append(cls.NAME, faiss.serialize_index(index))
        if is_exact:
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


def choose_layout(
    chunks: int,
    dimension: int,
    memory: int | None = None,
    *,
    readings: int = 2,
    compact: bool = False,
) -> Layout:
    """Return the most exact layout that fits the memory budget.

    Args:
        chunks: number of chunks.
        dimension: length of the vectors.
        memory: budget in bytes; half of it is for vectors, half for everything else.
        readings: how often the model reads each chunk. Tokens of a model that was trained for
            late interaction keep their order with 4 bits a component in a small index too.
        compact: use 2 bits a component for token vectors, and 16 for the others where all are
            compared.

    Raises:
        InputError: no layout fits the budget.

    """
    budget = DEFAULT_MEMORY if memory is None else memory
    few = 8 if readings == 2 and chunks <= _EIGHT_BITS else 4
    bits = few if chunks <= _FOUR_BITS and not compact else 2
    lists = max(16, round(4 * chunks**0.5))
    flat, component = ("SQfp16", 2) if compact else ("Flat", 4)
    sizes = {
        flat: component * dimension * chunks,
        f"IVF{lists},SQ8": (dimension + 8) * chunks + 4 * dimension * lists,
        f"IVF{lists},RaBitQ": (dimension // 8 + 16) * chunks + 4 * dimension * lists,
    }
    for faiss, size in sizes.items():
        if faiss == flat and chunks > _EXACT:
            continue
        if size <= budget // 2:
            refine = 2 if faiss.endswith("RaBitQ") else 1
            return Layout(faiss, 0 if faiss == flat else lists, refine, bits, compact)
    least = max(_LEAST, 2 * min(sizes.values()))
    raise InputError(
        f"a memory budget of {budget / 2**20:,.0f} MiB is too small for {chunks:,} passages of "
        f"{dimension} dimensions; expected at least {-(-least >> 20):,} MiB. Give more, or push "
        f"the index to a server."
    )


def _faiss_index(vectors: Table, layout: Layout) -> Any:
    import faiss

    library: Any = faiss
    dimension = vectors.shape[1]
    index = library.index_factory(dimension, layout.faiss, library.METRIC_INNER_PRODUCT)
    if not layout.is_exact:
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = _TRAINED_ON
        index.cp.seed = _SEED
        size = min(len(vectors), layout.lists * _TRAINED_ON)
        chosen = np.random.default_rng(_SEED).choice(len(vectors), size, replace=False)
        index.train(np.ascontiguousarray(vectors[np.sort(chosen)]))
    for start in range(0, len(vectors), _ADDED):
        index.add(np.ascontiguousarray(vectors[start : start + _ADDED]))
    return index


def _tune_probes(index: Any, vectors: Table, layout: Layout, queries: Vectors) -> VectorIndex:
    """The index with the fewest probes that find enough of the queries' neighbours."""
    exact = _nearest(vectors, queries)
    probes = 1
    while True:
        candidate = VectorIndex(index, vectors, SearchSettings(layout.faiss, probes, layout.refine))
        shares = [
            np.isin(ids, candidate.search(query, _DEPTH)[1][:_TOP]).mean()
            for query, ids in zip(queries, exact, strict=True)
        ]
        recall = float(np.mean(shares)) if shares else 1.0
        if recall >= _RECALL or probes >= layout.lists:
            return candidate._with_recall(round(recall, 4), len(queries))
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


class QuerySample:
    """Vectors like those of questions, made of sentences of the corpus.

    A model that pools by the mean makes the vector of a question of its tokens so. The mean of four
    sentences has its nearest neighbours in as many IVF lists as a real question: measured on
    100,000 passages, where a single sentence has them in a fourth of the lists.
    """

    def __init__(self, chunks: set[int], quantizer: TokenQuantizer, readings: int) -> None:
        """``chunks``: the numbers of the chunks whose first sentence is used."""
        self._chunks = chunks
        self._first_alone = TokenLayout.alone(readings).start
        self.quantizer = quantizer
        self._sentences: list[Vectors] = []

    def add(self, first: int, chunks: Sequence[QuantizedTokens]) -> None:
        """Take what is needed of the next chunks, the first of which has the number ``first``."""
        for number, tokens in enumerate(chunks, start=first):
            if number in self._chunks:
                self._add_sentence(tokens)

    def _add_sentence(self, tokens: QuantizedTokens) -> None:
        alone = self._first_alone
        start, end = offsets_of(tokens.lengths)[alone : alone + 2].tolist()
        if start < end:
            # As the index stores it, which is all that an update has.
            codes, scales = self.quantizer.quantize(
                tokens.codes[start:end], tokens.scales[start:end]
            )
            rotated = (self.quantizer.decode(codes) * scales[:, None]).mean(axis=0)
            sentence = self.quantizer.rotate_back(rotated)
            self._sentences.append(sentence / max(float(np.linalg.norm(sentence)), 1e-9))

    def queries(self, dimension: int) -> Vectors:
        """Return ``(q, d)`` unit vectors."""
        number = len(self._sentences) // _MIXED
        sentences = np.asarray(self._sentences[: number * _MIXED], np.float32)
        mixed = sentences.reshape(number, _MIXED, dimension).sum(axis=1)
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.ascontiguousarray(mixed / np.maximum(lengths, 1e-9))
