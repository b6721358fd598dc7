"""Limits: how many requests a minute and how many questions a day a user may send."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from ragkit.serving.database import Database

__all__ = ["UNLIMITED", "Limits", "Usage"]

_MINUTE = 60
_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may send; None for as much as they like.

    Attributes:
        requests_per_minute: requests in a minute of the clock.
        questions_per_day: questions in a day, which begins at 00:00 UTC.

    """

    requests_per_minute: int | None = None
    questions_per_day: int | None = None


UNLIMITED = Limits()


_TABLE = """
    CREATE TABLE IF NOT EXISTS usage
    (seconds INTEGER, number INTEGER, user BLOB, count INTEGER NOT NULL,
     PRIMARY KEY (seconds, number, user))
"""
_ADD_ONE = """
    INSERT INTO usage VALUES (?, ?, ?, 1)
    ON CONFLICT (seconds, number, user) DO UPDATE SET count = count + 1
"""


class Usage:
    """Counts the requests and questions of each user in the current minute and day. Thread-safe."""

    def __init__(
        self, clock: Callable[[], float] = time.time, database: Database | None = None
    ) -> None:
        """Open the counts.

        Args:
            clock: The current time in seconds since 1970.
            database: Where they are; None for the memory of this object.

        """
        self._clock = clock
        self._database = database or Database()
        with self._database.transaction() as connection:
            connection.execute(_TABLE)

    def count_request(self, user: str, limits: Limits) -> float:
        """Count a request; return 0, or the seconds to wait if it is one too many."""
        return self._count(_MINUTE, user, limits.requests_per_minute)

    def count_question(self, user: str, limits: Limits) -> float:
        """Count a question; return 0, or the seconds to wait if it is one too many."""
        return self._count(_DAY, user, limits.questions_per_day)

    def _count(self, seconds: int, user: str, most: int | None) -> float:
        """Count one more in the current window of so many seconds."""
        if most is None:
            return 0.0
        now = self._clock()
        name = user.encode("utf-8", "surrogatepass")  # names are the proxy's, of any characters
        with self._database.transaction() as connection:
            number = _current_window(connection, seconds, int(now // seconds))
            window = (seconds, number, name)
            [count] = connection.execute(
                "SELECT TOTAL(count) FROM usage WHERE seconds = ? AND number = ? AND user = ?",
                window,
            ).fetchone()
            if count >= most:
                return max(1.0, (number + 1) * seconds - now)
            connection.execute(_ADD_ONE, window)
        return 0.0


def _current_window(connection: sqlite3.Connection, seconds: int, number: int) -> int:
    """Delete the windows before the current one, and return its number.

    A clock that is set back starts no new window.
    """
    [newest] = connection.execute(
        "SELECT MAX(number) FROM usage WHERE seconds = ?", (seconds,)
    ).fetchone()
    if newest is not None and newest >= number:
        return int(newest)
    connection.execute("DELETE FROM usage WHERE seconds = ?", (seconds,))
    return number
