"""Publishing a generation of an index, and opening the published one.

Layout::

    NAME/manifest.json         names one generation and the checksum of each of its files
    NAME/<generation>/…        the data
    NAME/.lock                 held while writing
    NAME/.journal-…/           what an interrupted build has encoded

Writing: the data goes into a hidden folder, each file synced; the folder is renamed to its
generation's name; then one rename of the manifest publishes it. A process that dies on the way
leaves the published generation as it was, and a hidden folder that the next writer removes.
Reading: every byte is verified before it is used; those of small files when the index is opened,
those of large ones block by block, when they are first read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from ragkit.commands import command
from ragkit.errors import (
    IndexDamagedError,
    IndexLockedError,
    IndexReadError,
    IndexWriteError,
)
from ragkit.index.config import DEFAULT_MEMORY
from ragkit.index.journal import JOURNAL
from ragkit.index.local import LocalData
from ragkit.index.manifest import KIND, MANIFEST, Manifest, unreadable_error
from ragkit.index.vectors import VectorIndex
from ragkit.progress import STAGE
from ragkit.storage import checksums
from ragkit.storage.arrays import Table
from ragkit.storage.checksums import (
    SUMS,
    FileDamagedError,
    FileUnreadableError,
    sync_file,
    sync_folder,
    verify_files,
)
from ragkit.storage.mapped import Residency, cut_short
from ragkit.storage.tables import open_tables

__all__ = [
    "draft_folder",
    "open_generation",
    "open_tables_of",
    "publish",
    "publish_manifest",
    "remove_superseded",
    "verify",
    "write_lock",
]

_LOCK = ".lock"
_PARTIAL = ".partial-"


def open_generation(directory: Path, manifest: Manifest) -> LocalData:
    """Open the data of a generation, memory-mapped.

    Small files are verified now, large ones block by block as they are read, so that no byte is
    used before it was verified.

    Raises:
        IndexDamagedError: a file is not what the manifest says; now, or later at a question.
        IndexReadError: the system refused to read a file.

    """
    names = [name for name in manifest.files if not name.endswith(SUMS)]
    folder = directory / manifest.generation
    sizes = {str(folder / name): manifest.files[name].bytes for name in names}
    tables = open_tables_of(directory, manifest, names)
    return LocalData(tables, partial(_check_files, directory, sizes))


def _check_files(directory: Path, sizes: Mapping[str, int]) -> None:
    if path := cut_short(sizes):
        raise IndexDamagedError(
            f"{path} was cut short while the index was open. {_remedy(directory)}"
        )


def open_tables_of(directory: Path, manifest: Manifest, names: list[str]) -> dict[str, Table]:
    """Open some tables of a generation, as ``open_generation`` does."""
    budget = DEFAULT_MEMORY if manifest.memory is None else manifest.memory
    faiss = manifest.files.get(VectorIndex.NAME)
    others = budget - min(budget // 2, faiss.bytes if faiss else 0)

    def damage(path: Path, block: int) -> IndexDamagedError:
        size = checksums.BLOCK
        return IndexDamagedError(
            f"{path} is damaged: the bytes from {block * size:,} on, a block of {size:,}, are not "
            f"those that were written. {_remedy(directory)}"
        )

    with _index_errors(directory, manifest):
        folder = directory / manifest.generation
        return open_tables(folder, manifest.files, names, Residency(others), damage)


def verify(directory: Path, manifest: Manifest, names: Iterable[str] | None = None) -> None:
    """Verify every byte of every file of a generation, or of the files named.

    Raises:
        IndexDamagedError: a file is not what the manifest says.
        IndexReadError: the system refused to read a file.

    """
    with _index_errors(directory, manifest):
        every = manifest.files if names is None else names
        verify_files(directory / manifest.generation, manifest.files, every)


@contextmanager
def _index_errors(directory: Path, manifest: Manifest) -> Iterator[None]:
    """Turn what storage says of a file into what that means for the index."""
    try:
        yield
    except FileDamagedError as damaged:
        raise IndexDamagedError(f"{damaged} {_remedy(directory)}") from damaged
    except FileUnreadableError as unreadable:
        path, error = unreadable.path, unreadable.error
        damage = (
            f"{path} cannot be read ({error.strerror}); expected a file of "
            f"{manifest.files[path.name].bytes} bytes. {_remedy(directory)}"
        )
        raise unreadable_error(path, error, damage) from error


@contextmanager
def write_lock(directory: Path) -> Iterator[None]:
    """Hold the write lock of the index in ``directory``; create the folder if it is missing.

    Raises:
        IndexLockedError: another process holds the lock.
        IndexWriteError: the folder cannot be written, or holds something else than an index.

    """
    from filelock import FileLock, Timeout  # queries need no lock, and importing it takes a while

    is_new = not directory.exists()
    with _write_errors(directory):
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
        with _write_errors(directory):
            _remove_partials(directory)
            if is_new:  # the lock marks the folder as an index's, also after a loss of power
                sync_folder(directory)
        yield
    finally:
        lock.release()
        if is_new and {path.name for path in directory.iterdir()} <= {_LOCK}:
            # Nothing was written: leave no empty folder that looks like an index.
            with suppress(OSError):
                (directory / _LOCK).unlink(missing_ok=True)
                directory.rmdir()


@contextmanager
def draft_folder(directory: Path) -> Iterator[Path]:
    """Yield an empty folder for the files of a new generation; the lock must be held.

    Raises:
        IndexWriteError: the disk failed while the folder was filled.

    """
    folder = directory / f"{_PARTIAL}draft"
    with _write_errors(directory):
        try:
            folder.mkdir()
            yield folder
        finally:
            _remove_partials(directory)


def publish(directory: Path, folder: Path, manifest: Manifest) -> None:
    """Make the files in ``folder`` the current generation of the index; the lock must be held.

    Args:
        folder: the files, whose records the manifest has.

    Raises:
        IndexWriteError: the disk failed; the generation published before is still current.

    """
    STAGE.get()("Publishing", 0, None)
    generation = directory / manifest.generation
    with _write_errors(directory):
        if generation.exists():
            _replace_damaged_files(directory, folder, manifest)
        else:
            folder.rename(generation)
            sync_folder(directory)
    publish_manifest(directory, manifest)


def publish_manifest(directory: Path, manifest: Manifest) -> None:
    """Make a manifest, whose data is in place, the current one; the lock must be held.

    Raises:
        IndexWriteError: the disk failed; the manifest published before is still current.

    """
    with _write_errors(directory):
        partial_manifest = directory / f"{_PARTIAL}{MANIFEST}"
        partial_manifest.write_bytes(manifest.to_bytes())
        sync_file(partial_manifest)
        partial_manifest.replace(directory / MANIFEST)
        sync_folder(directory)
    remove_superseded(directory, manifest)


def remove_superseded(directory: Path, manifest: Manifest) -> None:
    """Remove what the published manifest makes useless: other generations, and journals."""
    generation = directory / manifest.generation
    for path in directory.iterdir():
        if (_is_generation(path) and path != generation) or path.name.startswith(JOURNAL):
            shutil.rmtree(path, ignore_errors=True)


def _make_folder(path: Path) -> None:
    """Create a folder and its parents so that they survive a loss of power."""
    for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
        missing.mkdir(exist_ok=True)
        with suppress(PermissionError):  # a folder may be writable without being readable
            sync_folder(missing.parent)


def _replace_damaged_files(directory: Path, folder: Path, manifest: Manifest) -> None:
    """Replace damaged files of the same generation by those of ``folder``.

    One by one: wherever this is interrupted, no intact file is lost, and the rest can be repaired.
    """
    generation = directory / manifest.generation
    if not _holds_plain_files(generation):
        generation.rename(directory / f"{_PARTIAL}damaged")
        folder.rename(generation)
        sync_folder(directory)
        return
    for name in manifest.files:
        try:
            verify(directory, manifest, [name])
        except (IndexDamagedError, IndexReadError):
            (folder / name).replace(generation / name)
    sync_folder(generation)


def _holds_plain_files(generation: Path) -> bool:
    try:
        return os.access(generation, os.W_OK) and not any(p.is_dir() for p in generation.iterdir())
    except OSError:
        return False


def _remove_partials(directory: Path) -> None:
    """Remove what an interrupted writer, or this one, left half-written."""
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
    """Raise IndexWriteError if the folder holds files that do not belong to an index."""
    names = {path.name for path in directory.iterdir()}
    own = {n for n in names if n.startswith((_PARTIAL, JOURNAL)) or _is_generation(directory / n)}
    foreign = names - own - {MANIFEST, _LOCK}
    if not foreign and MANIFEST in names:
        # A manifest that was truncated to nothing is still an index's if its lock is beside it.
        data = (directory / MANIFEST).read_bytes()
        foreign = set() if KIND.encode() in data or (_LOCK in names and not data) else {MANIFEST}
    elif not foreign and _LOCK not in names:
        foreign = own  # it looks like index data, but nothing confirms that it is
    if foreign:
        raise IndexWriteError(
            f"{directory} holds {min(foreign)!r}, which is not part of an index; expected an empty "
            f"or new folder, or an index. Choose another path."
        )


@contextmanager
def _write_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IndexWriteError(
            f"the index at {directory} could not be written: {error.strerror or error}. What was "
            f"there before is unchanged. Check space and permissions, then try again."
        ) from error


def _remedy(directory: Path) -> str:
    repair = command("ragkit index repair", directory)
    return f"Repair it from its intact files and its sources: {repair}"
