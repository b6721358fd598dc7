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

_PATIENCE = 5.0  # seconds to wait while other processes write, each for well under a millisecond
_PRAGMAS_OF_FILE = (
    "journal_mode = WAL",  # a process that is killed while it writes leaves the rest whole
    "journal_size_limit = 0",  # the log beside the file is cut when it is next begun again
    "synchronous = OFF",  # nothing has to survive the machine
    "secure_delete = ON",  # what people typed is overwritten once the log is in the file
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
        for pragma in _PRAGMAS_OF_FILE if path is not None else ():
            self._connection.execute(f"PRAGMA {pragma}")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement selects; only other threads of this process delay it."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection while no one else writes; an error undoes what was written with it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # some errors have undone it already
                    self._connection.execute("ROLLBACK")
                raise
