"""The documents of an index, each loaded when it is accessed.

``documents.jsonl`` has one line a document: id, title, url, byte range in ``texts.bin``, sections,
and its language, unless that is English.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ragkit.index.filters import BUILT_IN, Conditions
from ragkit.storage.arrays import Table, offsets_of
from ragkit.storage.mapped import cached_method
from ragkit.storage.tables import TableWriter
from ragkit.text.languages import DEFAULT, UNDETERMINED, language_of_text, primary_language
from ragkit.types import Document, MetadataValue, Section

__all__ = [
    "Documents",
    "DocumentsBuilder",
    "LazyDocuments",
    "document_from_record",
    "document_record",
    "is_same",
    "language_of_document",
    "ranked_languages",
]

_CACHED_DOCUMENTS = 256
_CACHED_COLUMNS = 64


class DocumentsBuilder:
    """Writes documents one by one; collects titles, names of properties, and languages."""

    def __init__(self, writer: TableWriter) -> None:
        self._writer = writer
        self._line_lengths: list[int] = []
        self._keys: list[int] = []
        self._end = 0
        self.titles: set[str] = set()
        self.properties: set[str] = set()
        self._languages: Counter[str] = Counter()
        for name in ("documents.jsonl", "texts.bin"):
            writer.append(name, np.zeros(0, dtype=np.uint8))

    def add(self, document: Document) -> None:
        """Write the next document."""
        self._keys.append(_key(document.id))
        text = document.text.encode()
        language = language_of_document(document)
        line = _line(document, language, self._end, self._end + len(text)).encode()
        self._writer.append("documents.jsonl", np.frombuffer(line, dtype=np.uint8))
        self._writer.append("texts.bin", np.frombuffer(text, dtype=np.uint8))
        self._end += len(text)
        self._line_lengths.append(len(line))
        self.titles.add(document.title)
        self.properties.update(document.metadata)
        self._languages[language] += 1

    @property
    def languages(self) -> dict[str, int]:
        """Number of documents in each language, most first; empty if all are English."""
        return ranked_languages(self._languages)

    def finish(self) -> None:
        """Write where each line begins, and which document has which id."""
        keys = np.asarray(self._keys, dtype=np.int64)
        order = np.argsort(keys, kind="stable")
        lengths = np.asarray(self._line_lengths, np.int64)
        self._writer.append("document_borders.npy", offsets_of(lengths))
        self._writer.append("document_ids.npy", np.stack([keys[order], order], axis=1))


class LazyDocuments(Sequence[Document], ABC):
    """All documents in the order of the corpus; only what is accessed is loaded."""

    def __init__(self) -> None:
        self._matches_of = cached_method(self._matching, 1)

    @abstractmethod
    def number_of(self, document_id: str) -> int | None:
        """Return the number of the document with that id, or None."""

    @abstractmethod
    def values_of(self, name: str) -> Iterable[MetadataValue | None]:
        """Return a property of every document, None where a document lacks it."""

    @abstractmethod
    def languages(self) -> Iterable[str]:
        """Return the language of every document, whatever its metadata say."""

    @abstractmethod
    def _load(self, numbers: range) -> Iterator[Document]:
        """Load the documents with these numbers."""

    def by_id(self, document_id: str) -> Document:
        """Return the document with that id. Raises KeyError."""
        number = self.number_of(document_id)
        if number is None:
            raise KeyError(document_id)
        return self[number]

    def matching(self, conditions: Conditions) -> NDArray[np.bool_]:
        """Return ``(m,)``: which documents fulfil conditions on properties that exist."""
        return self._matches_of(conditions)

    def title_of(self, conditions: Conditions) -> str | None:
        """Return the title shared by all documents that fulfil the conditions, or None."""
        titles = list(compress(self.values_of("title"), self.matching(conditions)))
        return str(titles[0]) if titles and titles.count(titles[0]) == len(titles) else None

    def _matching(self, conditions: Conditions) -> NDArray[np.bool_]:
        matches = np.ones(len(self), dtype=np.bool_)
        for name, test in conditions.tests.items():
            matches &= np.fromiter(map(test.holds, self.values_of(name)), np.bool_, len(self))
        return matches

    @overload
    def __getitem__(self, number: int) -> Document: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Document]: ...
    def __getitem__(self, number: int | slice) -> Document | Sequence[Document]:
        every = range(len(self))
        if isinstance(number, slice):
            return tuple(self._load(every[number]))
        one = every[number]
        return next(self._load(range(one, one + 1)))

    def __iter__(self) -> Iterator[Document]:
        return self._load(range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # like the sequences it equals

    def __repr__(self) -> str:
        return f"<{len(self)} documents>"


class Documents(LazyDocuments):
    """Documents in tables."""

    NAMES = ("documents.jsonl", "document_borders.npy", "document_ids.npy", "texts.bin")

    def __init__(self, tables: Mapping[str, Table]) -> None:
        """``tables``: what ``DocumentsBuilder`` wrote."""
        super().__init__()
        self._lines, self._line_offsets = tables["documents.jsonl"], tables["document_borders.npy"]
        self._texts, self._ids = tables["texts.bin"], tables["document_ids.npy"]
        self._document_of = cached_method(self._document, _CACHED_DOCUMENTS)
        self._number_of = cached_method(self._find, _CACHED_DOCUMENTS)
        self._values_of = cached_method(self._column, _CACHED_COLUMNS)

    def __len__(self) -> int:
        return len(self._line_offsets) - 1

    def number_of(self, document_id: str) -> int | None:
        return self._number_of(document_id)

    def values_of(self, name: str) -> list[MetadataValue | None]:
        return self._values_of(name)

    def languages(self) -> Iterator[str]:
        return map(_language, map(self.record, range(len(self))))

    def record(self, number: int) -> dict[str, Any]:
        """Return what is stored of a document beside its text."""
        start, end = self._line_offsets[number : number + 2].tolist()
        record: dict[str, Any] = json.loads(self._lines[start:end].tobytes())
        return record

    def _load(self, numbers: range) -> Iterator[Document]:
        return (self._document_of(number) for number in numbers)  # a map would not hold self

    def _find(self, document_id: str) -> int | None:
        """The number of a document, by binary search over the hashes of all ids."""
        key = _key(document_id)
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._ids[middle][0] < key else (low, middle)
        while low < len(self._ids) and self._ids[low][0] == key:
            number = int(self._ids[low][1])
            if self.record(number)["id"] == document_id:
                return number
            low += 1
        return None

    def _column(self, name: str) -> list[MetadataValue | None]:
        return [_property(record, name) for record in map(self.record, range(len(self)))]

    def _document(self, number: int) -> Document:
        record = self.record(number)
        start, end = record["bytes"]
        return document_from_record(record, self._texts[start:end].tobytes().decode())


def language_of_document(document: Document) -> str:
    """Return the language that a document states, else what its words tell, else ``und``.

    Example:
        >>> language_of_document(Document("d", "Rapallo", "Der Vertrag und das Meer."))
        'de'

    """
    if document.language is not None:
        return document.language
    return language_of_text(document.text) or UNDETERMINED


def ranked_languages(numbers: Counter[str]) -> dict[str, int]:
    """Return the number of documents in each language, most first; empty if all are English."""
    return {} if set(numbers) <= {DEFAULT} else dict(numbers.most_common())


def document_record(document: Document, **place: object) -> dict[str, Any]:
    """Return a document without its text as a JSON-ready dictionary.

    Args:
        place: fields that say where the text is stored.

    """
    record: dict[str, Any] = {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        **place,
        "sections": [[list(s.path), s.start, s.end] for s in document.sections],
    }
    # What most documents lack is left out.
    record |= {"metadata": dict(document.metadata)} if document.metadata else {}
    record |= {"pages": list(document.pages)} if document.pages else {}
    record |= {"language": document.language} if document.language else {}
    return record


def is_same(one: Document, other: Document) -> bool:
    """Return whether two documents are stored alike; a list equals a tuple, as it is stored."""

    def stored(document: Document) -> str:
        return json.dumps(document_record(document), sort_keys=True)

    return one.text == other.text and stored(one) == stored(other)


def document_from_record(record: Mapping[str, Any], text: str) -> Document:
    """Return the document of which ``document_record`` made that record."""
    return Document(
        record["id"],
        record["title"],
        text,
        record["url"],
        tuple(Section(tuple(path), a, b) for path, a, b in record["sections"]),
        record.get("metadata", {}),
        tuple(record.get("pages", ())),
        _code(record.get("language")),
    )


def _property(record: Mapping[str, Any], name: str) -> MetadataValue | None:
    value: MetadataValue | None = record.get("metadata", {}).get(name)
    if value is not None or name not in BUILT_IN:
        return value
    if name == "language":
        return _language(record)
    return record[name]  # type: ignore[no-any-return]


def _language(record: Mapping[str, Any]) -> str:
    return _code(record.get("language")) or str(record.get("detected_language") or DEFAULT)


def _code(language: str | None) -> str | None:
    """The code of a stored language; older versions stored any tag that a file stated."""
    return language and primary_language(language)


def _key(document_id: str) -> int:
    digest = hashlib.blake2b(document_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _line(document: Document, language: str, start: int, end: int) -> str:
    # ASCII, so that no character of a title can be taken for a line end.
    place: dict[str, object] = {"bytes": [start, end]}
    place |= {} if language == DEFAULT else {"detected_language": language}
    return json.dumps(document_record(document, **place)) + "\n"
