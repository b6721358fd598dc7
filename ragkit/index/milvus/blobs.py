"""Fetch blobs from a server: verified when they arrive, then cached up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ragkit.errors import IndexDamagedError
from ragkit.index.milvus.encoding import (
    BlobKind,
    BrokenBlobError,
    blob_id,
    join_pieces,
    number_of_pieces,
)
from ragkit.index.milvus.server import Server

__all__ = ["Blobs"]

Content = TypeVar("Content")

_ROWS_PER_CALL = 1024
"""Rows that one call asks for: at most 64 MiB."""


class Blobs:
    """The blobs of one generation. Threads may share it."""

    def __init__(self, server: Server, collection: str, cache_size: int) -> None:
        """``cache_size``: total bytes of the blobs that are cached."""
        self._server = server
        self._collection = collection
        self._cache = _Cache(cache_size)

    def get(
        self,
        kind: BlobKind,
        numbers: Sequence[int],
        decode: Callable[[bytes], Content],
        *,
        expected_pieces: int = 1,
    ) -> list[Content]:
        """Return the content of each blob, decoded by ``decode``.

        Args:
            expected_pieces: pieces that the first call asks for; a blob with more of them costs a
                second call.

        Raises:
            IndexDamagedError: a blob is missing, or is not what was pushed.

        """
        contents = {number: self._cache.get((kind, number)) for number in numbers}
        missing = [number for number, content in contents.items() if content is None]
        for number, data in self._fetch(kind, missing, expected_pieces):
            contents[number] = decode(data)
            self._cache.put((kind, number), contents[number], len(data))
        return [contents[number] for number in numbers]

    def get_one(self, kind: BlobKind, number: int, decode: Callable[[bytes], Content]) -> Content:
        """Return the content of one blob, as ``get`` does."""
        [content] = self.get(kind, [number], decode)
        return content

    def _fetch(
        self, kind: BlobKind, numbers: Sequence[int], expected_pieces: int
    ) -> Iterator[tuple[int, bytes]]:
        step = max(1, _ROWS_PER_CALL // expected_pieces)
        for start in range(0, len(numbers), step):
            block = numbers[start : start + step]
            texts = self._fetch_pieces(kind, {n: range(expected_pieces) for n in block})
            totals = {number: self._number_of_pieces(kind, number, texts) for number in block}
            texts |= self._fetch_pieces(kind, {n: range(expected_pieces, totals[n]) for n in block})
            for number in block:
                yield number, self._join(kind, number, totals[number], texts)

    def _fetch_pieces(self, kind: BlobKind, pieces: dict[int, range]) -> dict[int, str]:
        """The texts of some pieces of each blob, by their ids; those that exist."""
        ids = [blob_id(kind, number, piece) for number in pieces for piece in pieces[number]]
        texts: dict[int, str] = {}
        for start in range(0, len(ids), _ROWS_PER_CALL):
            part = ids[start : start + _ROWS_PER_CALL]
            texts |= self._server.fetch_texts(self._collection, part)
        return texts

    def _number_of_pieces(self, kind: BlobKind, number: int, texts: dict[int, str]) -> int:
        first = texts.get(blob_id(kind, number))
        if first is None:
            raise self._damaged(kind, number, "it is missing")
        try:
            return number_of_pieces(first)
        except BrokenBlobError as error:
            raise self._damaged(kind, number, str(error)) from error

    def _join(self, kind: BlobKind, number: int, total: int, texts: dict[int, str]) -> bytes:
        own = [texts.get(blob_id(kind, number, piece), "") for piece in range(total)]
        try:
            return join_pieces(kind, number, own)
        except BrokenBlobError as error:
            raise self._damaged(kind, number, str(error)) from error

    def _damaged(self, kind: BlobKind, number: int, problem: str) -> IndexDamagedError:
        return IndexDamagedError(
            f"{self._server.location} is damaged: {self._collection}, {kind.name.lower()} "
            f"{number}: {problem}. Push the index again."
        )


class _Cache:
    """The contents that were used last, up to a number of bytes."""

    def __init__(self, size: int) -> None:
        self._limit = size
        self._size = 0
        self._contents: OrderedDict[tuple[BlobKind, int], tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[BlobKind, int]) -> Any:
        with self._lock:
            entry = self._contents.get(key)
            if entry is None:
                return None
            self._contents.move_to_end(key)
            return entry[0]

    def put(self, key: tuple[BlobKind, int], content: Any, size: int) -> None:
        with self._lock:
            _, replaced = self._contents.pop(key, (None, 0))
            self._contents[key] = (content, size)
            self._size += size - replaced
            while self._size > self._limit and self._contents:
                _, (_, freed) = self._contents.popitem(last=False)
                self._size -= freed
