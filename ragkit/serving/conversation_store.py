"""The conversations of the HTTP server: in memory, limited in number, deleted when they expire."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ragkit.conversation import MAX_TURNS, Turn

__all__ = ["ConversationStore"]


@dataclass(slots=True)
class _Entry:
    turns: tuple[Turn, ...]
    expires_at: float  # by the store's clock


class ConversationStore:
    """The last turns of each conversation, by an id that cannot be guessed. Thread-safe.

    No index is stored with them: each question is answered by the generation that is current then.
    """

    def __init__(
        self, *, capacity: int, expiry: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create an empty store.

        Args:
            capacity: Maximum number of conversations.
            expiry: Seconds after its last turn at which a conversation is deleted.
            clock: The current time in seconds.

        """
        self._capacity = capacity
        self._expiry = expiry
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        with self._unexpired() as entries:
            return len(entries)

    def create(self) -> str:
        """Return the id of a new conversation. A full store deletes the least recently used one."""
        conversation_id = secrets.token_urlsafe(16)
        with self._unexpired() as entries:
            while len(entries) >= self._capacity:
                entries.popitem(last=False)
            entries[conversation_id] = _Entry((), self._clock() + self._expiry)
        return conversation_id

    def turns(self, conversation_id: str) -> tuple[Turn, ...] | None:
        """Return the last turns, oldest first, or None if there is no such conversation."""
        with self._unexpired() as entries:
            entry = entries.get(conversation_id)
            return entry.turns if entry else None

    def add_turn(self, conversation_id: str, turn: Turn) -> None:
        """Add a turn, unless the conversation was deleted meanwhile.

        Turns of concurrent questions are stored in the order of their answers.
        """
        with self._unexpired() as entries:
            if conversation_id in entries:
                turns = (*entries[conversation_id].turns, turn)[-MAX_TURNS:]
                entries[conversation_id] = _Entry(turns, self._clock() + self._expiry)
                entries.move_to_end(conversation_id)

    def delete(self, conversation_id: str) -> bool:
        """Delete a conversation; return whether there was one."""
        with self._unexpired() as entries:
            return entries.pop(conversation_id, None) is not None

    @contextmanager
    def _unexpired(self) -> Iterator[OrderedDict[str, _Entry]]:
        """Lock the store, and delete what has expired."""
        with self._lock:
            now = self._clock()
            while self._entries and next(iter(self._entries.values())).expires_at <= now:
                self._entries.popitem(last=False)
            yield self._entries
