"""ReadableIndexes: for each caller, an index of only the documents that they may read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from ragkit.api import Index
from ragkit.serving.access.identity import Identity

__all__ = ["ReadableIndexes"]

_CACHED = 64
"""Number of restricted indexes that are cached. Each has a byte for each document and chunk of the
whole, and eight for each document of its own."""


class ReadableIndexes:
    """Restricts the newest generation of an index. Thread-safe."""

    def __init__(self, newest: Callable[[], Index]) -> None:
        """``newest``: returns the newest generation, with all documents."""
        self._newest = newest
        self._lock = threading.Lock()
        self._whole: Index | None = None
        self._restricted: OrderedDict[str, Index] = OrderedDict()  # least recently used first

    def of(self, identity: Identity) -> Index:
        """Return an index of the documents that ``identity`` may read, which may be none.

        The first call for an identity and a generation looks at the metadata of all documents.
        """
        whole = self._newest()
        if identity.where is None:
            return whole
        key = identity.where_key
        with self._lock:
            if whole is not self._whole:
                self._whole = whole
                self._restricted.clear()
            restricted = self._restricted.get(key)
            if restricted is None:
                restricted = self._restricted[key] = whole.restricted(identity.where)
            self._restricted.move_to_end(key)
            if len(self._restricted) > _CACHED:
                self._restricted.popitem(last=False)
        len(restricted)  # find the documents now, outside the lock
        return restricted
