"""MilvusData: one generation of an index on a Milvus server, as retrieval searches it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.commands import command
from ragkit.encoding import Vectors
from ragkit.errors import IndexDamagedError, IndexNotFoundError
from ragkit.index.centroids import CentroidRows
from ragkit.index.filters import Conditions, check_properties
from ragkit.index.manifest import Manifest
from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.directory import Directory
from ragkit.index.milvus.documents import MilvusDocuments
from ragkit.index.milvus.encoding import BlobKind, split_blob, unpack_arrays
from ragkit.index.milvus.generation import Generation
from ragkit.index.milvus.head import Head, TableBlob
from ragkit.index.milvus.location import MilvusLocation
from ragkit.index.milvus.postings import MilvusPostings
from ragkit.index.milvus.rows import ChunkContent, ChunkRow, centroid_rows_of, token_rows_of
from ragkit.index.milvus.server import TIMEOUT, Server
from ragkit.index.protocol import AllowedChunks
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import TokenRows
from ragkit.storage.arrays import Integers
from ragkit.types import Chunk, Document

__all__ = [
    "DEFAULT_CACHE_SIZE",
    "MilvusData",
    "OpenGeneration",
    "check_row_count",
    "load_head",
    "open_data",
]

DEFAULT_CACHE_SIZE = 256 << 20
"""Bytes of fetched blobs that are cached by default."""

_CONTENT_PIECES = 4
"""Number of pieces that the content of a chunk rarely exceeds."""


class OpenGeneration(NamedTuple):
    """An open generation.

    Attributes:
        manifest: the manifest of the index that was pushed; it names the encoder.
        data: its data.

    """

    manifest: Manifest
    data: MilvusData


class MilvusData:
    """One generation of an index on a server. ``IndexData`` documents the shared methods.

    Methods that fetch something raise IndexServerError; IndexDamagedError for a blob that is not
    what was pushed; and IndexNotFoundError once two newer generations were pushed.
    """

    def __init__(self, server: Server, generation: Generation, blobs: Blobs, head: Head) -> None:
        self._server = server
        self._generation = generation
        self._blobs = blobs
        self._head = head
        self._counts = dict(head.manifest.counts)
        self._quantizer = TokenQuantizer(head.manifest.token_bits, head.manifest.dimension)
        centroids = blobs.get_one(BlobKind.TABLE, TableBlob.CENTROIDS, _only_array)
        self._centroids: Vectors = centroids.reshape(-1, head.manifest.dimension)
        stems = blobs.get_one(BlobKind.TABLE, TableBlob.STEMS, Directory.from_bytes)
        ids = blobs.get_one(BlobKind.TABLE, TableBlob.IDS, Directory.from_bytes)
        self._postings = MilvusPostings(blobs, stems, len(self))
        self._documents = MilvusDocuments(blobs, self._counts["documents"], ids, head.properties)

    @property
    def generation(self) -> str:
        """The name of this generation, to be compared with ``newest``."""
        return str(self._generation)

    def newest(self) -> str:
        """Ask the server for the name of the published generation: one small call."""
        return str(_published(self._server))

    def close(self) -> None:
        """Close the connection, after which nothing can be fetched."""
        self._server.close()

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        return self._head.title if conditions is None else self._documents.title_of(conditions)

    def check_files(self) -> None:
        """There are none: the index lies on the server."""

    @property
    def counts(self) -> Mapping[str, int]:
        return self._counts

    @property
    def documents(self) -> MilvusDocuments:
        return self._documents

    @property
    def properties(self) -> Iterable[str]:
        return self._documents.properties

    @property
    def languages(self) -> Mapping[str, int]:
        return self._head.manifest.languages

    def __len__(self) -> int:
        return self._counts["chunks"]

    def document(self, document_id: str) -> Document:
        return self._documents.by_id(document_id)

    def chunks(self, numbers: Sequence[int]) -> list[Chunk]:
        return [row.chunk for row in self._rows(numbers)]

    def texts(self, numbers: Sequence[int]) -> list[str]:
        return [content.text for content in self._contents(numbers)]

    def frequencies(self, stems: Sequence[str], allowed: AllowedChunks | None = None) -> list[int]:
        if allowed is None:
            return self._postings.frequencies(stems)
        return self._postings.allowed_frequencies(stems, allowed.chunks)

    def allowed(self, conditions: Conditions) -> AllowedChunks:
        if len(self._documents):
            check_properties(conditions, self.properties)
        documents = self._documents.matching(conditions)
        chunks = self._blobs.get_one(BlobKind.TABLE, TableBlob.CHUNKS, _only_array)
        return AllowedChunks(np.repeat(documents, chunks), documents)

    def nearest(
        self, vector: Vectors, depth: int, allowed: AllowedChunks | None = None
    ) -> tuple[Integers, Vectors]:
        number = len(self) if allowed is None else int(allowed.chunks.sum())
        depth = min(depth, number)
        if not depth:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        condition = "" if allowed is None else _document_filter(allowed.documents)
        return self._server.nearest(self._generation.vectors, vector, depth, len(self), condition)

    def with_stems(
        self, weights: Mapping[str, float], depth: int, allowed: AllowedChunks | None = None
    ) -> Integers:
        return self._postings.best(weights, depth, None if allowed is None else allowed.chunks)

    def vectors_of(self, chunks: Integers) -> Vectors:
        vectors = [row.vector for row in self._rows(chunks.tolist())]
        return np.asarray(vectors, dtype=np.float32).reshape(-1, self._quantizer.dimension)

    def cosines(self, vector: Vectors, chunks: Integers) -> Vectors:
        cosines: Vectors = self.vectors_of(chunks) @ vector
        return cosines

    def coverage(self, weights: Mapping[str, float], chunks: Integers) -> NDArray[np.float32]:
        return self._postings.coverage(weights, chunks)

    def centroid_ids(self, chunks: Integers) -> CentroidRows:
        return centroid_rows_of(self._rows(chunks.tolist()), self._centroids)

    def token_vectors(self, chunks: Integers) -> TokenRows:
        return token_rows_of(
            self._contents(chunks.tolist()), self._quantizer, self._head.manifest.readings
        )

    def _rows(self, chunks: Sequence[int]) -> list[ChunkRow]:
        return self._blobs.get(BlobKind.ROW, chunks, ChunkRow.from_bytes)

    def _contents(self, chunks: Sequence[int]) -> list[ChunkContent]:
        return self._blobs.get(
            BlobKind.TOKENS, chunks, ChunkContent.from_bytes, expected_pieces=_CONTENT_PIECES
        )


def open_data(
    location: MilvusLocation,
    *,
    cache_size: int = DEFAULT_CACHE_SIZE,
    timeout: float = TIMEOUT,
) -> OpenGeneration:
    """Open the published generation of the index at ``location``.

    Args:
        cache_size: bytes of fetched blobs that are cached.
        timeout: seconds that one call may take.

    Raises:
        IndexNotFoundError: there is no index at the location.
        IndexDamagedError: a collection has another number of rows than the head says.
        IndexMismatchError: the index has another format.
        IndexLockedError: another process has the file open.
        IndexServerError: the server failed.
        MissingExtraError: a library is not installed.

    """
    if location.is_file and not Path(location.uri).exists():  # connecting would create it
        raise _not_found(location)
    server = Server(location, timeout)
    try:
        server.check_version()
        generation = _published(server)
        for collection in (generation.blobs, generation.vectors):
            server.load(collection)
        blobs = Blobs(server, generation.blobs, cache_size)
        head, rows = load_head(blobs, location)
        chunks = head.manifest.counts["chunks"]
        for collection, expected in ((generation.blobs, rows), (generation.vectors, chunks)):
            check_row_count(location, collection, server.count(collection), expected)
        return OpenGeneration(head.manifest, MilvusData(server, generation, blobs, head))
    except BaseException:
        server.close()
        raise


def load_head(blobs: Blobs, location: MilvusLocation) -> tuple[Head, int]:
    """Return the head, and the number of rows that the collection of blobs must have."""
    head = blobs.get_one(
        BlobKind.TABLE, TableBlob.HEAD, lambda data: Head.from_bytes(data, location)
    )
    own = sum(1 for _ in split_blob(BlobKind.TABLE, TableBlob.HEAD, head.to_bytes()))
    return head, head.rows + own


def check_row_count(location: MilvusLocation, collection: str, actual: int, expected: int) -> None:
    """Raise IndexDamagedError unless a collection has as many rows as expected."""
    if actual != expected:
        raise IndexDamagedError(
            f"{location} is damaged: {collection} has {actual} rows; expected {expected}. Push the "
            f"index again."
        )


def _published(server: Server) -> Generation:
    generation = server.published()
    if generation is None:
        raise _not_found(server.location)
    return generation


def _not_found(location: MilvusLocation) -> IndexNotFoundError:
    return IndexNotFoundError(
        f"there is no index at {location}. Push one: {command('ragkit index push INDEX', location)}"
    )


def _document_filter(allowed: NDArray[np.bool_]) -> str:
    """Milvus's filter for the allowed documents, by those or by the others, the shorter list."""
    if allowed.all():
        return ""
    names_allowed = int(allowed.sum()) <= len(allowed) // 2
    numbers = np.flatnonzero(allowed == names_allowed).tolist()
    return f"document {'in' if names_allowed else 'not in'} {numbers}"


def _only_array(data: bytes) -> NDArray[Any]:
    [array] = unpack_arrays(data)
    return array
