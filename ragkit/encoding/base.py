"""What ragkit asks of a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoded", "Encoder", "Fingerprint", "Vectors"]

Vectors = NDArray[np.float32]
"""``(n, d)`` float32 rows."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a model is: its name and the sha256 of each file that shapes its output.

    Two fingerprints with one ``digest`` mean the same vectors, wherever the model lies and whatever
    it is called. ``source`` is what to give ``load_encoder`` to find it again: a hint, no identity.
    """

    name: str
    source: str
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """sha256 over the files' names and checksums alone."""
        return hashlib.sha256(json.dumps(sorted(self.files.items())).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": self.source,
            "digest": self.digest,
            "files": dict(sorted(self.files.items())),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Fingerprint:
        return cls(str(value["name"]), str(value["source"]), dict(value["files"]))


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as a model reads it.

    ``vector``: ``(d,)``, the text as a whole. ``tokens``: ``(n, d)``, its tokens in their context,
    special ones left out. ``starts``: ``(n,)``, where in the text each token begins. All vectors
    are float32 of unit norm.
    """

    vector: Vectors
    tokens: Vectors
    starts: NDArray[np.int64]


class Encoder(Protocol):
    """A model that turns texts into vectors whose inner product is their cosine similarity."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is; recorded in every index that it makes."""
        ...

    @property
    def dimension(self) -> int:
        """The length of its vectors."""
        ...

    @property
    def window(self) -> int:
        """How many tokens of text it reads at once, special ones not counted."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Each text's vector and its tokens' vectors; no text is cut."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones around it."""
        ...
