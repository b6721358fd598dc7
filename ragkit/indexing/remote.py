"""RemoteIndex: an index on a server, always the newest generation that was pushed there."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from ragkit.encoding import Fingerprint
from ragkit.index.milvus import MilvusLocation, OpenGeneration, open_data
from ragkit.index.milvus import push as push_data
from ragkit.index.protocol import IndexData, Progress
from ragkit.indexing.builder import BuildSettings, LocalIndex, check_encoder, settings_of

__all__ = ["RemoteIndex", "connect", "push"]

_CHECK_EVERY = 1.0
"""Seconds between two checks for a newer generation."""


@dataclass(slots=True)
class _Newest:
    """The open generation, and when it was last seen to be the newest."""

    opened: OpenGeneration
    checked: float
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class RemoteIndex:
    """The counterpart of ``LocalIndex``.

    Attributes:
        location: where it is.
        fingerprint: the model that encoded it.
        settings: what shaped it; retrieval parameters may differ from those pushed.

    """

    location: MilvusLocation
    fingerprint: Fingerprint
    settings: BuildSettings
    _newest: _Newest

    @property
    def data(self) -> IndexData:
        """The newest generation, as of a second ago. Take it once for a question.

        Raises:
            IndexServerError, IndexNotFoundError, IndexDamagedError: the server or the index failed.
            IndexMismatchError: an index of another model was pushed.

        """
        newest = self._newest
        if time.monotonic() - newest.checked < _CHECK_EVERY:
            return newest.opened.data
        # One thread checks; the others use the open generation meanwhile.
        if newest.lock.acquire(blocking=False):
            try:
                self._check(newest)
            finally:
                newest.lock.release()
        return newest.opened.data

    @property
    def stale_sources(self) -> tuple[Path, ...]:
        """None: an index on a server has no sources to compare it with."""
        return ()

    @property
    def generation(self) -> str:
        """The name of the open generation."""
        return self._newest.opened.manifest.generation

    def _check(self, newest: _Newest) -> None:
        data = newest.opened.data
        if data.newest() != data.generation:
            opened = open_data(self.location)
            check_encoder(str(self.location), self.fingerprint, opened.manifest.encoder)
            newest.opened = opened
        newest.checked = time.monotonic()


def connect(location: str) -> RemoteIndex:
    """Open the index at ``location``. Raises what ``open_data`` raises."""
    place = MilvusLocation.parse(location)
    opened = open_data(place)
    return RemoteIndex(
        place,
        opened.manifest.encoder,
        settings_of(opened.manifest),
        _Newest(opened, time.monotonic()),
    )


def push(index: LocalIndex, location: str, *, progress: Progress | None = None) -> None:
    """Copy an index from this machine to a server. Raises what ``milvus.push`` raises."""
    place = MilvusLocation.parse(location)
    push_data(index.data, index.manifest(), place, progress=progress)
