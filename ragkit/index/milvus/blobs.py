"""Reading blobs: proved when they come from the server, then kept up to a budget."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ragkit.errors import IndexDamagedError
from ragkit.index.milvus.encoding import BrokenBlobError, Kind, blob_id, joined, pieces_of
from ragkit.index.milvus.server import Server

__all__ = ["Blobs"]

Content = TypeVar("Content")

_ASKED = 1024
"""Rows in one answer: 64 MiB at the most."""


class Blobs:
    """The blobs of one generation. Share it between threads."""

    def __init__(self, server: Server, collection: str, memory: int) -> None:
        """``memory``: how many bytes of what was read may be kept."""
        self._server = server
        self._collection = collection
        self._kept = _Kept(memory)

    def get(
        self,
        kind: Kind,
        numbers: Sequence[int],
        decode: Callable[[bytes], Content],
        *,
        ahead: int = 1,
    ) -> list[Content]:
        """The content of each blob, as ``decode`` made it.

        ``ahead``: how many pieces are asked for at once, before it is known how many there are.

        Raises IndexDamagedError for one that is missing or not what was pushed.
        """
        found = {number: self._kept.get((kind, number)) for number in numbers}
        missing = [number for number, content in found.items() if content is None]
        for number, data in self._read(kind, missing, ahead):
            found[number] = decode(data)
            self._kept.put((kind, number), found[number], len(data))
        return [found[number] for number in numbers]

    def one(self, kind: Kind, number: int, decode: Callable[[bytes], Content]) -> Content:
        """The content of one."""
        [found] = self.get(kind, [number], decode)
        return found

    def _read(self, kind: Kind, numbers: Sequence[int], ahead: int) -> Iterator[tuple[int, bytes]]:
        step = max(1, _ASKED // ahead)
        for start in range(0, len(numbers), step):
            here = numbers[start : start + step]
            texts = self._texts([blob_id(kind, n, piece) for n in here for piece in range(ahead)])
            totals = {number: self._pieces(kind, number, texts) for number in here}
            texts |= self._texts(
                [blob_id(kind, n, piece) for n in here for piece in range(ahead, totals[n])]
            )
            for number in here:
                yield number, self._joined(kind, number, totals[number], texts)

    def _texts(self, ids: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for start in range(0, len(ids), _ASKED):
            found |= self._server.texts(self._collection, ids[start : start + _ASKED])
        return found

    def _pieces(self, kind: Kind, number: int, texts: dict[int, str]) -> int:
        first = texts.get(blob_id(kind, number))
        if first is None:
            raise self._damaged(kind, number, "it is missing")
        try:
            return pieces_of(first)
        except BrokenBlobError as error:
            raise self._damaged(kind, number, str(error)) from error

    def _joined(self, kind: Kind, number: int, total: int, texts: dict[int, str]) -> bytes:
        own = [texts.get(blob_id(kind, number, piece), "") for piece in range(total)]
        try:
            return joined(kind, number, own)
        except BrokenBlobError as error:
            raise self._damaged(kind, number, str(error)) from error

    def _damaged(self, kind: Kind, number: int, what: str) -> IndexDamagedError:
        return IndexDamagedError(
            f"{self._server.location} is damaged: of {self._collection}, "
            f"{kind.name.lower()} {number}: {what}. Push the index again."
        )


class _Kept:
    """The last used contents, up to a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._size = 0
        self._contents: OrderedDict[tuple[Kind, int], tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Kind, int]) -> Any:
        with self._lock:
            found = self._contents.get(key)
            if found is None:
                return None
            self._contents.move_to_end(key)
            return found[0]

    def put(self, key: tuple[Kind, int], content: Any, size: int) -> None:
        with self._lock:
            _, before = self._contents.pop(key, (None, 0))
            self._contents[key] = (content, size)
            self._size += size - before
            while self._size > self._budget and self._contents:
                _, (_, freed) = self._contents.popitem(last=False)
                self._size -= freed
