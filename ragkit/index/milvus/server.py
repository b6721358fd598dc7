"""The few calls made to a Milvus server, each with a timeout and with ragkit's errors.

A published generation never changes, and publishing waits until even the slowest replica that the
consistency level ``Bounded`` allows has everything; so queries need not wait for anything.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ragkit.encoding import Vectors
from ragkit.errors import IndexDamagedError
from ragkit.index.milvus.connection import (
    NOT_FOUND_CODES,
    connect,
    server_error,
    server_errors,
)
from ragkit.index.milvus.encoding import MAX_TEXT
from ragkit.index.milvus.generation import VECTORS, Generation
from ragkit.index.milvus.location import MilvusLocation
from ragkit.storage.arrays import Integers

__all__ = ["TIMEOUT", "Server", "is_too_old"]

TIMEOUT = 10.0
"""Seconds that one call may take by default."""

_WRITE_TIMEOUT = 60.0
"""Seconds that inserting and counting may take at least."""

_ADMIN_TIMEOUT = 600.0
"""Seconds that creating, indexing, loading or dropping a collection may take."""

_REPLICA_DELAY = 5.0
"""Seconds by which a replica may be late at consistency level ``Bounded``, which is Milvus's
default."""

_OLDEST = (2, 3)
"""The oldest version of Milvus that was tested."""

_MAX_HITS = 16_384
"""Number of rows that one search can return."""

_EXACT = 100_000
"""Up to this many vectors are searched exactly."""


class Server:
    """A connection to a server, or to milvus-lite in this process. Threads may share it.

    All methods raise IndexServerError, and IndexNotFoundError if a collection no longer exists.
    """

    def __init__(self, location: MilvusLocation, timeout: float = TIMEOUT) -> None:
        self.location = location
        self._timeout = timeout
        self._client = connect(location, timeout)
        self._finalizer = weakref.finalize(self, self._client.close)

    def close(self) -> None:
        """Close the connection, which also happens when the object is no longer used."""
        self._finalizer()

    @cached_property
    def version(self) -> str:
        """The version that the server reports."""
        with server_errors(self.location, "reporting its version"):
            return str(self._client.get_server_version(timeout=self._timeout))

    @property
    def replica_delay(self) -> float:
        """Seconds after which every reader sees a row that was inserted."""
        return 0.0 if self.version.startswith("milvus_lite") else _REPLICA_DELAY

    def check_version(self) -> None:
        """Raise IndexServerError if the server is older than any version that was tested."""
        if is_too_old(self.version):
            raise server_error(self.location, "reporting its version", f"it is {self.version}")

    # What the server has.

    def published(self) -> Generation | None:
        """Return the published generation, None if there is none.

        Raises:
            IndexDamagedError: the index's name is the alias of a collection that is not ragkit's.

        """
        from pymilvus import MilvusException

        name = self.location.name
        with server_errors(self.location, f"looking up {name}"):
            try:
                alias = self._client.describe_alias(alias=name, timeout=self._timeout)
            except MilvusException as error:
                if error.code in NOT_FOUND_CODES:
                    return None
                raise
        generation = Generation.of_collection(alias["collection_name"])
        if generation is None or generation.name != name:
            raise IndexDamagedError(
                f"{self.location} is the name of {alias['collection_name']!r}, which is not an "
                f"index of ragkit. Choose another name."
            )
        return generation

    def generations(self) -> list[Generation]:
        """Return all generations of this index, published or not, oldest first."""
        with server_errors(self.location, "listing its collections"):
            names = self._client.list_collections(timeout=self._timeout)
        every = {Generation.of_collection(name) for name in names} - {None}
        own = [one for one in every if one is not None and one.name == self.location.name]
        return sorted(own, key=lambda one: one.serial)

    def count(self, collection: str) -> int:
        """Return the number of rows, including the newest."""
        with server_errors(self.location, f"counting {collection}"):
            [row] = self._client.query(
                collection,
                filter="",
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=max(self._timeout, _WRITE_TIMEOUT),
            )
        return int(row["count(*)"])

    # Queries.

    def load(self, collection: str) -> None:
        """Load a collection into the server's memory, if it is not there."""
        from pymilvus.client.types import LoadState

        with server_errors(self.location, f"loading {collection}"):
            state = self._client.get_load_state(collection, timeout=self._timeout)
            if state["state"] != LoadState.Loaded:
                self._client.load_collection(collection, timeout=_ADMIN_TIMEOUT)

    def fetch_texts(self, collection: str, ids: Sequence[int]) -> dict[int, str]:
        """Return the text of each row with one of ``ids``; missing rows are left out."""
        with server_errors(self.location, f"reading {collection}"):
            rows = self._client.query(
                collection,
                filter=f"id in {list(ids)}",
                output_fields=["id", "text"],
                consistency_level="Bounded",
                timeout=self._timeout,
            )
        return {row["id"]: row["text"] for row in rows}

    def nearest(
        self, collection: str, vector: Vectors, depth: int, chunks: int, condition: str = ""
    ) -> tuple[Integers, Vectors]:
        """Return at most ``depth`` chunks nearest to a vector, best first, and their cosines.

        Args:
            chunks: number of chunks in the collection.
            condition: Milvus's filter expression; empty for none.

        """
        if depth <= _MAX_HITS:
            return self._nearest(collection, vector, depth, condition)
        parts = [
            self._nearest(collection, vector, _MAX_HITS, _both(condition, window))
            for window in _windows(chunks)
        ]
        numbers = np.concatenate([numbers for numbers, _ in parts])
        cosines = np.concatenate([cosines for _, cosines in parts])
        order = np.argsort(-cosines, kind="stable")[:depth]
        return numbers[order], cosines[order]

    def _nearest(
        self, collection: str, vector: Vectors, depth: int, condition: str
    ) -> tuple[Integers, Vectors]:
        with server_errors(self.location, f"searching {collection}"):
            [hits] = self._client.search(
                collection,
                data=[vector],
                anns_field="vector",
                limit=depth,
                filter=condition,
                output_fields=["document"],  # without any, milvus-lite returns all
                search_params={"metric_type": "IP", "params": {"ef": max(2 * depth, 512)}},
                consistency_level="Bounded",
                timeout=self._timeout,
            )
        return np.asarray(hits.ids, dtype=np.int64), np.asarray(hits.distances, dtype=np.float32)

    # Writing.

    def create(self, generation: Generation, dimension: int) -> None:
        """Create the two collections of a generation, empty."""
        from pymilvus import DataType

        blobs = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        blobs.add_field("id", DataType.INT64, is_primary=True)
        blobs.add_field("text", DataType.VARCHAR, max_length=MAX_TEXT)
        blobs.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)  # Milvus requires a vector field
        vectors = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        vectors.add_field("number", DataType.INT64, is_primary=True)
        vectors.add_field("document", DataType.INT64)
        vectors.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        with server_errors(self.location, "creating collections"):
            for name, schema, options in (
                (generation.blobs, blobs, {"mmap.enabled": "true"}),
                (generation.vectors, vectors, {}),
            ):
                self._client.create_collection(
                    name, schema=schema, properties=options, timeout=_ADMIN_TIMEOUT
                )

    def insert_texts(self, collection: str, texts: Iterable[tuple[int, str]]) -> None:
        """Insert rows, as id and text, into a collection of blobs."""
        rows = [{"id": key, "text": text, "nothing": (0.0, 0.0)} for key, text in texts]
        self._insert(collection, rows)

    def insert_vectors(
        self, collection: str, first: int, documents: Integers, vectors: Vectors
    ) -> None:
        """Insert the vectors of the chunks from number ``first`` on.

        Args:
            documents: number of each chunk's document.

        """
        numbered = enumerate(zip(documents.tolist(), vectors, strict=True), start=first)
        self._insert(
            collection,
            [{"number": n, "document": document, "vector": row} for n, (document, row) in numbered],
        )

    def _insert(self, collection: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with server_errors(self.location, f"writing {collection}"):
            self._client.insert(collection, list(rows), timeout=max(self._timeout, _WRITE_TIMEOUT))

    def finish(self, collection: str, rows: int) -> None:
        """Flush, index and load a collection of that many rows."""
        is_searched = collection.endswith(VECTORS)
        kind = "HNSW" if is_searched and rows > _EXACT else "FLAT"
        indexes = self._client.prepare_index_params()
        indexes.add_index(
            "vector" if is_searched else "nothing",
            index_type=kind,
            metric_type="IP",
            params={"M": 16, "efConstruction": 200} if kind == "HNSW" else {},
        )
        with server_errors(self.location, f"indexing {collection}"):
            self._client.flush(collection, timeout=_ADMIN_TIMEOUT)
            # Waiting polls twice a second; exact search works before the index is ready.
            self._client.create_index(
                collection, indexes, timeout=_ADMIN_TIMEOUT, sync=kind == "HNSW"
            )
            self._client.load_collection(collection, timeout=_ADMIN_TIMEOUT)

    def publish(self, generation: Generation) -> None:
        """Make ``generation`` the published one, in one atomic step."""
        name = self.location.name
        set_alias = (
            self._client.create_alias if self.published() is None else self._client.alter_alias
        )
        with server_errors(self.location, f"publishing {generation}"):
            set_alias(collection_name=generation.blobs, alias=name, timeout=self._timeout)

    def drop(self, generation: Generation) -> None:
        """Drop the collections of a generation that exist; it must not be the published one."""
        with server_errors(self.location, f"removing {generation}"):
            existing = self._client.list_collections(timeout=self._timeout)
            for name in {generation.blobs, generation.vectors}.intersection(existing):
                self._client.drop_collection(name, timeout=_ADMIN_TIMEOUT)


def _windows(chunks: int) -> list[str]:
    """Conditions that together hold for all chunks, each for as many as one search can return."""
    starts = range(0, chunks, _MAX_HITS)
    return [f"number >= {start} and number < {start + _MAX_HITS}" for start in starts]


def _both(condition: str, window: str) -> str:
    return f"({condition}) and {window}" if condition else window


def is_too_old(version: str) -> bool:
    """Return whether a server that reports this version is older than any that was tested."""
    numbers = re.search(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < _OLDEST
