"""An index that lies on a Milvus server, as retrieval asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.errors import IndexDamagedError, IndexNotFoundError
from ragkit.index.centroids import CentroidRows
from ragkit.index.filters import Conditions, check_properties
from ragkit.index.manifest import Manifest
from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.directory import Directory
from ragkit.index.milvus.documents import StoredDocuments
from ragkit.index.milvus.encoding import Kind, pieces, unpacked
from ragkit.index.milvus.generation import Generation
from ragkit.index.milvus.head import Head, Table
from ragkit.index.milvus.location import MilvusLocation
from ragkit.index.milvus.postings import StoredPostings
from ragkit.index.milvus.rows import ChunkRow, ChunkTokens, coarse_of, tokens_of
from ragkit.index.milvus.server import TIMEOUT, Server
from ragkit.index.protocol import AllowedChunks
from ragkit.index.token_vectors import TokenQuantizer, TokenRows
from ragkit.storage.arrays import Integers
from ragkit.types import Chunk, Document

__all__ = ["MEMORY", "MilvusData", "Opened", "open_data", "read_head", "refuse_cut"]

MEMORY = 256 << 20
"""Bytes of what was read that are kept, unless something else is said."""

_AHEAD = 4
"""A chunk's tokens are seldom more pieces."""


class Opened(NamedTuple):
    """``manifest``: what made the index; whoever asks it must be the same encoder."""

    manifest: Manifest
    data: MilvusData


class MilvusData:
    """One generation of an index on a server. What it offers to retrieval says ``IndexData``.

    Every method but those of what is in memory may raise IndexServerError, IndexDamagedError for a
    row that is not what was pushed, and IndexNotFoundError once two newer generations were pushed.
    """

    def __init__(self, server: Server, generation: Generation, blobs: Blobs, head: Head) -> None:
        self._server = server
        self._generation = generation
        self._blobs = blobs
        self._head = head
        self._counts = dict(head.manifest.counts)
        self._code = TokenQuantizer(head.manifest.token_bits, head.manifest.dimension)
        self._centroids = blobs.one(Kind.TABLE, Table.CENTROIDS, _flat).reshape(
            -1, head.manifest.dimension
        )
        stems = blobs.one(Kind.TABLE, Table.STEMS, Directory.from_bytes)
        ids = blobs.one(Kind.TABLE, Table.IDS, Directory.from_bytes)
        self._lexicon = StoredPostings(blobs, stems, len(self))
        self._documents = StoredDocuments(blobs, self._counts["documents"], ids, head.properties)

    @property
    def generation(self) -> str:
        """Which push it is; ``newest`` says another one when there is another to read."""
        return str(self._generation)

    def newest(self) -> str:
        """The generation that readers are to read now: one small call."""
        return str(_published(self._server))

    def close(self) -> None:
        """Let the connection go; nothing can be asked after that."""
        self._server.close()

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        return self._head.title if conditions is None else self._documents.title_of(conditions)

    @property
    def counts(self) -> Mapping[str, int]:
        return self._counts

    @property
    def documents(self) -> StoredDocuments:
        return self._documents

    def __len__(self) -> int:
        return self._counts["chunks"]

    def document(self, document_id: str) -> Document:
        return self._documents.by_id(document_id)

    def chunks(self, numbers: Sequence[int]) -> list[Chunk]:
        return [row.chunk for row in self._rows_of(numbers)]

    def texts(self, numbers: Sequence[int]) -> list[str]:
        return [tokens.text for tokens in self._tokens_of(numbers)]

    def frequencies(self, stems: Sequence[str]) -> list[int]:
        return self._lexicon.frequencies(stems)

    def allowed(self, conditions: Conditions) -> AllowedChunks:
        if len(self._documents):
            check_properties(conditions, self._documents.properties)
        documents = self._documents.matching(conditions)
        chunks = self._blobs.one(Kind.TABLE, Table.CHUNKS, _flat)
        return AllowedChunks(np.repeat(documents, chunks), documents)

    def nearest(
        self, vector: Vectors, depth: int, allowed: AllowedChunks | None = None
    ) -> tuple[Integers, Vectors]:
        number = len(self) if allowed is None else int(allowed.chunks.sum())
        depth = min(depth, number)
        if not depth:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        condition = "" if allowed is None else _condition(allowed.documents)
        return self._server.nearest(self._generation.vectors, vector, depth, len(self), condition)

    def with_stems(
        self, weights: Mapping[str, float], depth: int, allowed: AllowedChunks | None = None
    ) -> Integers:
        return self._lexicon.best(weights, depth, None if allowed is None else allowed.chunks)

    def cosines(self, vector: Vectors, chunks: Integers) -> Vectors:
        vectors = [row.vector for row in self._rows_of(chunks.tolist())]
        found: Vectors = np.asarray(vectors, dtype=np.float32).reshape(-1, len(vector)) @ vector
        return found

    def coverage(self, weights: Mapping[str, float], chunks: Integers) -> NDArray[np.float32]:
        return self._lexicon.coverage(weights, chunks)

    def centroid_ids(self, chunks: Integers) -> CentroidRows:
        return coarse_of(self._rows_of(chunks.tolist()), self._centroids)

    def token_vectors(self, chunks: Integers) -> TokenRows:
        return tokens_of(self._tokens_of(chunks.tolist()), self._code)

    def _rows_of(self, chunks: Sequence[int]) -> list[ChunkRow]:
        return self._blobs.get(Kind.ROW, chunks, ChunkRow.from_bytes)

    def _tokens_of(self, chunks: Sequence[int]) -> list[ChunkTokens]:
        return self._blobs.get(Kind.TOKENS, chunks, ChunkTokens.from_bytes, ahead=_AHEAD)


