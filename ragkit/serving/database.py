"""What a server remembers between requests: tables of SQLite, in memory or shared in a file."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["Database"]

_PATIENCE = 30.0  # seconds to wait while other processes write, each for well under a millisecond
_PRAGMAS = (
    "journal_mode = WAL",  # a process that is killed while it writes leaves the rest whole
    "synchronous = OFF",  # nothing has to survive the machine
    "secure_delete = ON",  # what people typed is overwritten when it is deleted
)


class Database:
    """A connection that the threads of a process share. Thread-safe."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Open the database.

        Args:
            path: A file that processes share, created if there is none; None for a database in
                memory, of this object alone.

        """
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        weakref.finalize(self, self._connection.close)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement selects, without waiting for processes that write."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection while no one else writes; an error undoes what was written with it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
