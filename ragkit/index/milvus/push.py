"""Copy an index to a server; readers see the old generation until the new one is complete.

A push fills collections of its own, verifies them, and then moves the index's alias to them, which
is the one step that readers see. A push that is interrupted leaves collections that no alias points
to; the next push removes them. The generation that was replaced stays, for readers that have it
open, until it is replaced once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.errors import IndexDamagedError, IndexNotFoundError, IndexWriteError, StoreError
from ragkit.index.manifest import Manifest
from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.data import check_row_count, load_head
from ragkit.index.milvus.directory import Directory
from ragkit.index.milvus.documents import ColumnsBuilder, encode_document, encode_ids
from ragkit.index.milvus.encoding import BlobKind, pack_arrays, split_blob
from ragkit.index.milvus.generation import Generation
from ragkit.index.milvus.head import Head, TableBlob
from ragkit.index.milvus.location import MilvusLocation
from ragkit.index.milvus.postings import encode_stems
from ragkit.index.milvus.rows import split_chunks
from ragkit.index.milvus.server import TIMEOUT, Server
from ragkit.index.protocol import IndexData, Progress
from ragkit.storage.arrays import Integers

__all__ = ["Pushable", "push"]

_CHUNKS = 64
"""Number of chunks that are copied at once."""

_BATCH = 4 << 20
"""Characters of blobs that are sent in one call."""

_SAMPLE = 64
"""Number of blobs of a kind, and of vectors, that are compared after a push."""

Blob = tuple[BlobKind, int, bytes]


class Pushable(IndexData, Protocol):
    """An index that can be copied to a server."""

    def stems(self) -> Iterable[tuple[str, NDArray[np.int32]]]:
        """Iterate over the stems, in the order of their bytes, and the chunks that have them."""
        ...


def push(
    data: Pushable,
    manifest: Manifest,
    location: MilvusLocation,
    *,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
) -> str:
    """Publish ``data`` as the index at ``location``; return the name of its generation there.

    Of two pushes at the same time, the one that starts later succeeds and the other fails.

    Args:
        progress: called with (chunks pushed, chunks in all).
        timeout: seconds that one call may take.

    Raises:
        IndexWriteError: the push failed; the published generation is unchanged.
        IndexLockedError, IndexServerError: there is no connection.
        MissingExtraError: a library is not installed.

    """
    server = Server(location, timeout)
    try:
        server.check_version()
        return _push(data, manifest, server, progress or _no_progress)
    except (IndexNotFoundError, IndexDamagedError) as error:
        raise IndexWriteError(
            f"the index could not be pushed to {location}: {error} The published index is "
            f"unchanged. If another push is running, wait for it; if not, push again."
        ) from error
    finally:
        server.close()


def _push(data: Pushable, manifest: Manifest, server: Server, progress: Progress) -> str:
    current = server.published()
    previous = _previous(server, current)
    existing = server.generations()
    for other in existing:
        if other not in (current, previous):
            server.drop(other)
    serial = max((one.serial for one in existing), default=0) + 1
    generation = Generation(server.location.name, serial, manifest.generation)
    try:
        _fill(data, manifest, server, generation, current=current, progress=progress)
        _verify(data, server, generation)
    except BaseException:
        with suppress(StoreError):
            server.drop(generation)
        raise
    server.publish(generation)
    if previous is not None:
        with suppress(StoreError):  # the next push tries again
            server.drop(previous)
    return str(generation)


def _previous(server: Server, current: Generation | None) -> Generation | None:
    """The generation that the published one replaced, as its head says."""
    if current is None:
        return None
    try:
        head, _ = load_head(Blobs(server, current.blobs, 0), server.location)
    except StoreError:  # damaged or of another format, so neither it nor its predecessor is in use
        return None
    return next((one for one in server.generations() if str(one) == head.previous), None)


def _fill(
    data: Pushable,
    manifest: Manifest,
    server: Server,
    generation: Generation,
    *,
    current: Generation | None,
    progress: Progress,
) -> None:
    """Write everything, the head last, and wait until all readers would see all of it."""
    server.create(generation, manifest.dimension)
    writer = _BlobWriter(server, generation)
    properties = _write_documents(data, writer)
    _write_chunks(data, writer, progress)
    first_stems: list[bytes] = []
    writer.add(encode_stems(data.stems(), first_stems))
    writer.add_table(TableBlob.STEMS, Directory(first_stems).to_bytes())
    previous = None if current is None else str(current)
    head = Head(manifest, writer.rows, data.title_of(), properties, previous)
    writer.add_table(TableBlob.HEAD, head.to_bytes())
    writer.flush()
    inserted = time.monotonic()
    server.finish(generation.blobs, writer.rows)
    server.finish(generation.vectors, len(data))
    time.sleep(max(0.0, inserted + server.replica_delay - time.monotonic()))


def _write_documents(data: Pushable, writer: _BlobWriter) -> Mapping[str, int]:
    """Write documents, their columns and ids; return ``ColumnsBuilder.first_blocks``."""
    columns, ids, first_ids = ColumnsBuilder(), list[str](), list[bytes]()
    for number, document in enumerate(data.documents):
        ids.append(document.id)
        writer.add([(BlobKind.DOCUMENT, number, encode_document(document))])
        writer.add(columns.add(document))
    writer.add(columns.flush())
    writer.add(encode_ids(ids, first_ids))
    writer.add_table(TableBlob.IDS, Directory(first_ids).to_bytes())
    writer.document_numbers = {document_id: number for number, document_id in enumerate(ids)}
    return columns.first_blocks


def _write_chunks(data: Pushable, writer: _BlobWriter, progress: Progress) -> None:
    """Write the centroids, the chunks, and the number of chunks of each document."""
    centroids = data.centroid_ids(np.zeros(0, dtype=np.int64)).centroids
    writer.add_table(TableBlob.CENTROIDS, pack_arrays(centroids.reshape(-1)))
    chunks_of = np.zeros(len(writer.document_numbers), dtype=np.int64)
    for start in range(0, len(data), _CHUNKS):
        numbers = np.arange(start, min(len(data), start + _CHUNKS))
        documents = _write_some_chunks(data, writer, numbers)
        chunks_of += np.bincount(documents, minlength=len(chunks_of))
        progress(start + len(numbers), len(data))
    writer.add_table(TableBlob.CHUNKS, pack_arrays(chunks_of))


def _write_some_chunks(data: Pushable, writer: _BlobWriter, numbers: Integers) -> Integers:
    """Write successive chunks and their vectors; return the number of each one's document."""
    chunks = data.chunks(numbers.tolist())
    vectors = data.vectors_of(numbers)
    parts = split_chunks(
        chunks,
        data.texts(numbers.tolist()),
        vectors,
        data.centroid_ids(numbers),
        data.token_vectors(numbers),
    )
    for number, (row, content) in zip(numbers.tolist(), parts, strict=True):
        writer.add([(BlobKind.ROW, number, row.to_bytes())])
        writer.add([(BlobKind.TOKENS, number, content.to_bytes())])
    documents = np.asarray([writer.document_numbers[chunk.document_id] for chunk in chunks])
    writer.add_vectors(int(numbers[0]), documents, vectors)
    return documents


