"""Conversations that the server keeps: in memory, bounded, forgotten after a while."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ragkit.conversation import MAX_TURNS, Turn

__all__ = ["Conversations"]


@dataclass(slots=True)
class _Kept:
    turns: tuple[Turn, ...]
    until: float


class Conversations:
    """Turns by an id that cannot be guessed. Thread-safe.

    An index is not kept with them: each question is asked of the generation then current.
    """

    def __init__(
        self, *, most: int, expiry: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._expiry = expiry
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # the least recently used first

    def __len__(self) -> int:
        """How many are kept."""
        with self._current() as kept:
            return len(kept)

    def begin(self) -> str:
        """A new one's id; the one that was silent longest makes room."""
        name = secrets.token_urlsafe(16)
        with self._current() as kept:
            while len(kept) >= self._most:
                kept.popitem(last=False)
            kept[name] = _Kept((), self._clock() + self._expiry)
        return name

    def turns(self, name: str) -> tuple[Turn, ...] | None:
        """What is remembered, or None if there is no such conversation any more."""
        with self._current() as kept:
            return kept[name].turns if name in kept else None

    def add(self, name: str, turn: Turn) -> None:
        """Remember one turn more; nothing if the conversation was ended meanwhile.

        Turns of questions that were asked at once stand in the order of their answers.
        """
        with self._current() as kept:
            if name in kept:
                turns = (*kept[name].turns, turn)[-MAX_TURNS:]
                kept[name] = _Kept(turns, self._clock() + self._expiry)
                kept.move_to_end(name)

    def end(self, name: str) -> bool:
        """Forget one; False if there was none."""
        with self._current() as kept:
            return kept.pop(name, None) is not None

    @contextmanager
    def _current(self) -> Iterator[OrderedDict[str, _Kept]]:
        """Those that have not expired, locked."""
        with self._lock:
            now = self._clock()
            while self._kept and next(iter(self._kept.values())).until <= now:
                self._kept.popitem(last=False)
            yield self._kept
