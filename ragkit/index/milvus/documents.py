"""Documents on a server: fetched when they are accessed, found by id, filtered by their properties.

Conditions are evaluated here, over columns of values that are fetched once: the filters of Milvus
differ from version to version in how they treat booleans, lists, and quotes in a name.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.index.documents import (
    LazyDocuments,
    document_from_record,
    document_record,
    language_of_document,
)
from ragkit.index.filters import BUILT_IN
from ragkit.index.milvus.blobs import Blobs
from ragkit.index.milvus.directory import (
    Directory,
    key_blocks,
    key_bytes,
    pack_keys,
    unpack_keys,
)
from ragkit.index.milvus.encoding import BlobKind, pack_arrays, unpack_arrays
from ragkit.types import Document, MetadataValue

__all__ = [
    "ColumnsBuilder",
    "MilvusDocuments",
    "decode_document",
    "encode_document",
    "encode_ids",
]

_DOCUMENTS_PER_BLOCK = 4096
"""Number of documents whose values of one property share a blob."""

_LANGUAGE = "\0language"
"""Column of the documents' languages, beside the property, which metadata may set otherwise."""

_MAX_COLUMNS = 1 << 12
"""More properties than any corpus has. The blob of column c of block b has the number
``b * _MAX_COLUMNS + c``."""

_FETCHED = 64
"""Number of documents that are fetched at once."""


def encode_document(document: Document) -> bytes:
    """Return a document as the content of a blob."""
    return _encode_json(document_record(document, text=document.text))


def decode_document(data: bytes) -> Document:
    """Return the document that ``encode_document`` encoded."""
    content = _decode_json(data)
    return document_from_record(content, content["text"])


def encode_ids(
    ids: Sequence[str], first_keys: list[bytes]
) -> Iterator[tuple[BlobKind, int, bytes]]:
    """Yield the blobs that map ids to document numbers; append each one's first id."""
    ordered = sorted((key_bytes(document_id), number) for number, document_id in enumerate(ids))
    for number, block in enumerate(key_blocks(ordered)):
        first_keys.append(block[0][0])
        numbers = np.asarray([own for _, own in block], dtype=np.int64)
        yield BlobKind.IDS, number, pack_arrays(*pack_keys([key for key, _ in block]), numbers)


class ColumnsBuilder:
    """Collects the properties of documents, added one by one, as columns of values.

    Attributes:
        first_blocks: for each property, in the order of appearance, the block of documents that
            has its first value.

    """

    def __init__(self) -> None:
        self.first_blocks: dict[str, int] = dict.fromkeys((*BUILT_IN, _LANGUAGE), 0)
        self._block = 0
        self._rows: list[Mapping[str, MetadataValue | None]] = []

    def add(self, document: Document) -> Iterator[tuple[BlobKind, int, bytes]]:
        """Add the next document; yield the blobs of its block if it completes one."""
        language = language_of_document(document)
        own = {
            "id": document.id,
            "title": document.title,
            "url": document.url,
            "language": language,
        }
        self._rows.append({**own, **document.metadata, _LANGUAGE: language})
        if len(self._rows) == _DOCUMENTS_PER_BLOCK:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[BlobKind, int, bytes]]:
        """Yield the blobs of the documents added since the last complete block."""
        for name in dict.fromkeys(name for row in self._rows for name in row):
            self.first_blocks.setdefault(name, self._block)
        for column, name in enumerate(self.first_blocks):
            values = [row.get(name) for row in self._rows]
            yield BlobKind.COLUMNS, self._block * _MAX_COLUMNS + column, _encode_json(values)
        self._rows = []
        self._block += 1


class MilvusDocuments(LazyDocuments):
    """The documents of an index on a server."""

    def __init__(
        self, blobs: Blobs, number: int, directory: Directory, first_blocks: Mapping[str, int]
    ) -> None:
        """Args:
        number: number of documents.
        directory: the directory of their ids.
        first_blocks: as in ``ColumnsBuilder``.

        """
        super().__init__()
        self._blobs = blobs
        self._number = number
        self._directory = directory
        self._first_blocks = first_blocks

    def __len__(self) -> int:
        return self._number

    @property
    def properties(self) -> Iterable[str]:
        """Names of the properties that documents can be filtered by."""
        return [name for name in self._first_blocks if name != _LANGUAGE]

    def languages(self) -> Iterator[str]:
        name = _LANGUAGE if _LANGUAGE in self._first_blocks else "language"  # of an older version
        return map(str, self.values_of(name))

    def number_of(self, document_id: str) -> int | None:
        key = key_bytes(document_id)
        block = self._directory.block_of(key)
        if block is None:
            return None
        keys, numbers = self._blobs.get_one(BlobKind.IDS, block, _decode_ids)
        position = bisect_left(keys, key)
        exists = position < len(keys) and keys[position] == key
        return int(numbers[position]) if exists else None

    def values_of(self, name: str) -> Iterator[MetadataValue | None]:
        if name not in self._first_blocks:  # an index that an older version pushed
            yield from (None for _ in range(self._number))
            return
        column, first = list(self._first_blocks).index(name), self._first_blocks[name]
        yield from (None for _ in range(first * _DOCUMENTS_PER_BLOCK))
        blocks = range(first, -(-self._number // _DOCUMENTS_PER_BLOCK))
        numbers = [block * _MAX_COLUMNS + column for block in blocks]
        for values in self._blobs.get(BlobKind.COLUMNS, numbers, _decode_json):
            yield from values

    def _load(self, numbers: range) -> Iterator[Document]:
        for start in range(0, len(numbers), _FETCHED):
            block = numbers[start : start + _FETCHED]
            yield from self._blobs.get(BlobKind.DOCUMENT, block, decode_document)


def _decode_ids(data: bytes) -> tuple[list[bytes], NDArray[np.int64]]:
    content, lengths, numbers = unpack_arrays(data)
    return unpack_keys(content, lengths), numbers


def _encode_json(content: Any) -> bytes:
    return zlib.compress(json.dumps(content).encode())


def _decode_json(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))
