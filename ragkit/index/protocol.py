"""What retrieval asks of an index, wherever it lies: in memory, on disk, on a server.

Chunks are known by their number, from 0, in the corpus's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.filters import Conditions
from ragkit.index.quantization import TokenCode
from ragkit.types import Chunk, Document

__all__ = ["Allowed", "CoarseRows", "IndexData", "Numbers", "Progress", "TokenRows"]

Progress = Callable[[int, int], None]
"""Called with (done, total): texts to encode, or chunks to push."""

Numbers = NDArray[np.int64]
"""Chunks, by their numbers."""

Allowed = Any
"""Which chunks may be found, as ``IndexData.allowed`` gave it; None for all."""


@dataclass(frozen=True, slots=True)
class CoarseRows:
    """Of some chunks, which centroids their tokens are nearest to.

    ``centroids``: ``(c, d)``. ``bags``: of each chunk the distinct centroids that ``forward`` looks
    at, borders ``bag_borders`` ``(n + 1,)``. ``within``: the centroid of each token that
    ``reverse`` looks at, sentence by sentence, borders ``within_borders`` ``(m + 1,)``.
    ``sentences``: ``(n,)``, how many each chunk has.
    """

    centroids: Vectors
    bags: NDArray[np.uint16]
    bag_borders: Numbers
    within: NDArray[np.uint16]
    within_borders: Numbers
    sentences: Numbers


@dataclass(frozen=True, slots=True)
class TokenRows:
    """The token vectors of some chunks, coded by ``code``, as ``LateIndex`` orders them.

    ``lengths``: of their segments, chunk by chunk: the context, then two a sentence. ``starts``:
    where in its document each token of a sentence alone begins, -1 for the others. ``sentences``:
    ``(n,)``, how many each chunk has.
    """

    code: TokenCode
    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int32]
    lengths: Numbers
    sentences: Numbers

    def similarities(self, queries: Vectors) -> Vectors:
        """Cosine of each token with each of ``(t, d)`` queries: ``(n, t)``."""
        found = self.code.products(self.codes, queries)
        found *= self.scales[:, None]
        return found


class IndexData(Protocol):
    """An immutable corpus, ready to be searched. Errors are those of the store it lies in."""

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        """The title of all documents, or of those that fulfil all conditions; None if they have
        several or there are none.
        """
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """How many ``documents``, ``chunks`` and ``sentences`` there are."""
        ...

    @property
    def documents(self) -> Sequence[Document]:
        """All documents in the corpus's order, each read when it is asked for."""
        ...

    def __len__(self) -> int:
        """How many chunks there are."""
        ...

    def document(self, document_id: str) -> Document:
        """The document of that id. Raises KeyError."""
        ...

    def chunk(self, number: int) -> Chunk:
        """Where a chunk stands."""
        ...

    def text_of(self, number: int) -> str:
        """What stands there."""
        ...

    def learn(self, stems: Sequence[str]) -> None:
        """Be told which stems will be asked about, so that a store far away reads them at once."""
        ...

    def idf(self, stem: str) -> float:
        """``ln(1 + (N − n + ½)/(n + ½))`` for a stem in n of N chunks; always positive."""
        ...

    def knows(self, stem: str) -> bool:
        """Whether any chunk has the stem."""
        ...

    def allowed(self, conditions: Conditions) -> Allowed:
        """The chunks of documents that fulfil all conditions. Raises FilterError for a property
        that no document has.
        """
        ...

    def nearest(
        self, vector: Vectors, depth: int, allowed: Allowed = None
    ) -> tuple[Numbers, Vectors]:
        """At most ``depth`` chunks nearest to a ``(d,)`` unit vector, and their cosines."""
        ...

    def with_words(
        self, weights: Mapping[str, float], depth: int, allowed: Allowed = None
    ) -> Numbers:
        """At most ``depth`` chunks for which the sum of the weights of the stems that they have is
        greatest, and more than 0.
        """
        ...

    def cosines(self, vector: Vectors, chunks: Numbers) -> Vectors:
        """The cosine of each of ``chunks`` with a ``(d,)`` unit vector."""
        ...

    def coverage(self, weights: Mapping[str, float], chunks: Numbers) -> NDArray[np.float32]:
        """Of each of ``chunks`` the sum of the weights of the stems that it has."""
        ...

    def coarse(self, chunks: Numbers) -> CoarseRows:
        """Of each of ``chunks`` (ascending) which centroids its tokens are nearest to."""
        ...

    def tokens(self, chunks: Numbers) -> TokenRows:
        """All token vectors of each of ``chunks`` (ascending)."""
        ...
