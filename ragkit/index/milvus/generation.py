"""The names of the collections that belong to an index."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["VECTORS", "Generation"]

VECTORS = "vectors"
"""Last part of the name of a collection of vectors."""

_BLOBS = "blobs"
_COLLECTION = re.compile(rf"(\w+)__(\d+)_([0-9a-f]{{16}})_(?:{_BLOBS}|{VECTORS})")


@dataclass(frozen=True, slots=True)
class Generation:
    """One push of an index, stored in two collections.

    Attributes:
        name: the name of the index.
        serial: number of the push, from 1.
        digest: the generation's name on disk, a digest of its data.

    """

    name: str
    serial: int
    digest: str

    def __str__(self) -> str:
        return f"{self.serial}_{self.digest}"

    @property
    def blobs(self) -> str:
        """Name of the collection that holds everything but the vectors to be searched."""
        return f"{self.name}__{self}_{_BLOBS}"

    @property
    def vectors(self) -> str:
        """Name of the collection of the vectors to be searched."""
        return f"{self.name}__{self}_{VECTORS}"

    @classmethod
    def of_collection(cls, collection: str) -> Generation | None:
        """Parse the generation out of a collection's name; None if the name is not ragkit's."""
        match = _COLLECTION.fullmatch(collection)
        return cls(match[1], int(match[2]), match[3]) if match else None
