"""IndexData: what retrieval asks of an index, whether it is in memory, on disk or on a server.

A chunk is identified by its number, from 0, in the order of the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.centroids import CentroidRows
from ragkit.index.documents import LazyDocuments
from ragkit.index.filters import Conditions
from ragkit.index.token_vectors import TokenRows
from ragkit.storage.arrays import Integers
from ragkit.types import Chunk, Document

__all__ = ["AllowedChunks", "IndexData", "Progress"]

Progress = Callable[[int, int], None]
"""Called with (done, total): texts to encode, or chunks to push."""


@dataclass(frozen=True, slots=True, eq=False)
class AllowedChunks:
    """The result of a filter.

    Attributes:
        chunks: ``(n,)``, True for each chunk that may be found.
        documents: ``(m,)``, the same for each document.

    """

    chunks: NDArray[np.bool_]
    documents: NDArray[np.bool_]


class IndexData(Protocol):
    """An immutable corpus, ready to be searched.

    Methods raise the errors of the store that the corpus lies in: IndexDamagedError for bytes that
    do not match their checksum, and on a server also IndexServerError and IndexNotFoundError.
    """

    def check_files(self) -> None:
        """Raise IndexDamagedError if a file of it was cut short since it was opened."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of ``documents``, ``chunks`` and ``sentences``."""
        ...

    @property
    def documents(self) -> LazyDocuments:
        """All documents in the order of the corpus, each loaded when it is accessed."""
        ...

    @property
    def properties(self) -> Iterable[str]:
        """Names of the documents' metadata properties; these need not have the built-in ones."""
        ...

    @property
    def languages(self) -> Mapping[str, int]:
        """Number of documents in each language, most first; empty if all are English."""
        ...

    def __len__(self) -> int:
        """Number of chunks."""
        ...

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        """Return the title that all documents share, or all that fulfil the conditions.

        None if they have different titles, or if there are none.
        """
        ...

    def document(self, document_id: str) -> Document:
        """Return the document with that id. Raises KeyError."""
        ...

    def chunks(self, numbers: Sequence[int]) -> list[Chunk]:
        """Return the chunks with these numbers."""
        ...

    def texts(self, numbers: Sequence[int]) -> list[str]:
        """Return the texts of the chunks with these numbers."""
        ...

    def frequencies(self, stems: Sequence[str], allowed: AllowedChunks | None = None) -> list[int]:
        """Return for each stem the number of chunks that have it."""
        ...

    def allowed(self, conditions: Conditions) -> AllowedChunks:
        """Return the chunks of the documents that fulfil all conditions.

        Raises:
            FilterError: a condition names a property that no document has.

        """
        ...

    def nearest(
        self, vector: Vectors, depth: int, allowed: AllowedChunks | None = None
    ) -> tuple[Integers, Vectors]:
        """Return at most ``depth`` chunks nearest to a ``(d,)`` unit vector, and their cosines."""
        ...

    def with_stems(
        self, weights: Mapping[str, float], depth: int, allowed: AllowedChunks | None = None
    ) -> Integers:
        """Return at most ``depth`` chunks with the greatest sum of the weights of their stems.

        Only chunks whose sum is greater than 0 are returned, in ascending order.
        """
        ...

    def vectors_of(self, chunks: Integers) -> Vectors:
        """Return ``(n, d)``: the vector of each of ``chunks``."""
        ...

    def cosines(self, vector: Vectors, chunks: Integers) -> Vectors:
        """Return the cosine of each chunk's vector with a ``(d,)`` unit vector."""
        ...

    def coverage(self, weights: Mapping[str, float], chunks: Integers) -> NDArray[np.float32]:
        """Return for each chunk the sum of the weights of the stems that it has."""
        ...

    def centroid_ids(self, chunks: Integers) -> CentroidRows:
        """Return the nearest centroids of the tokens of ``chunks``, which ascend."""
        ...

    def token_vectors(self, chunks: Integers) -> TokenRows:
        """Return all token vectors of ``chunks``, which ascend."""
        ...
