"""The head of a generation: its manifest, its number of rows, and what it replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ragkit.errors import IndexDamagedError, IndexMismatchError
from ragkit.index.manifest import FORMAT, Manifest
from ragkit.index.milvus.location import MilvusLocation
from ragkit.storage.checksums import SealBrokenError, seal, unseal

__all__ = ["Head", "TableBlob"]

_KIND, _FORMAT = "ragkit index on Milvus", 1


class TableBlob(IntEnum):
    """Numbers of the blobs of kind ``BlobKind.TABLE``."""

    HEAD = 0
    CENTROIDS = 1
    STEMS = 2
    """The directory of stems."""
    IDS = 3
    """The directory of document ids."""
    CHUNKS = 4
    """The number of chunks of each document."""


@dataclass(frozen=True, slots=True)
class Head:
    """The description of a generation, stored as its first blob.

    Attributes:
        manifest: the manifest of the index that was pushed.
        rows: number of rows in the collection of blobs, without those of the head.
        title: the title that all documents share, or None.
        properties: as ``ColumnsBuilder.first_blocks``.
        previous: the generation that this one replaced, which readers may still have open.

    """

    manifest: Manifest
    rows: int
    title: str | None
    properties: Mapping[str, int]
    previous: str | None

    def to_bytes(self) -> bytes:
        """Return the content of the head's blob: JSON with its own checksum."""
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
        """Return the head that ``to_bytes`` wrote.

        Raises:
            IndexDamagedError: the checksum does not match.
            IndexMismatchError: the index has another format.

        """
        try:
            content: dict[str, Any] = unseal(data)
        except SealBrokenError as error:
            raise IndexDamagedError(
                f"{location} is damaged: the head of its generation: {error}. Push the index again."
            ) from error
        actual = (content["kind"], content["format"], content["manifest"]["format"])
        if actual != (_KIND, _FORMAT, FORMAT):
            raise IndexMismatchError(
                f"{location} is a {actual[0]!r} of format {actual[1]}, of an index of format "
                f"{actual[2]}; this version reads {_KIND!r} of format {_FORMAT}, of an index of "
                f"format {FORMAT}. Push the index again with this version."
            )
        return cls(
            Manifest.from_dict(content["manifest"]),
            content["rows"],
            content["title"],
            content["properties"],
            content["previous"],
        )
