"""The journal: what a build has encoded so far, kept beside the index until it is published.

An interrupted build resumes where it stopped: a chunk is recognised by a digest of everything that
the model encodes of it. An entry's name is its own checksum, so an entry that is half written or
damaged is skipped. Queries never read the journal.
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
from typing import NamedTuple

import numpy as np

from ragkit.encoding import Encoded, Encoder, Vectors
from ragkit.index.token_vectors import QuantizedTokens
from ragkit.storage.arrays import Integers, offsets_of
from ragkit.text.spans import Span

__all__ = [
    "JOURNAL",
    "EncodedChunk",
    "Journal",
    "Key",
    "encoded_chunks",
    "pack_chunks",
    "unpack_chunks",
]

JOURNAL = ".journal-"

Key = bytes
"""16 bytes: a digest of all texts that the model encodes of a chunk, and of its sentence spans."""

_KEY = 16
_CACHED_ENTRIES = 32
"""A few megabytes each."""

_PROBE = "What made these vectors?"


class EncodedChunk(NamedTuple):
    """What a model makes of a chunk: one ``(d,)`` vector, and its token vectors."""

    vector: Vectors
    tokens: QuantizedTokens


class Journal:
    """The entries of one encoder in one folder; without a folder, everything stays in memory.

    Not thread-safe: the caller holds the index's write lock.
    """

    def __init__(self, directory: Path | None, encoder: Encoder) -> None:
        self._directory = directory
        self._encoder = encoder
        self._in_memory: dict[Key, EncodedChunk] = {}
        self._paths: dict[Key, Path] = {}
        self._load = lru_cache(maxsize=_CACHED_ENTRIES)(_load_entry)
        if directory is not None and any(directory.glob(f"{JOURNAL}*")):
            self._find_entries()

    def __len__(self) -> int:
        """Number of chunks in the journal."""
        return len(self._in_memory) + len(self._paths)

    def missing(self, keys: Sequence[Key]) -> list[Key]:
        """Return the keys whose chunks are not in the journal."""
        return [key for key in keys if key not in self._in_memory and key not in self._paths]

    def get(self, keys: Sequence[Key]) -> list[EncodedChunk | None]:
        """Return the encoded chunk of each key, None where the journal lacks it."""
        paths = [self._paths.get(key) for key in keys]
        return [
            self._in_memory.get(key) if path is None else self._load(path)[key]
            for key, path in zip(keys, paths, strict=True)
        ]

    def add(self, keys: Sequence[Key], chunks: Sequence[EncodedChunk]) -> None:
        """Add a group; it is on the disk, whole, when this returns."""
        if self._directory is None:
            self._in_memory.update(zip(keys, chunks, strict=True))
            return
        data = pack_chunks(keys, chunks)
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
        [encoded] = self._encoder.encode([_PROBE])
        encoder = encoded.vector.tobytes() + self._encoder.fingerprint.digest.encode()
        digest = hashlib.sha256(encoder).hexdigest()[:16]
        return Path(self._directory or "") / f"{JOURNAL}{digest}"

    def _find_entries(self) -> None:
        for path in sorted(self._folder.glob("*")):
            with suppress(_DamagedError):
                self._paths.update(dict.fromkeys(_load_entry(path), path))


class _DamagedError(Exception):
    """An entry's content does not match its name."""


def _load_entry(path: Path) -> dict[Key, EncodedChunk]:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != path.name:
        raise _DamagedError(path)
    try:
        return dict(unpack_chunks(data))
    except Exception as error:  # written by something else, under a right name
        raise _DamagedError(path) from error


def pack_chunks(keys: Sequence[Key], chunks: Sequence[EncodedChunk]) -> bytes:
    """Serialise a group of encoded chunks: a journal entry, or a worker's result."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        keys=np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, _KEY),
        vectors=np.stack([chunk.vector for chunk in chunks]),
        codes=np.concatenate([chunk.tokens.codes for chunk in chunks]),
        scales=np.concatenate([chunk.tokens.scales for chunk in chunks]),
        starts=np.concatenate([chunk.tokens.starts for chunk in chunks]),
        lengths=np.concatenate([chunk.tokens.lengths for chunk in chunks]),
        runs=np.asarray([len(chunk.tokens.lengths) for chunk in chunks]),
    )
    return buffer.getvalue()


def unpack_chunks(data: bytes) -> list[tuple[Key, EncodedChunk]]:
    """Undo ``pack_chunks``."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        part = {name: stored[name] for name in stored.files}
    runs, tokens = offsets_of(part["runs"]), offsets_of(part["lengths"])
    rows = tokens[runs]
    return [
        (
            key.tobytes(),
            EncodedChunk(
                vector,
                QuantizedTokens(
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


def encoded_chunks(
    chunks: Sequence[tuple[Encoded, Sequence[Encoded], int, Sequence[Span]]],
) -> list[EncodedChunk]:
    """Sort the tokens of chunks into runs and quantize them to int8.

    Args:
        chunks: for each the whole chunk as the model encodes it; each of its sentences alone, or
            nothing if the model reads a chunk once; the number of code points of title and
            headings in front of each of these texts; and the sentences' spans, counted from the
            beginning of the chunk.

    """
    return [_encoded_chunk(*chunk) for chunk in chunks]


def _encoded_chunk(
    whole: Encoded, alone: Sequence[Encoded], context: int, sentences: Sequence[Span]
) -> EncodedChunk:
    place = whole.starts - context
    runs: list[Vectors] = [whole.tokens[whole.starts < context]]
    starts: list[Integers] = [np.full(len(runs[0]), -1)]
    for number, sentence in enumerate(sentences):
        inside = (place >= sentence.start) & (place < sentence.end)
        runs.append(whole.tokens[inside])
        if not alone:
            starts.append(place[inside])
            continue
        encoded = alone[number]
        own = encoded.starts >= context
        runs.append(encoded.tokens[own])
        starts.append(np.full(len(runs[-2]), -1))
        starts.append(encoded.starts[own] - context + sentence.start)
    vectors = np.concatenate(runs)
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-9) / np.float32(127)
    tokens = QuantizedTokens(
        np.rint(vectors / scales[:, None]).astype(np.int8),
        scales.astype(np.float32),
        np.concatenate(starts),
        np.asarray([len(run) for run in runs], dtype=np.int64),
    )
    return EncodedChunk(whole.vector, tokens)
