"""How an index gets onto disk whole, and how it is read without trust.

Layout::

    NAME/manifest.json         names one generation and the checksum of each of its files
    NAME/<generation>/…        the data
    NAME/.lock                 held while writing
    NAME/.journal-…/           what an interrupted build has encoded

Writing: the data goes into a hidden folder, each file synced; the folder is renamed to its
generation's name; then one rename of the manifest publishes it. A process that dies on the way
leaves the published generation as it was, and a hidden folder that the next writer removes.
Reading: every file's bytes are checked before anything is made of them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ragkit.errors import IndexDamagedError, IndexLockedError, IndexWriteError
from ragkit.index.journal import JOURNAL
from ragkit.index.manifest import KIND, MANIFEST, FileRecord, Manifest
from ragkit.sealing import file_sha256

__all__ = ["checked_path", "publish", "read_file", "record", "write_lock"]

_LOCK = ".lock"
_PARTIAL = ".partial-"


def record(data: bytes) -> FileRecord:
    """What the manifest says of a file with this content."""
    return FileRecord(len(data), hashlib.sha256(data).hexdigest())


def read_file(directory: Path, manifest: Manifest, name: str) -> bytes:
    """The content of a data file, proved against the manifest.

    Raises IndexDamagedError naming the file, what was found and what was expected.
    """
    path, expected = _listed(directory, manifest, name)
    with _as_damage(directory, path, expected):
        data = path.read_bytes()
    _compare(directory, path, record(data), expected)
    return data


def checked_path(directory: Path, manifest: Manifest, name: str) -> Path:
    """Where a data file lies, proved against the manifest without keeping its content.

    Raises IndexDamagedError like ``read_file``.
    """
    path, expected = _listed(directory, manifest, name)
    with _as_damage(directory, path, expected):
        found = FileRecord(path.stat().st_size, file_sha256(path))
    _compare(directory, path, found, expected)
    return path


def _listed(directory: Path, manifest: Manifest, name: str) -> tuple[Path, FileRecord]:
    expected = manifest.files.get(name)
    if expected is None:
        raise IndexDamagedError(
            f"{directory / MANIFEST} lists no file {name!r}; expected one. {_mend(directory)}"
        )
    return directory / manifest.generation / name, expected


@contextmanager
def _as_damage(directory: Path, path: Path, expected: FileRecord) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IndexDamagedError(
            f"{path} cannot be read ({error.strerror}); expected a file of {expected.bytes} bytes. "
            f"{_mend(directory)}"
        ) from error


def _compare(directory: Path, path: Path, found: FileRecord, expected: FileRecord) -> None:
    if found != expected:
        raise IndexDamagedError(
            f"{path} is damaged: found {found.bytes} bytes with sha256 {found.sha256}, expected "
            f"{expected.bytes} bytes with sha256 {expected.sha256}. {_mend(directory)}"
        )


@contextmanager
def write_lock(directory: Path) -> Iterator[None]:
    """Hold the only right to write the index in ``directory``; make the folder if need be.

    Raises IndexLockedError if another process holds it, IndexWriteError if it cannot be had.
    """
    from filelock import FileLock, Timeout  # asking needs no lock, and importing it takes a while

    is_new = not directory.exists()
    with _as_write_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(directory)
        lock = FileLock(directory / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise IndexLockedError(
                f"another process is writing the index at {directory}. Wait for it, or build to "
                f"another path."
            ) from error
    try:
        yield
    finally:
        lock.release()
        if is_new and {path.name for path in directory.iterdir()} <= {_LOCK}:
            # Nothing came of it: leave no empty folder that looks like an index.
            (directory / _LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                directory.rmdir()


def publish(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Make ``files`` the current generation of the index in ``directory``; the lock must be held.

    Raises IndexWriteError, after which the generation published before is still current.
    """
    generation = directory / manifest.generation
    try:
        with _as_write_error(directory):
            _remove_partials(directory)
            if not _is_whole(directory, manifest):
                _write_generation(directory / f"{_PARTIAL}{generation.name}", files)
                if generation.exists():  # damaged, and nothing else bears this name
                    generation.rename(directory / f"{_PARTIAL}damaged")
                (directory / f"{_PARTIAL}{generation.name}").rename(generation)
                _sync_folder(directory)
            _write(directory / f"{_PARTIAL}{MANIFEST}", manifest.to_bytes())
            (directory / f"{_PARTIAL}{MANIFEST}").replace(directory / MANIFEST)
            _sync_folder(directory)
    finally:
        _remove_partials(directory)
    for path in directory.iterdir():
        if (_is_generation(path) and path != generation) or path.name.startswith(JOURNAL):
            shutil.rmtree(path, ignore_errors=True)


def _write_generation(partial: Path, files: Mapping[str, bytes]) -> None:
    partial.mkdir()
    for name, data in files.items():
        _write(partial / name, data)
    _sync_folder(partial)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder to sync.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(directory: Path, manifest: Manifest) -> bool:
    try:
        for name in manifest.files:
            read_file(directory, manifest, name)
    except IndexDamagedError:
        return False
    return True


def _remove_partials(directory: Path) -> None:
    """Remove what a writer left half-written, this one or one that died."""
    for path in directory.glob(f"{_PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_generation(path: Path) -> bool:
    return (
        path.is_dir() and len(path.name) == 16 and all(c in "0123456789abcdef" for c in path.name)
    )


def _refuse_foreign(directory: Path) -> None:
    """An index is never written among files that are not its own."""
    names = {path.name for path in directory.iterdir()}
    own = {n for n in names if n.startswith((_PARTIAL, JOURNAL)) or _is_generation(directory / n)}
    foreign = names - own - {MANIFEST, _LOCK}
    if not foreign and MANIFEST in names:
        # A manifest that was cut to nothing is still ours if our lock lies beside it.
        data = (directory / MANIFEST).read_bytes()
        foreign = set() if KIND.encode() in data or (_LOCK in names and not data) else {MANIFEST}
    elif not foreign and _LOCK not in names:
        foreign = own  # looks like our data, but nothing says that it is
    if foreign:
        raise IndexWriteError(
            f"{directory} holds {min(foreign)!r}, which is no part of an index; expected an empty "
            f"or new folder, or an index. Choose another path."
        )


@contextmanager
def _as_write_error(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IndexWriteError(
            f"the index at {directory} could not be written: {error.strerror or error}. What was "
            f"there before is unchanged. Check space and permissions, then try again."
        ) from error


def _mend(directory: Path) -> str:
    return f"Restore it, or rebuild: ragkit index build SOURCE… --out {directory}"
