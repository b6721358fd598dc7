"""The index that is served: always a complete generation, replaced by the next without a pause."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import cast

from ragkit.api import Index
from ragkit.default import IndexLike, open_index
from ragkit.errors import RagkitError
from ragkit.index import Manifest
from ragkit.index.manifest import manifest_bytes
from ragkit.indexing import is_remote
from ragkit.reading import SHIPPED

__all__ = ["ReloadingIndex"]

_Stat = tuple[int, int]
_Seen = tuple[bytes, list[_Stat | None]]
_log = logging.getLogger("ragkit.serving")


class ReloadingIndex:
    """Holds the newest generation of the index at a path, or an Index that never changes.

    A request takes ``current`` once and uses it throughout, so that one generation answers it,
    whatever is published meanwhile.
    """

    def __init__(
        self,
        index: IndexLike,
        reader: str | None = SHIPPED,
        *,
        require_fresh: bool = False,
        on_reload: Callable[[bool], None],
    ) -> None:
        """Open ``index``.

        Args:
            index: As for ``ragkit.ask``. Only an index at a local path is reloaded; an index on a
                server follows its own generations.
            reader: As for ``Index.open``.
            require_fresh: As for ``Index.open``, now; what is opened later may be stale.
            on_reload: Called for each new generation with whether it could be opened.

        Raises:
            RagkitError: As ``Index.open`` raises.

        """
        is_local = isinstance(index, (str, os.PathLike)) and not is_remote(index)
        self._path = Path(cast("str", index)) if is_local else None
        self._reader = reader
        self._sources: list[Path] = []
        # The data may stay while its sources change, or are recorded anew.
        self._seen: _Seen | None = None
        if self._path is not None:
            self._seen = self._look(self._path)
        self._current = open_index(index, reader=reader, require_fresh=require_fresh)
        self._opened: Index | None = None  # announced, and not served yet
        self._on_reload = on_reload

    @property
    def current(self) -> Index:
        """The generation that answers new requests."""
        return self._current

    def reload(self) -> None:
        """Open what is published if it is something else; if that fails, keep the old one."""
        opened = self._open_published()
        if opened is not None:
            self._replace_by(opened)

    def serve(self, generation: str) -> None:
        """Serve a generation that ``watch`` opened and announced, unless a newer one was since."""
        if self._opened is not None and self._opened.generation == generation:
            self._replace_by(self._opened)

    async def watch(self, interval: float, announce: Callable[[str], None] | None = None) -> None:
        """Look every ``interval`` seconds for something new, until cancelled.

        Args:
            interval: Seconds.
            announce: Called with each new generation once it is open. It is served when ``serve``
                is called; without ``announce``, at once.

        """
        while True:
            await asyncio.sleep(interval)
            opened = await asyncio.to_thread(self._open_published)
            if opened is None:
                continue
            self._opened = opened
            if announce is None or opened.generation == self._current.generation:
                self._replace_by(opened)
            if announce is not None:
                announce(opened.generation)

    def _open_published(self) -> Index | None:
        """Return what is published if it is something else than what was opened last."""
        if self._path is None:
            return None
        try:
            seen = self._look(self._path)
            if seen == self._seen:
                return None
            # Of sources that changed meanwhile, each answer says that it is stale.
            opened = Index.open(self._path, reader=self._reader)
        except RagkitError as error:
            serving = self._current.generation
            _log.error("cannot open the new generation; still serving %s: %s", serving, error)
            self._on_reload(False)
            return None
        self._seen = seen
        return opened

    def _replace_by(self, opened: Index) -> None:
        before = self._current.generation
        self._current, self._opened = opened, None
        if opened.generation != before:
            _log.info("serving generation %s instead of %s", opened.generation, before)
            self._on_reload(True)

    def _look(self, directory: Path) -> _Seen:
        """The manifest, and of each source file what tells when to compare it."""
        content = manifest_bytes(directory)
        if self._seen is None or content != self._seen[0]:
            names = (one.path for one in Manifest.load(directory).sources if one.path)
            self._sources = [directory / n for n in islice(dict.fromkeys(names), _MOST_SOURCES)]
        return content, [_stat(path) for path in self._sources]


_MOST_SOURCES = 2000
"""Source files that are looked at in each interval; a change of others is seen at a new start."""


def _stat(path: Path) -> _Stat | None:
    """Size and time of a file; None if it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