class _BlobWriter:
    """Sends rows in batches of a few megabytes.

    Attributes:
        rows: number of rows added to the collection of blobs.
        document_numbers: number of each document, by id, once documents are written.

    """

    def __init__(self, server: Server, generation: Generation) -> None:
        self._server = server
        self._generation = generation
        self._batch: list[tuple[int, str]] = []
        self._size = 0
        self.rows = 0
        self.document_numbers: dict[str, int] = {}

    def add(self, blobs: Iterable[Blob]) -> None:
        """Add blobs, to be sent now or later."""
        for kind, number, content in blobs:
            for key, text in split_blob(kind, number, content):
                self._batch.append((key, text))
                self._size += len(text)
                self.rows += 1
                if self._size >= _BATCH:
                    self.flush()

    def add_table(self, table: TableBlob, content: bytes) -> None:
        """Add a table that the generation has once."""
        self.add([(BlobKind.TABLE, table, content)])

    def flush(self) -> None:
        """Send the rows that were not sent yet."""
        if self._batch:
            self._server.insert_texts(self._generation.blobs, self._batch)
        self._batch, self._size = [], 0

    def add_vectors(self, first: int, documents: Integers, vectors: Vectors) -> None:
        """Send the vectors of the chunks from number ``first`` on."""
        self._server.insert_vectors(self._generation.vectors, first, documents, vectors)


def _verify(data: Pushable, server: Server, generation: Generation) -> None:
    """Count all rows, and fetch a sample of blobs and vectors. Raises IndexDamagedError."""
    blobs = Blobs(server, generation.blobs, 0)
    _, rows = load_head(blobs, server.location)
    for collection, expected in ((generation.blobs, rows), (generation.vectors, len(data))):
        check_row_count(server.location, collection, server.count(collection), expected)
    chunks = _sample(len(data))
    for kind, sample in (
        (BlobKind.ROW, chunks),
        (BlobKind.TOKENS, chunks),
        (BlobKind.DOCUMENT, _sample(len(data.documents))),
    ):
        blobs.get(kind, sample, len)
    for number, vector in zip(chunks, data.vectors_of(np.asarray(chunks, np.int64)), strict=True):
        _, cosines = server.nearest(generation.vectors, vector, 1, len(data), f"number == {number}")
        if not np.allclose(cosines, vector @ vector, atol=1e-4) or not len(cosines):
            raise IndexDamagedError(f"{generation.vectors} has another vector for chunk {number}.")


def _sample(number: int) -> list[int]:
    """Up to ``_SAMPLE`` numbers below ``number``, evenly spread, the first and last included."""
    spread = np.linspace(0, number - 1, min(number, _SAMPLE))
    return sorted(set(spread.astype(int).tolist()))


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing."""
