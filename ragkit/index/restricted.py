"""RestrictedData: the documents of an index that fulfil conditions, as a corpus of their own.

Nothing that it returns depends on the other documents: neither what is listed and found, nor the
frequencies of words, by which a question could otherwise test whether a word occurs in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.errors import FilterError
from ragkit.index.centroids import CentroidRows
from ragkit.index.documents import LazyDocuments, ranked_languages
from ragkit.index.filters import Conditions, check_properties
from ragkit.index.protocol import AllowedChunks, IndexData
from ragkit.index.token_vectors import TokenRows
from ragkit.storage.arrays import Integers
from ragkit.types import Chunk, Document, MetadataValue

__all__ = ["RestrictedData"]

_ANY = Conditions({})


class RestrictedData:
    """Part of an index. ``IndexData`` documents the shared methods; chunks keep their numbers."""

    def __init__(self, data: IndexData, conditions: Sequence[Conditions]) -> None:
        """Find the documents of ``data`` that fulfil all ``conditions``; none if no document can.

        ``data`` is a whole index: a part numbers its documents anew.
        """
        self._data = data
        self._allowed = _all_of([_allowed(data, each) for each in (_ANY, *conditions)])
        self._documents = _RestrictedDocuments(data.documents, self._allowed.documents)
        self._length = int(np.count_nonzero(self._allowed.chunks))

    def check_files(self) -> None:
        self._data.check_files()

    @property
    def counts(self) -> Mapping[str, int]:
        return {"documents": len(self._documents), "chunks": self._length}

    @property
    def documents(self) -> LazyDocuments:
        return self._documents

    @cached_property
    def properties(self) -> Sequence[str]:
        every = self._data.properties
        return [name for name in every if any(v is not None for v in self._values_of(name))]

    @cached_property
    def languages(self) -> Mapping[str, int]:
        if not self._data.languages:
            return {}
        return ranked_languages(Counter(self._documents.languages()))

    def __len__(self) -> int:
        return self._length

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        return self._title if conditions is None else self._documents.title_of(conditions)

    def document(self, document_id: str) -> Document:
        return self._documents.by_id(document_id)

    def chunks(self, numbers: Sequence[int]) -> list[Chunk]:
        return self._data.chunks(numbers)

    def texts(self, numbers: Sequence[int]) -> list[str]:
        return self._data.texts(numbers)

    def frequencies(self, stems: Sequence[str], allowed: AllowedChunks | None = None) -> list[int]:
        return self._data.frequencies(stems, allowed or self._allowed)

    def allowed(self, conditions: Conditions) -> AllowedChunks:
        if len(self._documents):
            check_properties(conditions, self.properties)
        return _all_of([_allowed(self._data, conditions), self._allowed])

    def nearest(
        self, vector: Vectors, depth: int, allowed: AllowedChunks | None = None
    ) -> tuple[Integers, Vectors]:
        return self._data.nearest(vector, depth, allowed or self._allowed)

    def with_stems(
        self, weights: Mapping[str, float], depth: int, allowed: AllowedChunks | None = None
    ) -> Integers:
        return self._data.with_stems(weights, depth, allowed or self._allowed)

    def vectors_of(self, chunks: Integers) -> Vectors:
        return self._data.vectors_of(chunks)

    def cosines(self, vector: Vectors, chunks: Integers) -> Vectors:
        return self._data.cosines(vector, chunks)

    def coverage(self, weights: Mapping[str, float], chunks: Integers) -> NDArray[np.float32]:
        return self._data.coverage(weights, chunks)

    def centroid_ids(self, chunks: Integers) -> CentroidRows:
        return self._data.centroid_ids(chunks)

    def token_vectors(self, chunks: Integers) -> TokenRows:
        return self._data.token_vectors(chunks)

    @cached_property
    def _title(self) -> str | None:
        return self._documents.title_of(_ANY)

    def _values_of(self, name: str) -> Iterable[MetadataValue | None]:
        return self._documents.values_of(name)


class _RestrictedDocuments(LazyDocuments):
    """Some of the documents of an index, in the same order."""

    def __init__(self, documents: LazyDocuments, allowed: NDArray[np.bool_]) -> None:
        super().__init__()
        self._every = documents
        self._allowed = allowed
        self._numbers = np.flatnonzero(allowed)

    def __len__(self) -> int:
        return len(self._numbers)

    def number_of(self, document_id: str) -> int | None:
        number = self._every.number_of(document_id)
        if number is None or not self._allowed[number]:
            return None
        return int(np.searchsorted(self._numbers, number))

    def values_of(self, name: str) -> Iterable[MetadataValue | None]:
        return compress(self._every.values_of(name), self._allowed)

    def languages(self) -> Iterable[str]:
        return compress(self._every.languages(), self._allowed)

    def _load(self, numbers: range) -> Iterator[Document]:
        return (self._every[int(number)] for number in self._numbers[numbers])


def _allowed(data: IndexData, conditions: Conditions) -> AllowedChunks:
    """What fulfils the conditions: nothing, if they name a property that no document has."""
    try:
        return data.allowed(conditions)
    except FilterError:
        every = data.allowed(_ANY)
        return AllowedChunks(np.zeros_like(every.chunks), np.zeros_like(every.documents))


def _all_of(allowed: Sequence[AllowedChunks]) -> AllowedChunks:
    """What each of them allows."""
    return AllowedChunks(
        np.logical_and.reduce([each.chunks for each in allowed]),
        np.logical_and.reduce([each.documents for each in allowed]),
    )
