"""What a build has encoded so far, kept beside the index until it is published.

A build that was interrupted goes on where it stopped: a chunk is known again by a digest of all
that the model read of it. Entries are named by their own checksum, so that one half-written or
damaged is passed over; nothing of a journal is ever read by who asks.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from ragkit.encoding import Encoder
from ragkit.index.token_vectors import ChunkCodes, ReadChunk
from ragkit.storage.ragged import borders_of

__all__ = ["JOURNAL", "Journal", "Key", "entry_bytes", "entry_from"]

JOURNAL = ".journal-"

Key = bytes
"""16 bytes: a digest of all texts that a model reads of a chunk, and of where its sentences are."""

_KEY = 16
_OPEN = 32
"""So many entries stay read: a few megabytes each."""

_PROBE = "What made these vectors?"


class Journal:
    """Entries of one encoder in one folder. Not thread-safe; the index's write lock is held.

    With no folder all that is added stays in memory.
    """

    def __init__(self, directory: Path | None, encoder: Encoder) -> None:
        self._directory = directory
        self._encoder = encoder
        self._kept: dict[Key, ReadChunk] = {}
        self._paths: dict[Key, Path] = {}
        self._entry = lru_cache(maxsize=_OPEN)(_entry)
        if directory is not None and any(directory.glob(f"{JOURNAL}*")):
            self._find()

    def __len__(self) -> int:
        """How many chunks are known."""
        return len(self._kept) + len(self._paths)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept or key in self._paths

    def get(self, key: Key) -> ReadChunk | None:
        """What was read of a chunk, if it was."""
        path = self._paths.get(key)
        return self._kept.get(key) if path is None else self._entry(path)[key]

    def add(self, keys: Sequence[Key], read: Sequence[ReadChunk]) -> None:
        """Keep a group; it is on the disk, whole, when this returns."""
        if self._directory is None:
            self._kept.update(zip(keys, read, strict=True))
            return
        data = entry_bytes(keys, read)
        self._folder.mkdir(exist_ok=True)
        partial = self._folder / "partial"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path = self._folder / hashlib.sha256(data).hexdigest()
        partial.replace(path)
        self._paths.update(dict.fromkeys(keys, path))

    @cached_property
    def _folder(self) -> Path:
        # The same weights on another runtime give other last digits.
        [read] = self._encoder.encode([_PROBE])
        made_by = read.vector.tobytes() + self._encoder.fingerprint.digest.encode()
        return Path(self._directory or "") / f"{JOURNAL}{hashlib.sha256(made_by).hexdigest()[:16]}"

    def _find(self) -> None:
        for path in sorted(self._folder.glob("*")):
            with suppress(_DamagedError):
                self._paths.update(dict.fromkeys(_entry(path), path))


class _DamagedError(Exception):
    """An entry is not what its name says."""


def _entry(path: Path) -> dict[Key, ReadChunk]:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != path.name:
        raise _DamagedError(path)
    try:
        return dict(entry_from(data))
    except Exception as error:  # written by something else, under a right name
        raise _DamagedError(path) from error


def entry_bytes(keys: Sequence[Key], read: Sequence[ReadChunk]) -> bytes:
    """A group as an entry has it; workers send theirs so too."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        keys=np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, _KEY),
        vectors=np.stack([one.vector for one in read]),
        codes=np.concatenate([one.tokens.codes for one in read]),
        scales=np.concatenate([one.tokens.scales for one in read]),
        starts=np.concatenate([one.tokens.starts for one in read]),
        lengths=np.concatenate([one.tokens.lengths for one in read]),
        runs=np.asarray([len(one.tokens.lengths) for one in read]),
    )
    return buffer.getvalue()


def entry_from(data: bytes) -> list[tuple[Key, ReadChunk]]:
    """What ``entry_bytes`` was given."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        part = {name: stored[name] for name in stored.files}
    runs = borders_of(part["runs"])
    rows = borders_of(part["lengths"])[runs]
    return [
        (
            key.tobytes(),
            ReadChunk(
                vector,
                ChunkCodes(
                    part["codes"][a:b],
                    part["scales"][a:b],
                    part["starts"][a:b],
                    part["lengths"][first:last],
                ),
            ),
        )
        for key, vector, (a, b), (first, last) in zip(
            part["keys"], part["vectors"], pairwise(rows), pairwise(runs), strict=True
        )
    ]
