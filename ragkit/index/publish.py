"""How an index gets onto disk whole, and how it is read without trust.

Layout::

    NAME/manifest.json         names one generation and the checksum of each of its files
    NAME/<generation>/…        the data
    NAME/.lock                 held while writing
    NAME/.journal-…/           what an interrupted build has encoded

Writing: the data goes into a hidden folder, each file synced; the folder is renamed to its
generation's name; then one rename of the manifest publishes it. A process that dies on the way
leaves the published generation as it was, and a hidden folder that the next writer removes.
Reading: every byte is proved before anything is made of it; those of small files when the index is
opened, those of large ones block by block, when they are first read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from ragkit.errors import (
    IndexDamagedError,
    IndexLockedError,
    IndexReadError,
    IndexWriteError,
)
from ragkit.index.journal import JOURNAL
from ragkit.index.layout import MEMORY
from ragkit.index.local import LocalData
from ragkit.index.manifest import KIND, MANIFEST, FileRecord, Manifest, unreadable
from ragkit.index.vectors import DenseIndex
from ragkit.storage.checksums import file_sha256
from ragkit.storage.rows import BLOCK, SUMS, Residency, Rows, map_file, sums_of

__all__ = ["drafting", "mapped", "opened", "publish", "records", "verify", "write_lock"]

_LOCK = ".lock"
_PARTIAL = ".partial-"

_LARGE = 32 << 20
"""Bytes from which on a file is not proved when it is opened, but as it is read."""


def records(folder: Path) -> dict[str, FileRecord]:
    """What the manifest says of the files in ``folder``; a large one's blocks get digests beside
    it. All of it is on the disk, not only in its cache, when this returns.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        whole, sums = sums_of(path)
        found[path.name] = FileRecord(path.stat().st_size, whole)
        if path.stat().st_size > _LARGE:
            (folder / f"{path.name}{SUMS}").write_bytes(sums)
            found[path.name + SUMS] = FileRecord(len(sums), hashlib.sha256(sums).hexdigest())
    for name in found:
        _sync(folder / name)
    _sync_folder(folder)
    return found


def opened(directory: Path, manifest: Manifest) -> LocalData:
    """The data of a generation, memory-mapped.

    Small files are proved now, large ones block by block as they are read, so that nothing
    unproved is ever believed. Raises IndexDamagedError naming the file, what was found and what was
    expected, now or at a question; IndexReadError now.
    """
    return LocalData(
        mapped(directory, manifest, [n for n in manifest.files if not n.endswith(SUMS)])
    )


def mapped(directory: Path, manifest: Manifest, names: Iterable[str]) -> dict[str, Rows]:
    """Some tables of a generation, as ``opened`` has them."""
    budget = MEMORY if manifest.memory is None else manifest.memory
    searched = manifest.files.get(DenseIndex.NAME)
    residency = Residency(budget - min(budget // 2, searched.bytes if searched else 0))
    return {name: _mapped(directory, manifest, name, residency) for name in names}


def verify(directory: Path, manifest: Manifest, names: Iterable[str] | None = None) -> None:
    """Prove every byte of every file, or of those named.

    Raises IndexDamagedError, IndexReadError.
    """
    for name in manifest.files if names is None else names:
        _proved(directory, manifest, name)


def _mapped(directory: Path, manifest: Manifest, name: str, residency: Residency) -> Rows:
    if name + SUMS not in manifest.files:
        path, expected = _proved(directory, manifest, name), manifest.files[name]
        with _as_damage(directory, path, expected):
            return map_file(path, residency)
    path, expected = _listed(directory, manifest, name)
    with _as_damage(directory, path, expected):
        sums = _proved(directory, manifest, name + SUMS).read_bytes()
        size = path.stat().st_size
        if size != expected.bytes:
            raise _size_differs(directory, path, size, expected)
        return map_file(path, residency, sums, partial(_block_differs, directory, path))


def _proved(directory: Path, manifest: Manifest, name: str) -> Path:
    path, expected = _listed(directory, manifest, name)
    with _as_damage(directory, path, expected):
        found = FileRecord(path.stat().st_size, file_sha256(path))
    if found != expected:
        raise IndexDamagedError(
            f"{path} is damaged: found {found.bytes} bytes with sha256 {found.sha256}, expected "
            f"{expected.bytes} bytes with sha256 {expected.sha256}. {_mend(directory)}"
        )
    return path


def _size_differs(
    directory: Path, path: Path, size: int, expected: FileRecord
) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} is damaged: found {size} bytes, expected {expected.bytes}. {_mend(directory)}"
    )


