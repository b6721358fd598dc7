"""The documents of an index, each read when it is asked for.

``documents.jsonl`` has a line a document: id, title, url, byte range in ``texts.bin``, sections.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ragkit.index.filters import OWN, Conditions
from ragkit.storage.caching import kept
from ragkit.storage.ragged import borders_of
from ragkit.storage.rows import Rows
from ragkit.storage.tables import Tables
from ragkit.types import Document, MetadataValue, Section

__all__ = ["Documents", "DocumentsBuilder", "LazyDocuments", "about_of", "document_of"]

_KEPT = 256
"""So many documents stay read."""

_COLUMNS = 64
"""Of so many properties the values do."""


class DocumentsBuilder:
    """Takes documents one by one."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._lines: list[int] = []
        self._keys: list[int] = []
        self._end = 0
        self.titles: set[str] = set()
        self.properties: set[str] = set()
        for name in ("documents.jsonl", "texts.bin"):
            tables.append(name, np.zeros(0, dtype=np.uint8))

    def add(self, document: Document) -> None:
        """The next document."""
        text = document.text.encode()
        line = _line(document, self._end, self._end + len(text)).encode()
        self._tables.append("documents.jsonl", np.frombuffer(line, dtype=np.uint8))
        self._tables.append("texts.bin", np.frombuffer(text, dtype=np.uint8))
        self._end += len(text)
        self._lines.append(len(line))
        self._keys.append(_key(document.id))
        self.titles.add(document.title)
        self.properties.update(document.metadata)

    def write(self) -> None:
        """Where each line begins, and which document has which id."""
        keys = np.asarray(self._keys, dtype=np.int64)
        order = np.argsort(keys, kind="stable")
        self._tables.append("document_borders.npy", borders_of(np.asarray(self._lines, np.int64)))
        self._tables.append("document_ids.npy", np.stack([keys[order], order], axis=1))


class LazyDocuments(Sequence[Document], ABC):
    """All documents in the corpus's order; only what is asked for is read."""

    @abstractmethod
    def number_of(self, document_id: str) -> int | None:
        """Which one has that id."""

    @abstractmethod
    def values_of(self, name: str) -> Iterable[MetadataValue | None]:
        """A property of every document, None where it has none."""

    @abstractmethod
    def _several(self, numbers: range) -> Iterator[Document]:
        """Those of these numbers."""

    def by_id(self, document_id: str) -> Document:
        """The document of that id. Raises KeyError."""
        number = self.number_of(document_id)
        if number is None:
            raise KeyError(document_id)
        return self[number]

    def __init__(self) -> None:
        self._fulfilling = kept(self._fulfil, 1)

    def fulfilling(self, conditions: Conditions) -> NDArray[np.bool_]:
        """``(m,)``: which of the m documents fulfil conditions on properties that are known."""
        return self._fulfilling(conditions)

    def _fulfil(self, conditions: Conditions) -> NDArray[np.bool_]:
        fine = np.ones(len(self), dtype=np.bool_)
        for name, test in conditions.tests.items():
            fine &= np.fromiter(map(test.holds, self.values_of(name)), np.bool_, len(self))
        return fine

    def title_of(self, conditions: Conditions) -> str | None:
        """The one title of those that fulfil all conditions; None if they have several, or none."""
        titles = list(compress(self.values_of("title"), self.fulfilling(conditions)))
        return str(titles[0]) if titles and titles.count(titles[0]) == len(titles) else None

    @overload
    def __getitem__(self, number: int) -> Document: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Document]: ...
    def __getitem__(self, number: int | slice) -> Document | Sequence[Document]:
        every = range(len(self))
        if isinstance(number, slice):
            return tuple(self._several(every[number]))
        one = every[number]
        return next(self._several(range(one, one + 1)))

    def __iter__(self) -> Iterator[Document]:
        return self._several(range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as of what it equals

    def __repr__(self) -> str:
        return f"<{len(self)} documents>"


class Documents(LazyDocuments):
    """Documents in tables."""

    NAMES = ("documents.jsonl", "document_borders.npy", "document_ids.npy", "texts.bin")

    def __init__(self, files: Mapping[str, Rows]) -> None:
        """``files``: what ``DocumentsBuilder`` wrote."""
        super().__init__()
        self._content, self._borders = files["documents.jsonl"], files["document_borders.npy"]
        self._texts, self._ids = files["texts.bin"], files["document_ids.npy"]
        self._read = kept(self._document, _KEPT)
        self._number = kept(self._found, _KEPT)
        self._values = kept(self._column, _COLUMNS)

    def __len__(self) -> int:
        return len(self._borders) - 1

    def number_of(self, document_id: str) -> int | None:
        return self._number(document_id)

    def _several(self, numbers: range) -> Iterator[Document]:
        return (self._read(number) for number in numbers)  # which holds this, as a map would not

    def _found(self, document_id: str) -> int | None:
        key = _key(document_id)
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._ids[middle][0] < key else (low, middle)
        while low < len(self._ids) and self._ids[low][0] == key:
            number = int(self._ids[low][1])
            if self.about(number)["id"] == document_id:
                return number
            low += 1
        return None

    def values_of(self, name: str) -> list[MetadataValue | None]:
        return self._values(name)

    def _column(self, name: str) -> list[MetadataValue | None]:
        abouts = map(self.about, range(len(self)))
        return [_property(about, name) for about in abouts]

    def about(self, number: int) -> dict[str, Any]:
        """What is kept of a document beside its text."""
        start, end = self._borders[number : number + 2].tolist()
        found: dict[str, Any] = json.loads(self._content[start:end].tobytes())
        return found

    def _document(self, number: int) -> Document:
        about = self.about(number)
        start, end = about["bytes"]
        return document_of(about, self._texts[start:end].tobytes().decode())


def about_of(document: Document, **place: object) -> dict[str, Any]:
    """A document beside its text, JSON-ready; ``place``: what says where that is."""
    content: dict[str, Any] = {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        **place,
        "sections": [[list(s.path), s.start, s.end] for s in document.sections],
    }
    # What most documents do not have is left out.
    content |= {"metadata": dict(document.metadata)} if document.metadata else {}
    content |= {"pages": list(document.pages)} if document.pages else {}
    return content


def document_of(about: Mapping[str, Any], text: str) -> Document:
    """The document of which ``about_of`` said that."""
    return Document(
        about["id"],
        about["title"],
        text,
        about["url"],
        tuple(Section(tuple(path), a, b) for path, a, b in about["sections"]),
        about.get("metadata", {}),
        tuple(about.get("pages", ())),
    )


def _property(about: Mapping[str, Any], name: str) -> MetadataValue | None:
    found: MetadataValue | None = about.get("metadata", {}).get(name)
    return about[name] if found is None and name in OWN else found


def _key(document_id: str) -> int:
    digest = hashlib.blake2b(document_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _line(document: Document, start: int, end: int) -> str:
    # ASCII, so that no character of a title can be taken for a line end.
    return json.dumps(about_of(document, bytes=[start, end])) + "\n"
