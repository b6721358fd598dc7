"""Copying an index to a server, so that its readers see the old one whole, then the new one whole.

A push fills collections of its own, proves them, and then moves the index's alias to them, which is
the one step that readers see. A push that dies before leaves collections that nothing points to;
the next one removes them. The generation that was replaced stays until the next push but one.
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
from ragkit.index.milvus.data import read_head, refuse_cut
from ragkit.index.milvus.directory import Directory
from ragkit.index.milvus.documents import Columns, document_bytes, id_blobs
from ragkit.index.milvus.encoding import Kind, packed, pieces
from ragkit.index.milvus.generation import Generation
from ragkit.index.milvus.head import Head, Table
from ragkit.index.milvus.location import MilvusLocation
from ragkit.index.milvus.postings import stem_blobs
from ragkit.index.milvus.rows import rows_of
from ragkit.index.milvus.server import TIMEOUT, Server
from ragkit.index.protocol import IndexData, Progress
from ragkit.storage.arrays import Integers

__all__ = ["Pushable", "push"]

_CHUNKS = 64
_SENT = 4 << 20
_SAMPLE = 64

Blob = tuple[Kind, int, bytes]


class Pushable(IndexData, Protocol):
    """An index that can be copied."""

    def vectors_of(self, chunks: Integers) -> Vectors:
        """``(n, d)``: the one vector of each of ``chunks``."""
        ...

    def stems(self) -> Iterable[tuple[str, NDArray[np.int32]]]:
        """Each stem, in the order of its bytes, and the chunks that have it, ascending."""
        ...


def push(
    data: Pushable,
    manifest: Manifest,
    location: MilvusLocation,
    *,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
) -> str:
    """Make ``data`` the index at ``location``, and give the name of its generation there.

    Of two pushes at the same time the later takes the place; the earlier fails.

    Raises IndexWriteError, after which readers still read what was there before; IndexServerError
    or IndexLockedError if there is no connection; MissingExtraError.
    """
    server = Server(location, timeout)
    try:
        server.refuse_old()
        return _pushed(data, manifest, server, progress)
    except (IndexNotFoundError, IndexDamagedError) as error:
        raise IndexWriteError(
            f"the index could not be pushed to {location}: {error} What readers read is unchanged. "
            f"Another push may have taken the place; if there is none, push again."
        ) from error
    finally:
        server.close()


def _pushed(data: Pushable, manifest: Manifest, server: Server, progress: Progress | None) -> str:
    current = server.published()
    previous = _previous(server, current)
    there = server.generations()
    for one in there:
        if one not in (current, previous):
            server.drop(one)
    serial = max((one.serial for one in there), default=0) + 1
    generation = Generation(server.location.name, serial, manifest.generation)
    try:
        _fill(data, manifest, server, generation, current=current, progress=progress or _ignore)
        _verify(data, server, generation)
    except BaseException:
        with suppress(StoreError):
            server.drop(generation)
        raise
    server.publish(generation)
    if previous is not None:
        with suppress(StoreError):  # the next push does it
            server.drop(previous)
    return str(generation)


def _previous(server: Server, current: Generation | None) -> Generation | None:
    """What the published generation replaced, as its head says."""
    if current is None:
        return None
    try:
        head, _ = read_head(Blobs(server, current.blobs, 0), server.location)
    except StoreError:  # damaged, or of another format: nobody reads it, nor what was before it
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
    """Everything, the head last; when this returns, all readers would see all of it."""
    server.create(generation, manifest.dimension)
    writer = _Writer(server, generation)
    properties = _write_documents(data, writer)
    _write_chunks(data, writer, progress)
    firsts: list[bytes] = []
    writer.add(stem_blobs(data.stems(), firsts))
    writer.add([(Kind.TABLE, Table.STEMS, Directory(firsts).to_bytes())])
    previous = None if current is None else str(current)
    head = Head(manifest, writer.rows, data.title_of(), properties, previous)
    writer.add([(Kind.TABLE, Table.HEAD, head.to_bytes())])
    writer.send()
    inserted = time.monotonic()
    server.finish(generation.blobs, writer.rows)
    server.finish(generation.vectors, len(data))
    # So that no replica, however far it may lag, shows a reader less.
    time.sleep(max(0.0, inserted + server.lag - time.monotonic()))


def _write_documents(data: Pushable, writer: _Writer) -> Mapping[str, int]:
    """Documents and what finds them; gives what ``Columns.begun`` says."""
    columns, ids, firsts = Columns(), list[str](), list[bytes]()
    for number, document in enumerate(data.documents):
        ids.append(document.id)
        writer.add([(Kind.DOCUMENT, number, document_bytes(document))])
        writer.add(columns.add(document))
    writer.add(columns.rest())
    writer.add(id_blobs(ids, firsts))
    writer.add([(Kind.TABLE, Table.IDS, Directory(firsts).to_bytes())])
    writer.numbers = {document_id: number for number, document_id in enumerate(ids)}
    return columns.begun


def _write_chunks(data: Pushable, writer: _Writer, progress: Progress) -> None:
    """Chunks and their vectors, the centroids, and how many chunks each document has."""
    numbers = np.zeros(0, dtype=np.int64)
    centroids = data.centroid_ids(numbers).centroids
    writer.add([(Kind.TABLE, Table.CENTROIDS, packed(centroids.reshape(-1)))])
    owned = np.zeros(len(writer.numbers), dtype=np.int64)
    for start in range(0, len(data), _CHUNKS):
        numbers = np.arange(start, min(len(data), start + _CHUNKS))
        chunks = data.chunks(numbers.tolist())
        texts = data.texts(numbers.tolist())
        vectors = data.vectors_of(numbers)
        kept = rows_of(
            chunks, texts, vectors, data.centroid_ids(numbers), data.token_vectors(numbers)
        )
        for number, (row, tokens) in zip(numbers.tolist(), kept, strict=True):
            writer.add([(Kind.ROW, number, row.to_bytes())])
            writer.add([(Kind.TOKENS, number, tokens.to_bytes())])
        documents = np.asarray([writer.numbers[chunk.document_id] for chunk in chunks])
        writer.add_vectors(start, documents, vectors)
        owned += np.bincount(documents, minlength=len(owned))
        progress(start + len(numbers), len(data))
    writer.add([(Kind.TABLE, Table.CHUNKS, packed(owned))])


class _Writer:
    """Sends rows in batches of a few megabytes."""

    def __init__(self, server: Server, generation: Generation) -> None:
        self._server = server
        self._generation = generation
        self._waiting: list[tuple[int, str]] = []
        self._size = 0
        self.rows = 0
        self.numbers: dict[str, int] = {}

    def add(self, blobs: Iterable[Blob]) -> None:
        """Blobs, to be sent now or later."""
        for kind, number, content in blobs:
            for key, text in pieces(kind, number, content):
                self._waiting.append((key, text))
                self._size += len(text)
                self.rows += 1
                if self._size >= _SENT:
                    self.send()

    def send(self) -> None:
        """What still waits."""
        if self._waiting:
            self._server.insert_texts(self._generation.blobs, self._waiting)
        self._waiting, self._size = [], 0

    def add_vectors(self, first: int, documents: Integers, vectors: Vectors) -> None:
        """The vectors of the chunks from ``first`` on."""
        self._server.insert_vectors(self._generation.vectors, first, documents, vectors)


def _verify(data: Pushable, server: Server, generation: Generation) -> None:
    """Count all rows, and read some of each kind back: their checksums must match."""
    blobs = Blobs(server, generation.blobs, 0)
    _, rows = read_head(blobs, server.location)
    for collection, expected in ((generation.blobs, rows), (generation.vectors, len(data))):
        refuse_cut(server.location, collection, server.count(collection), expected)
    chunks = _sample(len(data))
    for kind, sample in (
        (Kind.ROW, chunks),
        (Kind.TOKENS, chunks),
        (Kind.DOCUMENT, _sample(len(data.documents))),
    ):
        blobs.get(kind, sample, len)
    for number, vector in zip(chunks, data.vectors_of(np.asarray(chunks, np.int64)), strict=True):
        _, cosines = server.nearest(generation.vectors, vector, 1, len(data), f"number == {number}")
        if not np.allclose(cosines, vector @ vector, atol=1e-4) or not len(cosines):
            raise IndexDamagedError(f"{generation.vectors} has another vector of chunk {number}.")


def _sample(number: int) -> list[int]:
    """Some of so many, evenly spread, the first and the last among them."""
    spread = np.linspace(0, number - 1, min(number, _SAMPLE))
    return sorted(set(spread.astype(int).tolist()))


def _ignore(_done: int, _total: int) -> None:
    """No progress is shown."""
