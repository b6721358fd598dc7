"""The manifest: what made an index, and the checksum of every file it has.

``manifest.json`` is the index's only entrance. It names one generation, a folder beside it that
holds the data; replacing the manifest in one rename is what publishes a new generation.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ragkit.chunking import Chunker
from ragkit.encoding import Fingerprint
from ragkit.errors import (
    IndexDamagedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexReadError,
    StoreError,
)
from ragkit.index.config import Weights
from ragkit.index.vectors import Searching
from ragkit.storage.checksums import SealBrokenError, seal, unseal

__all__ = ["FORMAT", "KIND", "MANIFEST", "FileRecord", "Manifest", "SourceRecord", "unreadable"]

MANIFEST = "manifest.json"
FORMAT = 3
KIND = "ragkit index"

_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One data file: how long it is and what it must hash to."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One document's origin. ``path`` is relative to the index's folder, None if from memory."""

    document_id: str
    path: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is recorded about an index. ``counts`` has documents, chunks and sentences.

    ``searching``: how its vectors are searched, and how well. ``token_bits``: of a component of a
    token vector. ``memory``: the budget it was laid out for, bytes; None for the usual one.
    """

    encoder: Fingerprint
    dimension: int
    chunker: Chunker
    weights: Weights
    searching: Searching
    token_bits: int
    memory: int | None
    sources: tuple[SourceRecord, ...]
    counts: Mapping[str, int]
    files: Mapping[str, FileRecord]

    @property
    def generation(self) -> str:
        """The data folder's name: it follows from the data, so equal builds have equal names."""
        content = sorted((name, record.sha256) for name, record in self.files.items())
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "format": FORMAT,
            "generation": self.generation,
            "encoder": {**self.encoder.to_dict(), "dimension": self.dimension},
            "chunker": self.chunker.to_dict(),
            "weights": self.weights.to_dict(),
            "dense": {"similarity": "cosine", **asdict(self.searching)},
            "tokens": {"bits": self.token_bits},
            "memory": self.memory,
            "sources": _grouped(self.sources),
            "counts": dict(self.counts),
            "files": {
                name: {"bytes": record.bytes, "sha256": record.sha256}
                for name, record in sorted(self.files.items())
            },
        }

    def to_bytes(self) -> bytes:
        """The file's content; it ends with its own checksum, so that damage to it shows."""
        return seal(self.to_dict())

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """The manifest of the index in ``directory``, checked against its own checksum.

        Raises IndexNotFoundError, IndexDamagedError, IndexReadError, or IndexMismatchError for
        another format.
        """
        path = directory / MANIFEST
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise IndexNotFoundError(
                f"there is no index at {directory} (no {MANIFEST} in it). "
                f"Build one: ragkit index build SOURCE… --out {directory}"
            ) from error
        except OSError as error:
            raise unreadable(path, error, f"{path} cannot be read: {error.strerror}.") from error
        try:
            content = json.loads(data)
            kind, version = content["kind"], content["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, f"it is no ragkit manifest ({type(error).__name__})") from error
        if kind != KIND or version != FORMAT:
            raise IndexMismatchError(
                f"{path} is a {kind!r} of format {version!r}; this version reads {KIND!r} of "
                f"format {FORMAT}. Rebuild it: ragkit index build SOURCE… --out {directory}"
            )
        try:
            return cls.from_dict(unseal(data))
        except SealBrokenError as error:
            raise _damaged(path, str(error)) from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Manifest:
        """What ``to_dict`` gave; trusts its argument: the checksum has matched."""
        return cls(
            encoder=Fingerprint.from_dict(content["encoder"]),
            dimension=int(content["encoder"]["dimension"]),
            chunker=Chunker(**content["chunker"]),
            weights=Weights(**content["weights"]),
            searching=Searching(**{k: v for k, v in content["dense"].items() if k != "similarity"}),
            token_bits=int(content["tokens"]["bits"]),
            memory=content["memory"],
            sources=tuple(
                SourceRecord(name, source["path"], source["sha256"])
                for source in content["sources"]
                for name in source["documents"]
            ),
            counts=dict(content["counts"]),
            files={name: FileRecord(**record) for name, record in content["files"].items()},
        )


def unreadable(path: Path, error: OSError, damage: str) -> StoreError:
    """What an error of the system says of an index: ``damage``, or nothing about it."""
    if error.errno not in _PASSING:
        return IndexDamagedError(damage)
    return IndexReadError(
        f"{path} could not be read: {error.strerror}. That says nothing about the index. Check who "
        f"may read it, and how many open files this process may have, then try again."
    )


def _grouped(sources: Sequence[SourceRecord]) -> list[dict[str, Any]]:
    """A file of many documents is named once."""
    return [
        {"path": path, "sha256": sha256, "documents": [one.document_id for one in group]}
        for (path, sha256), group in groupby(sources, key=lambda one: (one.path, one.sha256))
    ]


def _damaged(path: Path, what: str) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} is damaged: {what}. Restore it, or rebuild: "
        f"ragkit index build SOURCE… --out {path.parent}"
    )
