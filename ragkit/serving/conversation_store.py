"""The conversations of the HTTP server: in memory, limited in number, deleted when they expire."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ragkit.conversation import MAX_TURNS, Turn

__all__ = ["ConversationStore"]


@dataclass(slots=True)
class _Entry:
    owner: str
    turns: tuple[Turn, ...]
    expires_at: float  # by the store's clock


class ConversationStore:
    """The last turns of each conversation, by an id that cannot be guessed. Thread-safe.

    An owner is any text; to another owner, a conversation does not exist.
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

    def create(self, owner: str, turns: tuple[Turn, ...] = ()) -> str:
        """Return the id of a new conversation, which continues the last of these turns.

        A full store deletes the least recently used one.
        """
        conversation_id = secrets.token_urlsafe(16)
        with self._unexpired() as entries:
            while len(entries) >= self._capacity:
                entries.popitem(last=False)
            entries[conversation_id] = _Entry(
                owner, turns[-MAX_TURNS:], self._clock() + self._expiry
            )
        return conversation_id

    def turns(self, conversation_id: str, owner: str) -> tuple[Turn, ...] | None:
        """Return the last turns, oldest first, or None if there is no such conversation."""
        with self._unexpired() as entries:
            entry = _owned(entries, conversation_id, owner)
            return entry.turns if entry else None

    def add_turn(self, conversation_id: str, owner: str, turn: Turn) -> None:
        """Add a turn, unless the conversation was deleted meanwhile.

        Turns of concurrent questions are stored in the order of their answers.
        """
        with self._unexpired() as entries:
            if entry := _owned(entries, conversation_id, owner):
                turns = (*entry.turns, turn)[-MAX_TURNS:]
                entries[conversation_id] = _Entry(owner, turns, self._clock() + self._expiry)
                entries.move_to_end(conversation_id)

    def delete(self, conversation_id: str, owner: str) -> bool:
        """Delete a conversation; return whether there was one."""
        with self._unexpired() as entries:
            if _owned(entries, conversation_id, owner) is None:
                return False
            del entries[conversation_id]
            return True

    @contextmanager
    def _unexpired(self) -> Iterator[OrderedDict[str, _Entry]]:
        """Lock the store, and delete what has expired."""
        with self._lock:
            now = self._clock()
            while self._entries and next(iter(self._entries.values())).expires_at <= now:
                self._entries.popitem(last=False)
            yield self._entries


def _owned(entries: Mapping[str, _Entry], conversation_id: str, owner: str) -> _Entry | None:
    entry = entries.get(conversation_id)
    return entry if entry is not None and entry.owner == owner else None
