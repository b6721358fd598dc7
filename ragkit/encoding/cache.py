"""What is made once from a model and kept in the user's cache, verified whenever it is found.

Layout, one folder each::

    CACHE/onnx/<name>/
        export.json       settings, and the sha256 of the other files; carries its own checksum
        …                 the other files

``CACHE`` is the environment variable RAGKIT_CACHE, or else the operating system's folder for
caches. A folder is complete when it appears, since one rename puts it in place; a damaged one is
made again.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragkit.errors import EncoderError
from ragkit.storage.checksums import SealBrokenError, file_sha256, seal, unseal

__all__ = ["Cached", "find_cached", "make_cached"]

_RECORD = "export.json"
_log = logging.getLogger("ragkit")


@dataclass(frozen=True, slots=True)
class Cached:
    """A folder whose files were verified, with what was recorded about them."""

    directory: Path
    settings: Mapping[str, Any]


def find_cached(name: str) -> Cached | None:
    """Find a folder in the cache and verify every byte of it.

    Returns:
        The folder; None if there is none, or if it is damaged, which is logged as a warning.

    """
    directory = _directory(name)
    if not (directory / _RECORD).is_file():
        return None
    try:
        record = unseal((directory / _RECORD).read_bytes())
        for file, expected in record["files"].items():
            if file_sha256(directory / file) != expected:
                raise SealBrokenError(f"{file} does not have the recorded sha256")
    except (OSError, SealBrokenError) as error:
        _log.warning("the model export %s is damaged (%s); exporting it again", directory, error)
        return None
    return Cached(directory, record["settings"])


def make_cached(name: str, write: Callable[[Path], Mapping[str, Any]]) -> Cached:
    """Make a folder in the cache, or if that is not writable, a temporary one.

    Args:
        name: of the folder.
        write: fills a folder with files and returns the settings to record.

    Returns:
        The folder. A temporary one is deleted when the process ends.

    Raises:
        EncoderError: the folder is damaged after it was written, or what ``write`` raises.

    """
    target = _directory(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _temporary_sibling(target) as folder:
            _fill(folder, write)
            _publish(folder, target)
    except OSError as error:
        _log.warning("the cache %s cannot be written (%s)", target.parent, error.strerror)
        return _fill(_temporary_folder(), write)
    cached = find_cached(name)
    if cached is None:
        raise EncoderError(
            f"the model export at {target} is damaged although it was just written. Check the "
            f"disk, or set RAGKIT_CACHE to another folder."
        )
    return cached


def _fill(folder: Path, write: Callable[[Path], Mapping[str, Any]]) -> Cached:
    """The record is written last."""
    settings = dict(write(folder))
    files = {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / _RECORD).write_bytes(seal({"settings": settings, "files": files}))
    return Cached(folder, settings)


def _publish(folder: Path, target: Path) -> None:
    """Rename ``folder`` to ``target``. Another process may do the same at the same time."""
    if find_cached(target.name):  # another process was faster, and may have mapped its files
        return
    if target.exists():
        with _temporary_sibling(target) as old:
            target.rename(old / "old")
    try:
        folder.rename(target)
    except OSError:
        if not (target / _RECORD).is_file():
            raise


@contextmanager
def _temporary_sibling(target: Path) -> Iterator[Path]:
    """Create a folder beside ``target``; delete it after the block."""
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _directory(name: str) -> Path:
    return _cache_directory() / "onnx" / name


def _cache_directory() -> Path:
    from_environment = os.environ.get("RAGKIT_CACHE")
    if from_environment:
        return Path(from_environment)
    from platformdirs import user_cache_path

    return user_cache_path("ragkit", appauthor=False)


def _temporary_folder() -> Path:
    # Windows deletes no file that is mapped, as those of a model are to the end of the process.
    folder = tempfile.TemporaryDirectory(prefix="ragkit-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return Path(folder.name)
