"""The head of a generation: what it is, what made it, and how many rows it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ragkit.errors import IndexDamagedError, IndexMismatchError
from ragkit.index.manifest import FORMAT, Manifest
from ragkit.index.milvus.location import MilvusLocation
from ragkit.storage.checksums import SealBrokenError, seal, unseal

__all__ = ["Head", "Table"]

_KIND, _FORMAT = "ragkit index on Milvus", 1


class Table(IntEnum):
    """Which blob of ``Kind.TABLE`` is which."""

    HEAD = 0
    CENTROIDS = 1
    STEMS = 2
    """The directory of the lexicon."""
    IDS = 3
    """The directory of documents' ids."""
    CHUNKS = 4
    """How many chunks each document has."""


@dataclass(frozen=True, slots=True)
class Head:
    """``previous``: the generation that this one replaced, kept for who still reads it.

    ``rows``: of the collection of blobs, the head's own not among them. ``properties``: as
    ``Columns.begun``. ``title``: of all documents, None if they have several.
    """

    manifest: Manifest
    rows: int
    title: str | None
    properties: Mapping[str, int]
    previous: str | None

    def to_bytes(self) -> bytes:
        """Sealed: it ends with its own checksum."""
        return seal(
            {
                "kind": _KIND,
                "format": _FORMAT,
                "rows": self.rows,
                "title": self.title,
                "properties": dict(self.properties),
                "previous": self.previous,
                "manifest": self.manifest.to_dict(),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, location: MilvusLocation) -> Head:
        """Raises IndexDamagedError, or IndexMismatchError for another format."""
        try:
            content: dict[str, Any] = unseal(data)
        except SealBrokenError as error:
            raise IndexDamagedError(
                f"{location} is damaged: of its head, {error}. Push the index again."
            ) from error
        found = (content["kind"], content["format"], content["manifest"]["format"])
        if found != (_KIND, _FORMAT, FORMAT):
            raise IndexMismatchError(
                f"{location} is a {found[0]!r} of format {found[1]}, of an index of format "
                f"{found[2]}; this version reads {_KIND!r} of format {_FORMAT}, of an index of "
                f"format {FORMAT}. Push the index again with it."
            )
        return cls(
            Manifest.from_dict(content["manifest"]),
            content["rows"],
            content["title"],
            content["properties"],
            content["previous"],
        )