def open_data(
    location: MilvusLocation, *, memory: int = MEMORY, timeout: float = TIMEOUT
) -> Opened:
    """The published generation of the index at ``location``.

    ``memory``: how many bytes of what was read are kept; ``timeout``: seconds that one answer may
    take.

    Raises IndexNotFoundError, IndexDamagedError if a collection has not as many rows as its head
    says, IndexMismatchError for another format, IndexServerError, IndexLockedError for a file that
    another process has open, and MissingExtraError.
    """
    if location.is_file and not Path(location.uri).exists():  # connecting would make it
        raise _not_found(location)
    server = Server(location, timeout)
    try:
        server.refuse_old()
        generation = _published(server)
        for collection in (generation.blobs, generation.vectors):
            server.load(collection)
        blobs = Blobs(server, generation.blobs, memory)
        head, rows = read_head(blobs, location)
        chunks = head.manifest.counts["chunks"]
        for collection, expected in ((generation.blobs, rows), (generation.vectors, chunks)):
            refuse_cut(location, collection, server.count(collection), expected)
        return Opened(head.manifest, MilvusData(server, generation, blobs, head))
    except BaseException:
        server.close()
        raise


def read_head(blobs: Blobs, location: MilvusLocation) -> tuple[Head, int]:
    """The head, and how many rows the collection of blobs should have with it."""
    head = blobs.one(Kind.TABLE, Table.HEAD, lambda data: Head.from_bytes(data, location))
    own = sum(1 for _ in pieces(Kind.TABLE, Table.HEAD, head.to_bytes()))
    return head, head.rows + own


def _published(server: Server) -> Generation:
    found = server.published()
    if found is None:
        raise _not_found(server.location)
    return found


def _not_found(location: MilvusLocation) -> IndexNotFoundError:
    return IndexNotFoundError(
        f"there is no index at {location}. Push one: ragkit index push INDEX {location}"
    )


def refuse_cut(location: MilvusLocation, collection: str, found: int, expected: int) -> None:
    """Raises IndexDamagedError unless as many rows were found as expected."""
    if found != expected:
        raise IndexDamagedError(
            f"{location} is damaged: {collection} has {found} rows; expected {expected}. Push the "
            f"index again."
        )


def _condition(fine: NDArray[np.bool_]) -> str:
    """Documents as a filter, by those in or those left out, whichever are fewer."""
    if fine.all():
        return ""
    is_in = int(fine.sum()) <= len(fine) // 2
    numbers = np.flatnonzero(fine == is_in).tolist()
    return f"document {'in' if is_in else 'not in'} {numbers}"


def _flat(data: bytes) -> NDArray[Any]:
    [found] = unpacked(data)
    return found
