"""Update an index whenever its sources change."""

from __future__ import annotations

import glob
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragkit.api import Index
from ragkit.errors import IndexNotFoundError, MissingExtraError, RagkitError

__all__ = ["Watched", "watch"]

_MAX_WAIT = 60.0
"""Seconds of changes without a pause after which the index is updated nevertheless."""
_RETRY = 30.0
"""Seconds after which an update that failed is tried again although nothing changed."""
_TICK = 0.2
"""Seconds after which it is looked whether it was quiet for long enough."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of one update.

    Attributes:
        index: the updated index; None if the update failed, and the index is unchanged.
        error: why it failed.

    """

    index: Index | None
    error: RagkitError | None = None


def watch(
    path: str | os.PathLike[str],
    sources: Sequence[str | os.PathLike[str]] = (),
    *,
    quiet: float = 1.0,
    drop_missing: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[Watched]:
    """Update the index at ``path`` now, and again whenever its sources change.

    Args:
        path: folder of the index. With ``sources`` it is built if it is not there.
        sources: files, folders and patterns, as for ``Index.update``; without any, the files that
            the index was built from.
        quiet: seconds without a change before an update, so that files are written completely.
        drop_missing: as for ``Index.update``.
        stop: ends the iteration when it is set.

    Yields:
        What became of the first update, and of each later one that changed documents or what was
        left out, failed for another reason than the one before, or succeeded after one that failed.

    Raises:
        MissingExtraError: the library that watches folders is not installed.
        RagkitError: the first update failed; nothing is watched.

    Example:
        >>> for watched in watch("indexes/notes", ["notes/"]):  # doctest: +SKIP
        ...     print(watched.error or watched.index.update_report)

    """
    changes_of = _watcher()
    updates = _Updates(Path(path), sources, drop_missing=drop_missing)
    yield updates.first()
    places = _Places.of(Path(path), sources)
    ticks = changes_of(
        *places.roots, watch_filter=places.concerns, recursive=places.is_recursive,
        rust_timeout=int(_TICK * 1000), yield_on_timeout=True, stop_event=stop,
    )  # fmt: skip
    for _ in _pauses((bool(changes) for changes in ticks), quiet, lambda: updates.failure):
        if (watched := updates.next()) is not None:
            yield watched


class _Updates:
    """Updates one index again and again."""

    def __init__(
        self, path: Path, sources: Sequence[str | os.PathLike[str]], *, drop_missing: bool
    ) -> None:
        self._path = path
        self._sources = list(sources)
        self._drop_missing = drop_missing
        self._left_out: list[str] = []
        self.failure: str | None = None
        """Why the last update failed; None if it did not."""

    def first(self) -> Watched:
        """Update the index, or build it from its sources if it is not there."""
        index = self._update()
        self._left_out = index.left_out.lines()
        return Watched(index)

    def next(self) -> Watched | None:
        """Update the index; None if nothing changed, or if it failed as the last time."""
        before, left_out = self.failure, self._left_out
        try:
            index = self._update()
        except RagkitError as error:
            self.failure = str(error)
            return Watched(None, error) if self.failure != before else None
        self.failure, self._left_out = None, index.left_out.lines()
        report = index.update_report
        is_same = report is not None and not any(report.counts.values())
        nothing_new = is_same and before is None and self._left_out == left_out
        return None if nothing_new else Watched(index)

    def _update(self) -> Index:
        try:
            return Index.update(self._path, self._sources or None, drop_missing=self._drop_missing)
        except IndexNotFoundError:
            if not self._sources:
                raise
            return Index.build(self._sources, self._path)


@dataclass(frozen=True, slots=True)
class _Places:
    """The folders to watch, and which changes in them concern the sources.

    A file is watched by way of its folder: editors replace a file by another of the same name, of
    which a watch on the file itself learns nothing.

    Attributes:
        roots: the folders.
        is_recursive: whether the folders in them are watched as well.
        folders: the folders in which every change counts.
        stems: for each other folder, the beginnings of names that count, so that
            ``notes.meta.json`` counts for ``notes.txt``.
        index: the folder of the index, whose own changes do not count.

    """

    roots: tuple[str, ...]
    is_recursive: bool
    folders: tuple[str, ...]
    stems: frozenset[tuple[str, str]]
    index: str

    @classmethod
    def of(cls, index: Path, sources: Sequence[str | os.PathLike[str]]) -> _Places:
        paths = [Path(source) for source in sources] or _recorded(index)
        folders, stems = [], []
        for path in paths:
            root = _fixed_folder(path)
            if root.is_dir():
                folders.append(os.path.realpath(root))
            else:
                stems.append((os.path.realpath(root.parent), root.name.partition(".")[0]))
        roots = dict.fromkeys([*folders, *(folder for folder, _ in stems)])
        return cls(
            tuple(root for root in roots if os.path.isdir(root)),  # noqa: PTH112
            bool(folders),
            tuple(folders),
            frozenset(stems),
            os.path.realpath(index),
        )

    def concerns(self, _: object, changed: str) -> bool:
        """Whether a change may be one of the sources."""
        folder, name = os.path.split(changed)
        if name.startswith(".") or _is_inside(changed, self.index):
            return False
        return any(_is_inside(changed, one) for one in self.folders) or any(
            folder == place and name.startswith(stem) for place, stem in self.stems
        )


def _recorded(index: Path) -> list[Path]:
    """Return the files that an index was built from."""
    return [index / source.path for source in Index.info(index).sources if source.path]


def _fixed_folder(source: Path) -> Path:
    """Return the source, or the innermost folder that holds all that a pattern matches."""
    while glob.has_magic(str(source)) and not os.path.lexists(source):
        source = source.parent
    return source


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _pauses(
    ticks: Iterator[bool], quiet: float, failure: Callable[[], str | None]
) -> Iterator[None]:
    """Yield at the first tick, after each group of changes, and to try again after a failure.

    Args:
        ticks: yields several times a second whether there were changes.
        quiet: seconds without a change that end a group.
        failure: returns why the last update failed, if it did.

    """
    first: float | None = -_MAX_WAIT  # what changed before watching began counts as well
    last = tried = 0.0
    for has_changes in ticks:
        now = time.monotonic()
        if has_changes:
            first, last = now if first is None else first, now
        is_whole = first is not None and (now - last >= quiet or now - first >= _MAX_WAIT)
        if is_whole or (failure() is not None and now - tried >= _RETRY):
            yield
            first, tried = None, time.monotonic()


def _watcher() -> Callable[..., Iterator[set[tuple[Any, str]]]]:
    try:
        import watchfiles
    except ImportError as error:
        raise MissingExtraError.of("watch", "watchfiles", what="watching folders") from error
    return watchfiles.watch
