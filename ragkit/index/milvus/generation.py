"""Which collections an index has, by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["VECTORS", "Generation"]

VECTORS = "vectors"
"""What the name of a collection that is searched ends with."""

_BLOBS = "blobs"
_COLLECTION = re.compile(rf"(\w+)__(\d+)_([0-9a-f]{{16}})_(?:{_BLOBS}|{VECTORS})")


@dataclass(frozen=True, slots=True)
class Generation:
    """One push of the index ``name``: the ``serial``-th, of data from which ``digest`` follows."""

    name: str
    serial: int
    digest: str

    def __str__(self) -> str:
        return f"{self.serial}_{self.digest}"

    @property
    def blobs(self) -> str:
        """The collection of everything but what is searched."""
        return f"{self.name}__{self}_{_BLOBS}"

    @property
    def vectors(self) -> str:
        """The collection that is searched."""
        return f"{self.name}__{self}_{VECTORS}"

    @classmethod
    def of(cls, collection: str) -> Generation | None:
        """That which a collection is of; None for one that is not ours."""
        match = _COLLECTION.fullmatch(collection)
        return cls(match[1], int(match[2]), match[3]) if match else None
