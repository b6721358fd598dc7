"""The few calls that are made of a Milvus server, each with a timeout and one kind of error.

What was published is never changed, and publishing waits until even a replica that lags as far as
``Bounded`` lets it has everything; so reading waits for nothing.
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
from ragkit.index.milvus.connection import MISSING, answering, connected, failed
from ragkit.index.milvus.encoding import TEXT
from ragkit.index.milvus.generation import VECTORS, Generation
from ragkit.index.milvus.location import MilvusLocation
from ragkit.storage.arrays import Integers

__all__ = ["TIMEOUT", "Server", "is_old"]

TIMEOUT = 10.0
"""Seconds that one answer may take."""

_SLOW = 600.0
_LAG = 5.0
_OLDEST = (2, 3)
_MOST_FOUND = 16_384
_EXACT = 100_000


class Server:
    """A connection to a server, or to milvus-lite in this process. Share it between threads.

    All methods raise IndexServerError, and IndexNotFoundError where a collection is gone.
    """

    def __init__(self, location: MilvusLocation, timeout: float = TIMEOUT) -> None:
        self.location = location
        self._timeout = timeout
        self._client = connected(location, timeout)
        self._closing = weakref.finalize(self, self._client.close)

    def close(self) -> None:
        """Let the connection go, as also happens once nobody has this."""
        self._closing()

    @cached_property
    def version(self) -> str:
        """What the server calls itself."""
        with answering(self.location, "saying its version"):
            return str(self._client.get_server_version(timeout=self._timeout))

    @property
    def lag(self) -> float:
        """Seconds that something inserted may take until every reader sees it."""
        return 0.0 if self.version.startswith("milvus_lite") else _LAG

    def refuse_old(self) -> None:
        """Raises IndexServerError for a server that is older than what this was tried with."""
        if is_old(self.version):
            raise failed(self.location, "saying its version", f"it is {self.version}")

    # What is there.

    def published(self) -> Generation | None:
        """The generation that readers are to read; None if there is none."""
        from pymilvus import MilvusException

        name = self.location.name
        with answering(self.location, f"asking for {name}"):
            try:
                found = self._client.describe_alias(alias=name, timeout=self._timeout)
            except MilvusException as error:
                if error.code in MISSING:
                    return None
                raise
        generation = Generation.of(found["collection_name"])
        if generation is None or generation.name != name:
            raise IndexDamagedError(
                f"{self.location} is the name of {found['collection_name']!r}, which is no index "
                f"of ragkit. Choose another name."
            )
        return generation

    def generations(self) -> list[Generation]:
        """All of this index of which there is a collection, published or not, oldest first."""
        with answering(self.location, "listing its collections"):
            names = self._client.list_collections(timeout=self._timeout)
        found = {Generation.of(name) for name in names} - {None}
        own = [one for one in found if one is not None and one.name == self.location.name]
        return sorted(own, key=lambda one: one.serial)

    def count(self, collection: str) -> int:
        """How many rows there are, the newest included."""
        with answering(self.location, f"counting {collection}"):
            [row] = self._client.query(
                collection,
                filter="",
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=max(self._timeout, 60.0),
            )
        return int(row["count(*)"])

    # Reading.

    def load(self, collection: str) -> None:
        """Make it readable, if it is not."""
        from pymilvus.client.types import LoadState

        with answering(self.location, f"loading {collection}"):
            state = self._client.get_load_state(collection, timeout=self._timeout)
            if state["state"] != LoadState.Loaded:
                self._client.load_collection(collection, timeout=_SLOW)

    def texts(self, collection: str, ids: Sequence[int]) -> dict[int, str]:
        """The texts of those of ``ids`` that are there."""
        with answering(self.location, f"reading {collection}"):
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
        """At most ``depth`` of the ``chunks`` that fulfil a condition, best first, and cosines."""
        if depth <= _MOST_FOUND:
            return self._nearest(collection, vector, depth, condition)
        parts = [
            self._nearest(collection, vector, _MOST_FOUND, _all_of(condition, window))
            for window in _windows(chunks)
        ]
        numbers = np.concatenate([numbers for numbers, _ in parts])
        cosines = np.concatenate([cosines for _, cosines in parts])
        order = np.argsort(-cosines, kind="stable")[:depth]
        return numbers[order], cosines[order]

    def _nearest(
        self, collection: str, vector: Vectors, depth: int, condition: str
    ) -> tuple[Integers, Vectors]:
        with answering(self.location, f"searching {collection}"):
            [hits] = self._client.search(
                collection,
                data=[vector],
                anns_field="vector",
                limit=depth,
                filter=condition,
                output_fields=["document"],  # of none, milvus-lite gives all
                search_params={"metric_type": "IP", "params": {"ef": max(2 * depth, 512)}},
                consistency_level="Bounded",
                timeout=self._timeout,
            )
        return np.asarray(hits.ids, dtype=np.int64), np.asarray(hits.distances, dtype=np.float32)

    # Writing.

    def create(self, generation: Generation, dimension: int) -> None:
        """Its two collections, empty."""
        from pymilvus import DataType

        blobs = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        blobs.add_field("id", DataType.INT64, is_primary=True)
        blobs.add_field("text", DataType.VARCHAR, max_length=TEXT)
        blobs.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)  # a collection must have a vector
        vectors = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        vectors.add_field("number", DataType.INT64, is_primary=True)
        vectors.add_field("document", DataType.INT64)
        vectors.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        with answering(self.location, "making collections"):
            for name, schema, options in (
                (generation.blobs, blobs, {"mmap.enabled": "true"}),
                (generation.vectors, vectors, {}),
            ):
                self._client.create_collection(
                    name, schema=schema, properties=options, timeout=_SLOW
                )

    def insert_texts(self, collection: str, texts: Iterable[tuple[int, str]]) -> None:
        """Rows of a collection of blobs."""
        rows = [{"id": key, "text": text, "nothing": (0.0, 0.0)} for key, text in texts]
        self._insert(collection, rows)

    def insert_vectors(
        self, collection: str, first: int, documents: Integers, rows: Vectors
    ) -> None:
        """The vectors of the chunks from ``first`` on."""
        numbered = enumerate(zip(documents.tolist(), rows, strict=True), start=first)
        self._insert(
            collection,
            [{"number": n, "document": document, "vector": row} for n, (document, row) in numbered],
        )

    def _insert(self, collection: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with answering(self.location, f"writing {collection}"):
            self._client.insert(collection, list(rows), timeout=max(self._timeout, 60.0))

    def finish(self, collection: str, rows: int) -> None:
        """Make all that was inserted lasting, indexed and readable."""
        is_searched = collection.endswith(VECTORS)
        kind = "HNSW" if is_searched and rows > _EXACT else "FLAT"
        indexes = self._client.prepare_index_params()
        indexes.add_index(
            "vector" if is_searched else "nothing",
            index_type=kind,
            metric_type="IP",
            params={"M": 16, "efConstruction": 200} if kind == "HNSW" else {},
        )
        with answering(self.location, f"indexing {collection}"):
            self._client.flush(collection, timeout=_SLOW)
            # Waiting is by looking twice a second; exact search can do without the index.
            self._client.create_index(collection, indexes, timeout=_SLOW, sync=kind == "HNSW")
            self._client.load_collection(collection, timeout=_SLOW)

    def publish(self, generation: Generation) -> None:
        """From now on readers are to read ``generation``: one step, seen whole or not at all."""
        name = self.location.name
        exchange = (
            self._client.create_alias if self.published() is None else self._client.alter_alias
        )
        with answering(self.location, f"publishing {generation}"):
            exchange(collection_name=generation.blobs, alias=name, timeout=self._timeout)

    def drop(self, generation: Generation) -> None:
        """Remove those of its collections that are there. Not for the published one."""
        with answering(self.location, f"removing {generation}"):
            there = self._client.list_collections(timeout=self._timeout)
            for name in {generation.blobs, generation.vectors}.intersection(there):
                self._client.drop_collection(name, timeout=_SLOW)


def _windows(chunks: int) -> list[str]:
    """Conditions that each hold for as many chunks as one search can find, and for all together."""
    starts = range(0, chunks, _MOST_FOUND)
    return [f"number >= {start} and number < {start + _MOST_FOUND}" for start in starts]


def _all_of(condition: str, window: str) -> str:
    return f"({condition}) and {window}" if condition else window


def is_old(version: str) -> bool:
    """Whether a server that calls itself so is older than any this was tried with."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) < _OLDEST
