"""Documents on a server: read when they are asked for, found by id, filtered by their properties.

Conditions are evaluated here, over columns of values that are read once: the filters of Milvus
differ from version to version in what they do with truth values, lists, and quotes in a name.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.index.documents import LazyDocuments, document_from_record, document_record
from ragkit.index.filters import BUILT_IN
from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.directory import (
    Directory,
    blocks,
    encoded,
    packed_keys,
    unpacked_keys,
)
from ragkit.index.milvus.encoding import Kind, packed, unpacked
from ragkit.types import Document, MetadataValue

__all__ = ["Columns", "StoredDocuments", "document_bytes", "document_from", "id_blobs"]

_BLOCK = 4096
"""So many documents' values of one property share a blob."""

_COLUMNS = 1 << 12
"""More properties than any corpus has; a blob's number is its block's times this, plus its own."""

_READ = 64


def document_bytes(document: Document) -> bytes:
    return _json_bytes(document_record(document, text=document.text))


def document_from(data: bytes) -> Document:
    content = _json_from(data)
    return document_from_record(content, content["text"])


def id_blobs(ids: Sequence[str], firsts: list[bytes]) -> Iterator[tuple[Kind, int, bytes]]:
    """Which document has which id; ``firsts`` gets the first id of each block."""
    ordered = sorted((encoded(document_id), number) for number, document_id in enumerate(ids))
    for number, block in enumerate(blocks(ordered)):
        firsts.append(block[0][0])
        numbers = np.asarray([own for _, own in block], dtype=np.int64)
        yield Kind.IDS, number, packed(*packed_keys([key for key, _ in block]), numbers)


@dataclass
class Columns:
    """Takes documents' properties one document after the other, and gives them as columns.

    ``begun``: of each property, in the order they were met, the block that has its first value.
    """

    begun: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BUILT_IN, 0))
    _block: int = 0
    _rows: list[Mapping[str, MetadataValue | None]] = field(default_factory=list)

    def add(self, document: Document) -> Iterator[tuple[Kind, int, bytes]]:
        """The blobs that are full with it."""
        own = {"id": document.id, "title": document.title, "url": document.url}
        self._rows.append({**own, **document.metadata})
        if len(self._rows) == _BLOCK:
            yield from self.rest()

    def rest(self) -> Iterator[tuple[Kind, int, bytes]]:
        """The blobs of what was added since the last."""
        for name in dict.fromkeys(name for row in self._rows for name in row):
            self.begun.setdefault(name, self._block)
        for column, name in enumerate(self.begun):
            values = [row.get(name) for row in self._rows]
            yield Kind.COLUMNS, self._block * _COLUMNS + column, _json_bytes(values)
        self._rows = []
        self._block += 1


class StoredDocuments(LazyDocuments):
    """Documents on a server."""

    def __init__(
        self, blobs: Blobs, number: int, directory: Directory, begun: Mapping[str, int]
    ) -> None:
        """``number``: of documents; ``begun``: as in ``Columns``."""
        super().__init__()
        self._blobs = blobs
        self._number = number
        self._directory = directory
        self._begun = begun

    def __len__(self) -> int:
        return self._number

    @property
    def properties(self) -> Iterable[str]:
        """What documents can be filtered by."""
        return self._begun.keys()

    def number_of(self, document_id: str) -> int | None:
        key = encoded(document_id)
        block = self._directory.block(key)
        if block is None:
            return None
        keys, numbers = self._blobs.one(Kind.IDS, block, _ids_from)
        place = bisect_left(keys, key)
        return int(numbers[place]) if place < len(keys) and keys[place] == key else None

    def values_of(self, name: str) -> Iterator[MetadataValue | None]:
        column, first = list(self._begun).index(name), self._begun[name]
        yield from (None for _ in range(first * _BLOCK))
        numbers = [block * _COLUMNS + column for block in range(first, -(-self._number // _BLOCK))]
        for values in self._blobs.get(Kind.COLUMNS, numbers, _json_from):
            yield from values

    def _load(self, numbers: range) -> Iterator[Document]:
        for start in range(0, len(numbers), _READ):
            yield from self._blobs.get(Kind.DOCUMENT, numbers[start : start + _READ], document_from)


def _ids_from(data: bytes) -> tuple[list[bytes], NDArray[np.int64]]:
    content, lengths, numbers = unpacked(data)
    return unpacked_keys(content, lengths), numbers


def _json_bytes(content: Any) -> bytes:
    return zlib.compress(json.dumps(content).encode())


def _json_from(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))
