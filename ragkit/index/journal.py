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
from itertools import pairwise
from pathlib import Path

import numpy as np

from ragkit.encoding import Encoder
from ragkit.index.late import ChunkCodes, ReadChunk
from ragkit.index.segments import borders_of

__all__ = ["JOURNAL", "Journal", "Key"]

JOURNAL = ".journal-"

Key = bytes
"""16 bytes: a digest of all texts that a model reads of a chunk, and of where its sentences are."""

_KEY = 16
_PROBE = "What made these vectors?"


class Journal:
    """Entries of one encoder in one folder. Not thread-safe; the index's write lock is held."""

    def __init__(self, directory: Path, encoder: Encoder) -> None:
        # The same weights on another runtime give other last digits.
        probe = encoder.encode([_PROBE])[0].vector.tobytes() + encoder.fingerprint.digest.encode()
        self._folder = directory / f"{JOURNAL}{hashlib.sha256(probe).hexdigest()[:16]}"
        self._known = dict(self._entries())

    def __len__(self) -> int:
        """How many chunks are known."""
        return len(self._known)

    def get(self, key: Key) -> ReadChunk | None:
        """What was read of a chunk, if it was."""
        return self._known.get(key)

    def add(self, keys: Sequence[Key], read: Sequence[ReadChunk]) -> None:
        """Keep a group; it is on the disk, whole, when this returns."""
        self._known.update(zip(keys, read, strict=True))
        data = _to_bytes(keys, read)
        self._folder.mkdir(exist_ok=True)
        partial = self._folder / "partial"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / hashlib.sha256(data).hexdigest())

    def _entries(self) -> list[tuple[Key, ReadChunk]]:
        found: list[tuple[Key, ReadChunk]] = []
        for path in sorted(self._folder.glob("*")) if self._folder.is_dir() else []:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.name:
                found += _from_bytes(data)
        return found


def _to_bytes(keys: Sequence[Key], read: Sequence[ReadChunk]) -> bytes:
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


def _from_bytes(data: bytes) -> list[tuple[Key, ReadChunk]]:
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
