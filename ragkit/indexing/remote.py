"""An index on a server, always the newest that was pushed there."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ragkit.encoding import Fingerprint
from ragkit.index.milvus import MilvusLocation, Opened, open_data
from ragkit.index.milvus import push as push_data
from ragkit.index.protocol import IndexData, Progress
from ragkit.indexing.builder import Made, Recipe, recipe_of, refuse_other

__all__ = ["Remote", "connect", "push"]

_EVERY = 1.0
"""Seconds between two looks for a newer generation."""


@dataclass(slots=True)
class _Newest:
    """What is asked now, and when that was last found to be the newest."""

    opened: Opened
    looked: float
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Remote:
    """What ``Made`` is for an index on this machine.

    ``recipe``: as the index was opened; weights may be others than those pushed.
    """

    location: MilvusLocation
    fingerprint: Fingerprint
    recipe: Recipe
    _newest: _Newest

    @property
    def data(self) -> IndexData:
        """The newest generation, as of a second ago: take it once for a question.

        Raises IndexServerError, IndexNotFoundError, IndexDamagedError, and IndexMismatchError once
        an index of another model was pushed.
        """
        newest = self._newest
        if time.monotonic() - newest.looked < _EVERY:
            return newest.opened.data
        # Others go on with what there is while one looks.
        if newest.lock.acquire(blocking=False):
            try:
                self._look(newest)
            finally:
                newest.lock.release()
        return newest.opened.data

    @property
    def named(self) -> str:
        """The generation that the data has."""
        return self._newest.opened.manifest.generation

    def _look(self, newest: _Newest) -> None:
        data = newest.opened.data
        if data.newest() != data.generation:
            opened = open_data(self.location)
            refuse_other(str(self.location), self.fingerprint, opened.manifest.encoder)
            newest.opened = opened
        newest.looked = time.monotonic()


def connect(location: str) -> Remote:
    """The index at a location as ``MilvusLocation`` has it. Raises what ``open_data`` raises."""
    place = MilvusLocation.parse(location)
    opened = open_data(place)
    return Remote(
        place,
        opened.manifest.encoder,
        recipe_of(opened.manifest),
        _Newest(opened, time.monotonic()),
    )


def push(made: Made, location: str, *, progress: Progress | None = None) -> None:
    """Copy an index of this machine to a server. Raises what ``milvus.push`` raises."""
    place = MilvusLocation.parse(location)
    push_data(made.data, made.manifest(), place, progress=progress)
