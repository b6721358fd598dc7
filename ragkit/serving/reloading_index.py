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
from ragkit.indexing import is_remote
from ragkit.reading import SHIPPED

__all__ = ["ReloadingIndex"]

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
            require_fresh: As for ``Index.open``.
            on_reload: Called for each new generation with whether it could be opened.

        Raises:
            RagkitError: As ``Index.open`` raises.

        """
        is_local = isinstance(index, (str, os.PathLike)) and not is_remote(index)
        self._path = Path(cast("str", index)) if is_local else None
        self._reader = reader
        self._require_fresh = require_fresh
        # The data may stay while its sources change, or are recorded anew.
        self._seen: tuple[bytes, list[tuple[int, int] | None]] | None = None
        if self._path is not None:
            manifest = Manifest.load(self._path)
            self._seen = (manifest.to_bytes(), _source_stats(self._path, manifest))
        self._current = open_index(index, reader=reader, require_fresh=require_fresh)
        self._on_reload = on_reload

    @property
    def current(self) -> Index:
        """The generation that answers new requests."""
        return self._current

    def reload(self) -> None:
        """Open what is published if it is something else; if that fails, keep the old one."""
        if self._path is None:
            return
        before = self._current.generation
        try:
            manifest = Manifest.load(self._path)
            seen = (manifest.to_bytes(), _source_stats(self._path, manifest))
            if seen == self._seen:
                return
            self._current = Index.open(
                self._path, reader=self._reader, require_fresh=self._require_fresh
            )
            self._seen = seen
        except RagkitError as error:
            _log.error("cannot open the new generation; still serving %s: %s", before, error)
            self._on_reload(False)
            return
        if self._current.generation != before:
            _log.info("serving generation %s instead of %s", self._current.generation, before)
            self._on_reload(True)

    async def watch(self, interval: float) -> None:
        """Call ``reload`` every ``interval`` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            await asyncio.to_thread(self.reload)


_MOST_SOURCES = 2000
"""Source files that are looked at in each interval; a change of others is seen at a new start."""


def _source_stats(directory: Path, manifest: Manifest) -> list[tuple[int, int] | None]:
    """Size and time of each source file, which tell when to compare it; None if it is missing."""
    paths = dict.fromkeys(source.path for source in manifest.sources if source.path)
    return [_stat(directory / path) for path in islice(paths, _MOST_SOURCES)]


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