def _block_differs(directory: Path, path: Path, block: int) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} is damaged: the bytes from {block * BLOCK:,} on, a block of {BLOCK:,}, are not "
        f"those that were written. {_mend(directory)}"
    )


def _listed(directory: Path, manifest: Manifest, name: str) -> tuple[Path, FileRecord]:
    expected = manifest.files[name]
    return directory / manifest.generation / name, expected


@contextmanager
def _as_damage(directory: Path, path: Path, expected: FileRecord) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        damage = (
            f"{path} cannot be read ({error.strerror}); expected a file of {expected.bytes} bytes. "
            f"{_mend(directory)}"
        )
        raise unreadable(path, error, damage) from error


@contextmanager
def write_lock(directory: Path) -> Iterator[None]:
    """Hold the only right to write the index in ``directory``; make the folder if need be.

    Raises IndexLockedError if another process holds it, IndexWriteError if it cannot be had.
    """
    from filelock import FileLock, Timeout  # asking needs no lock, and importing it takes a while

    is_new = not directory.exists()
    with _as_write_error(directory):
        _make_folder(directory)
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
        with _as_write_error(directory):
            _remove_partials(directory)
            if is_new:  # the lock says that the folder is an index's, also after a loss of power
                _sync_folder(directory)
        yield
    finally:
        lock.release()
        if is_new and {path.name for path in directory.iterdir()} <= {_LOCK}:
            # Nothing came of it: leave no empty folder that looks like an index.
            with suppress(OSError):
                (directory / _LOCK).unlink(missing_ok=True)
                directory.rmdir()


@contextmanager
def drafting(directory: Path) -> Iterator[Path]:
    """An empty folder to write a generation's files into; the lock must be held.

    Raises IndexWriteError for what goes wrong with the disk while it is filled.
    """
    folder = directory / f"{_PARTIAL}draft"
    with _as_write_error(directory):
        try:
            folder.mkdir()
            yield folder
        finally:
            _remove_partials(directory)


def publish(directory: Path, folder: Path, manifest: Manifest) -> None:
    """Make the files in ``folder``, of which the manifest has the ``records``, the current
    generation of the index in ``directory``; the lock must be held.

    Raises IndexWriteError, after which the generation published before is still current.
    """
    generation = directory / manifest.generation
    with _as_write_error(directory):
        if generation.exists():
            _mend_files(directory, folder, manifest)
        else:
            folder.rename(generation)
            _sync_folder(directory)
        partial_manifest = directory / f"{_PARTIAL}{MANIFEST}"
        partial_manifest.write_bytes(manifest.to_bytes())
        _sync(partial_manifest)
        partial_manifest.replace(directory / MANIFEST)
        _sync_folder(directory)
    for path in directory.iterdir():
        if (_is_generation(path) and path != generation) or path.name.startswith(JOURNAL):
            shutil.rmtree(path, ignore_errors=True)


def _make_folder(path: Path) -> None:
    """With its parents, so that it is there after a loss of power, as what will be put into it."""
    for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
        missing.mkdir(exist_ok=True)
        with suppress(PermissionError):  # a folder may be written to by who may not read it
            _sync_folder(missing.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder to sync.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mend_files(directory: Path, folder: Path, manifest: Manifest) -> None:
    """Put those of ``folder`` where files of the same generation are damaged.

    One by one: whenever this ends, nothing that was whole is gone, and the rest can be mended.
    """
    generation = directory / manifest.generation
    if not _holds_plain_files(generation):
        generation.rename(directory / f"{_PARTIAL}damaged")
        folder.rename(generation)
        _sync_folder(directory)
        return
    for name in manifest.files:
        try:
            verify(directory, manifest, [name])
        except (IndexDamagedError, IndexReadError):
            (folder / name).replace(generation / name)
    _sync_folder(generation)


def _holds_plain_files(generation: Path) -> bool:
    try:
        return os.access(generation, os.W_OK) and not any(p.is_dir() for p in generation.iterdir())
    except OSError:
        return False


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
