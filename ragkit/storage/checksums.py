"""Checksums: of files, of their blocks, and JSON that carries its own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragkit.progress import counted

__all__ = [
    "BLOCK",
    "SUMS",
    "FileDamagedError",
    "FileRecord",
    "FileUnreadableError",
    "SealBrokenError",
    "block_digests",
    "file_records",
    "file_sha256",
    "seal",
    "sync_file",
    "sync_folder",
    "unreadable",
    "unseal",
    "verify_files",
]

BLOCK = 1 << 16
"""Bytes verified together: 40 µs, and about what one question reads of a chunk."""

SUMS = ".sums"
"""Beside a large file ``NAME`` lies ``NAME.sums``: the sha256 of each of its blocks, in order."""

LARGE = 32 << 20
"""Bytes from which on a file is verified block by block as it is read, not when it is opened."""


class SealBrokenError(ValueError):
    """The content does not match its checksum, or is not sealed JSON at all."""


class FileDamagedError(Exception):
    """A file's content is not what its record says; ``problem`` says what was found."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


class FileUnreadableError(Exception):
    """The system refused to open, map or read a file; ``error`` says why."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path}: {error}")
        self.path = path
        self.error = error


@dataclass(frozen=True, slots=True)
class FileRecord:
    """The size in bytes and the sha256 (hexadecimal) that a file must have."""

    bytes: int
    sha256: str


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content, reading it piece by piece. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_records(folder: Path) -> dict[str, FileRecord]:
    """Record every file in ``folder``; write the block digests of large ones beside them.

    Everything is on the disk, not only in its cache, when this returns.
    """
    records = {}
    for path in counted("Securing files", sorted(folder.iterdir())):
        size = path.stat().st_size
        whole, sums = block_digests(path)
        records[path.name] = FileRecord(size, whole)
        if size > LARGE:
            (folder / f"{path.name}{SUMS}").write_bytes(sums)
            records[path.name + SUMS] = FileRecord(len(sums), hashlib.sha256(sums).hexdigest())
    for name in records:
        sync_file(folder / name)
    sync_folder(folder)
    return records


def verify_files(folder: Path, records: Mapping[str, FileRecord], names: Iterable[str]) -> None:
    """Compare every byte of the named files with their records.

    Raises:
        FileDamagedError: a file differs from its record.
        FileUnreadableError: a file is missing or cannot be read.

    """
    for name in counted("Verifying files", names):
        path, expected = folder / name, records[name]
        with unreadable(path):
            actual = FileRecord(path.stat().st_size, file_sha256(path))
        if actual != expected:
            raise FileDamagedError(
                path,
                f"is damaged: found {actual.bytes} bytes with sha256 {actual.sha256}, expected "
                f"{expected.bytes} bytes with sha256 {expected.sha256}.",
            )


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn the system's errors about ``path`` into a FileUnreadableError."""
    try:
        yield
    except OSError as error:
        raise FileUnreadableError(path, error) from error


def sync_file(path: Path) -> None:
    """Flush a file's content from the system's cache to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, so that new names survive a loss of power."""
    if os.name == "nt":  # Windows has no handle on a folder to sync.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal(content: Mapping[str, Any]) -> bytes:
    """Return ``content`` as indented JSON whose last field ``checksum`` is the rest's sha256."""
    sealed = {**content, "checksum": _checksum(content)}
    return (json.dumps(sealed, ensure_ascii=False, indent=2) + "\n").encode()


def unseal(data: bytes) -> dict[str, Any]:
    """Return the content that ``seal`` wrote.

    Raises:
        SealBrokenError: any byte differs from what ``seal`` would write.

    """
    try:
        content = json.loads(data)
        claimed = content.pop("checksum", None)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise SealBrokenError(f"it is not a JSON object ({type(error).__name__})") from error
    actual = _checksum(content)
    if claimed != actual:
        raise SealBrokenError(f"its checksum is {actual}, but it says {claimed}")
    if seal(content) != data:
        raise SealBrokenError("its layout is not what ragkit writes")
    return dict(content)


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def block_digests(path: Path) -> tuple[str, bytes]:
    """Return the sha256 of a file, and those of its blocks, concatenated. Raises OSError."""
    whole, sums = hashlib.sha256(), []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
            sums.append(hashlib.sha256(block).digest())
    return whole.hexdigest(), b"".join(sums)
