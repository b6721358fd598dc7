"""The manifest: what an index was built from and with, and the checksum of every file.

``manifest.json`` is the only entry point of an index. It names one generation, a folder beside it
that holds the data; replacing the manifest in one rename publishes a new generation.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ragkit.chunking import Chunker
from ragkit.commands import beside, command
from ragkit.encoding import Fingerprint
from ragkit.errors import (
    IndexDamagedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexReadError,
    StoreError,
)
from ragkit.index.config import RetrievalConfig
from ragkit.index.vectors import SearchSettings
from ragkit.storage.checksums import FileRecord, SealBrokenError, seal, unseal
from ragkit.text.languages import primary_language

__all__ = [
    "FORMAT",
    "KIND",
    "MANIFEST",
    "Manifest",
    "SourceRecord",
    "damaged_manifest",
    "documents_of",
    "format_of",
    "generation_of",
    "manifest_bytes",
    "recorded_ids",
    "unreadable_error",
]

MANIFEST = "manifest.json"
FORMAT = 5
KIND = "ragkit index"

_TRANSIENT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """The origin of one document.

    ``path`` is relative to the index's folder; None for a document given in memory. ``inputs`` is
    the digest of all that the file's documents follow from; None if it is not known.
    """

    document_id: str
    path: str | None
    sha256: str
    inputs: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is recorded about an index.

    Attributes:
        encoder: the model that encoded it.
        dimension: length of its vectors.
        chunker: the settings that cut its documents into chunks.
        config: the retrieval parameters.
        search: how its vectors are searched, and how well.
        token_bits: bits of each component of a token vector.
        compact: whether it was built to be as small as it can be.
        readings: how often the model read each chunk.
        runtime: what ran the model; None if an index of an older format did not say.
        memory: the budget it was laid out for, in bytes; None for the default.
        language: that of documents that state none; None if their words tell.
        sources: where each document came from, in the order of the corpus.
        counts: number of documents, chunks and sentences.
        languages: number of documents in each language, most first; empty if all are English.
        files: the record of every data file, by name.

    """

    encoder: Fingerprint
    dimension: int
    chunker: Chunker
    config: RetrievalConfig
    search: SearchSettings
    token_bits: int
    compact: bool
    readings: int
    runtime: str | None
    memory: int | None
    sources: tuple[SourceRecord, ...]
    counts: Mapping[str, int]
    files: Mapping[str, FileRecord]
    language: str | None = None
    languages: Mapping[str, int] = field(default_factory=dict)

    @property
    def generation(self) -> str:
        """The name of the data folder: a digest of the data, so equal builds have equal names."""
        return generation_of(self.files)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``manifest.json`` without its checksum."""
        return {
            "kind": KIND,
            "format": FORMAT,
            "generation": self.generation,
            "encoder": {
                **self.encoder.to_dict(),
                "dimension": self.dimension,
                "runtime": self.runtime,
            },
            "chunker": self.chunker.to_dict(),
            "weights": _weights(self.config),
            "dense": {"similarity": "cosine", **asdict(self.search)},
            "tokens": {
                "bits": self.token_bits,
                "readings": self.readings,
                **({"compact": True} if self.compact else {}),
            },
            "memory": self.memory,
            **({"language": self.language} if self.language else {}),
            "sources": _grouped(self.sources),
            "counts": dict(self.counts),
            **({"languages": dict(self.languages)} if self.languages else {}),
            "files": {
                name: {"bytes": record.bytes, "sha256": record.sha256}
                for name, record in sorted(self.files.items())
            },
        }

    def to_bytes(self) -> bytes:
        """Return the content of ``manifest.json``, which ends with its own checksum."""
        return seal(self.to_dict())

    @classmethod
    def load(cls, directory: Path) -> Manifest:
        """Load the manifest of the index in ``directory`` and verify its checksum.

        Raises:
            IndexNotFoundError: there is no manifest.
            IndexDamagedError: it is damaged.
            IndexReadError: the system refused to read it.
            IndexMismatchError: it has another format.

        """
        path = directory / MANIFEST
        data = manifest_bytes(directory)
        version = _format_of(path, data)
        if version < FORMAT:
            raise IndexMismatchError(
                f"{path} has format {version}; this version of ragkit expects format {FORMAT}. "
                f"Upgrade the index: {command('ragkit index upgrade', directory)}"
            )
        try:
            return cls.from_dict(unseal(data))
        except SealBrokenError as error:
            raise damaged_manifest(path, str(error)) from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Manifest:
        """Build a manifest from what ``to_dict`` returned, which must have been verified."""
        return cls(
            encoder=Fingerprint.from_dict(content["encoder"]),
            dimension=int(content["encoder"]["dimension"]),
            chunker=Chunker(**content["chunker"]),
            config=_config(content["weights"]),
            search=SearchSettings(
                **{k: v for k, v in content["dense"].items() if k != "similarity"}
            ),
            token_bits=int(content["tokens"]["bits"]),
            compact=bool(content["tokens"].get("compact", False)),
            readings=int(content["tokens"]["readings"]),
            runtime=content["encoder"]["runtime"],
            memory=content["memory"],
            sources=tuple(
                SourceRecord(name, source["path"], source["sha256"], source.get("inputs"))
                for source in content["sources"]
                for name in source["documents"]
            ),
            counts=dict(content["counts"]),
            files={name: FileRecord(**record) for name, record in content["files"].items()},
            language=primary_language(content.get("language") or ""),
            languages=content.get("languages", {}),
        )


def recorded_ids(directory: Path) -> frozenset[str]:
    """Return the ids of the documents of the index in ``directory``, whatever its format.

    Nothing if there is no index, or if its manifest cannot be read.
    """
    try:
        sources = json.loads((directory / MANIFEST).read_bytes())["sources"]
        return frozenset(str(name) for source in sources for name in documents_of(source))
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def documents_of(source: Mapping[str, Any]) -> list[str]:
    """Return the ids of the documents of a recorded source; formats 1 and 2 have one in each."""
    return list(source["documents"]) if "documents" in source else [source["document_id"]]


def format_of(directory: Path) -> int:
    """Return the format of the index in ``directory``, the current one or an older one.

    Raises:
        IndexNotFoundError, IndexDamagedError, IndexReadError: as ``Manifest.load``.
        IndexMismatchError: it is newer than this version of ragkit.

    """
    return _format_of(directory / MANIFEST, manifest_bytes(directory))


def manifest_bytes(directory: Path) -> bytes:
    """Read the manifest as it is, unverified; the errors are those of ``Manifest.load``."""
    path = directory / MANIFEST
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexNotFoundError(
            f"there is no index at {directory} (no {MANIFEST} in it). {_how_to_build(directory)}"
        ) from error
    except OSError as error:
        raise unreadable_error(path, error, f"{path} cannot be read: {error.strerror}.") from error


def _how_to_build(directory: Path) -> str:
    """What to do where there is no index: files of another kind, or none, may be there."""
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        build = command("ragkit index build", directory, "--out", beside(directory, "-index"))
        return f"Name the folder of an index, or build one of what is there: {build}"
    return f"Build one: {command('ragkit index build SOURCE… --out', directory)}"


def _format_of(path: Path, data: bytes) -> int:
    try:
        content = json.loads(data)
        kind, version = content["kind"], content["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged_manifest(
            path, f"it is not a ragkit manifest ({type(error).__name__})"
        ) from error
    if kind != KIND or not isinstance(version, int) or version > FORMAT:
        raise IndexMismatchError(
            f"{path} is a {kind!r} of format {version!r}; this version of ragkit reads {KIND!r} up "
            f"to format {FORMAT}. Install the version of ragkit that wrote it, or a newer one."
        )
    return version


def unreadable_error(path: Path, error: OSError, damage: str) -> StoreError:
    """Return the error for a file that the system did not read: damage, or a passing condition.

    Args:
        damage: the message if the error means that the file itself is damaged or missing.

    """
    if error.errno not in _TRANSIENT:
        return IndexDamagedError(damage)
    return IndexReadError(
        f"{path} could not be read: {error.strerror}. That says nothing about the index. Check who "
        f"may read it, and how many open files this process may have, then try again."
    )


def _grouped(sources: Sequence[SourceRecord]) -> list[dict[str, Any]]:
    """The sources, with the documents of one file together."""
    return [
        {
            "path": path,
            "sha256": sha256,
            **({} if inputs is None else {"inputs": inputs}),
            "documents": [one.document_id for one in group],
        }
        for (path, sha256, inputs), group in groupby(
            sources, key=lambda one: (one.path, one.sha256, one.inputs)
        )
    ]


def damaged_manifest(path: Path, what: str) -> IndexDamagedError:
    """Return the error for a manifest that cannot be used."""
    # A build in its place would not know which documents it drops.
    return IndexDamagedError(
        f"{path} is damaged: {what}. Restore it from a copy, or build the index anew beside it: "
        f"{command('ragkit index build SOURCE… --out', beside(path.parent, '-rebuilt'))}"
    )


def generation_of(files: Mapping[str, FileRecord]) -> str:
    """Return the name of a data folder with these files: a digest of what they hold."""
    content = sorted((name, record.sha256) for name, record in files.items())
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _weights(config: RetrievalConfig) -> dict[str, float]:
    """Slope and shift are written only where they were tuned: older versions do not know them."""
    own = {"reverse": config.reverse, "rarity": config.idf_power}
    if (config.slope, config.shift) == (1.0, 0.0):
        return own
    return {**own, "slope": config.slope, "shift": config.shift}


def _config(weights: Mapping[str, float]) -> RetrievalConfig:
    return RetrievalConfig(
        weights["reverse"], weights["rarity"], weights.get("slope", 1.0), weights.get("shift", 0.0)
    )
