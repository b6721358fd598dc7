"""The conversations of the HTTP server: limited in number, deleted when they expire."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable

from ragkit.conversation import MAX_TURNS, Turn
from ragkit.serving.database import Database

__all__ = ["ConversationStore"]

_DELETED_AT_ONCE = 100

# Each use replaces the row, so that rows are in the order of their last use.
_TABLE = """
    CREATE TABLE IF NOT EXISTS conversations
    (id TEXT PRIMARY KEY, owner TEXT NOT NULL, turns TEXT NOT NULL, expires_at REAL NOT NULL)
"""


class ConversationStore:
    """The last turns of each conversation, by an id that cannot be guessed. Thread-safe.

    An owner is any text; to another owner, a conversation does not exist.
    No index is stored with them: each question is answered by the generation that is current then.
    """

    def __init__(
        self,
        *,
        capacity: int,
        expiry: float,
        clock: Callable[[], float] = time.monotonic,
        database: Database | None = None,
    ) -> None:
        """Open the store.

        Args:
            capacity: Maximum number of conversations.
            expiry: Seconds after its last turn at which a conversation is deleted.
            clock: The current time in seconds, the same in all processes.
            database: Where they are; None for the memory of this store.

        """
        self._capacity = capacity
        self._expiry = expiry
        self._clock = clock
        self._database = database or Database()
        with self._database.transaction() as connection:
            connection.execute(_TABLE)
            connection.execute(
                "CREATE INDEX IF NOT EXISTS conversations_by_expiry ON conversations (expires_at)"
            )

    def __len__(self) -> int:
        [(number,)] = self._database.rows(
            "SELECT COUNT(*) FROM conversations WHERE expires_at > ?", (self._clock(),)
        )
        return int(number)

    def create(self, owner: str, turns: tuple[Turn, ...] = ()) -> str:
        """Return the id of a new conversation, which continues the last of these turns.

        A full store deletes the least recently used one.
        """
        conversation_id = secrets.token_urlsafe(16)
        with self._database.transaction() as connection:
            self._delete_expired(connection)
            connection.execute(
                "DELETE FROM conversations WHERE rowid IN "
                "(SELECT rowid FROM conversations ORDER BY rowid LIMIT ?)",
                (max(0, _count(connection) + 1 - self._capacity),),
            )
            self._write(connection, conversation_id, owner, turns)
        return conversation_id

    def turns(self, conversation_id: str, owner: str) -> tuple[Turn, ...] | None:
        """Return the last turns, oldest first, or None if there is no such conversation."""
        return _turns(self._database.rows(*self._owned(conversation_id, owner)))

    def add_turn(self, conversation_id: str, owner: str, turn: Turn) -> None:
        """Add a turn, unless the conversation was deleted meanwhile.

        Turns of concurrent questions are stored in the order of their answers.
        """
        with self._database.transaction() as connection:
            self._delete_expired(connection)
            turns = _turns(connection.execute(*self._owned(conversation_id, owner)).fetchall())
            if turns is not None:
                self._write(connection, conversation_id, owner, (*turns, turn))

    def delete(self, conversation_id: str, owner: str) -> bool:
        """Delete a conversation; return whether there was one."""
        with self._database.transaction() as connection:
            self._delete_expired(connection)
            deleted = connection.execute(
                "DELETE FROM conversations WHERE id = ? AND owner = ? AND expires_at > ?",
                (conversation_id, owner, self._clock()),
            )
            return deleted.rowcount > 0

    def _owned(self, conversation_id: str, owner: str) -> tuple[str, tuple[str, str, float]]:
        """Return the statement that selects the turns of a conversation."""
        statement = "SELECT turns FROM conversations WHERE id = ? AND owner = ? AND expires_at > ?"
        return statement, (conversation_id, owner, self._clock())

    def _write(
        self, connection: sqlite3.Connection, identifier: str, owner: str, turns: tuple[Turn, ...]
    ) -> None:
        content = json.dumps([turn.to_dict() for turn in turns[-MAX_TURNS:]])
        connection.execute(
            "REPLACE INTO conversations (id, owner, turns, expires_at) VALUES (?, ?, ?, ?)",
            (identifier, owner, content, self._clock() + self._expiry),
        )

    def _delete_expired(self, connection: sqlite3.Connection) -> None:
        """Delete some of those that have expired, so that no request waits for many."""
        connection.execute(
            "DELETE FROM conversations WHERE rowid IN (SELECT rowid FROM conversations "
            "WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
            (self._clock(), _DELETED_AT_ONCE),
        )


def _count(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT COUNT(*) FROM conversations").fetchone()
    return int(number)


def _turns(rows: list[tuple[str]]) -> tuple[Turn, ...] | None:
    if not rows:
        return None
    [(content,)] = rows
    return tuple(Turn.from_dict(turn) for turn in json.loads(content))
