"""The index that is served: always a whole generation, exchanged for the next without a pause."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from ragkit.api import Index
from ragkit.default import IndexLike, open_index
from ragkit.errors import RagkitError
from ragkit.index import Manifest
from ragkit.indexing import is_remote

__all__ = ["LiveIndex"]

_log = logging.getLogger("ragkit.serving")


class LiveIndex:
    """Holds the newest generation of the index at a path, or an Index that never changes.

    A request takes ``current`` once and keeps it: it is answered by one generation, whatever is
    published meanwhile.
    """

    def __init__(self, index: IndexLike, *, on_swap: Callable[[bool], None]) -> None:
        """``on_swap`` is told of each exchange, and with False of each that failed."""
        # An index on a server sees to that by itself.
        is_here = isinstance(index, (str, os.PathLike)) and not is_remote(index)
        self._path = Path(cast("str", index)) if is_here else None
        self._current = open_index(index)
        self._on_swap = on_swap

    @property
    def current(self) -> Index:
        """The generation to answer by."""
        return self._current

    def refresh(self) -> None:
        """Open the published generation if it is another one; keep the old one if it cannot be."""
        if self._path is None:
            return
        before = self._current.generation
        try:
            if Manifest.load(self._path).generation == before:
                return
            self._current = Index.open(self._path)
        except RagkitError as error:
            _log.error("the new generation is not served: %s", error)
            self._on_swap(False)
            return
        _log.info("generation %s is served instead of %s", self._current.generation, before)
        self._on_swap(True)

    async def watch(self, every: float) -> None:
        """``refresh`` for ever, every so many seconds."""
        while True:
            await asyncio.sleep(every)
            await asyncio.to_thread(self.refresh)
