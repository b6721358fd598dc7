"""Limits: how many requests a minute and how many questions a day a user may send."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class _Window:
    """What each user sent in the current minute or day."""

    seconds: int
    number: int = -1
    counts: Counter[str] = field(default_factory=Counter)


class Usage:
    """Counts the requests and questions of each user, in memory. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """``clock``: the current time in seconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._minute, self._day = _Window(_MINUTE), _Window(_DAY)

    def count_request(self, user: str, limits: Limits) -> float:
        """Count a request; return 0, or the seconds to wait if it is one too many."""
        return self._count(self._minute, user, limits.requests_per_minute)

    def count_question(self, user: str, limits: Limits) -> float:
        """Count a question; return 0, or the seconds to wait if it is one too many."""
        return self._count(self._day, user, limits.questions_per_day)

    def _count(self, window: _Window, user: str, most: int | None) -> float:
        if most is None:
            return 0.0
        now = self._clock()
        number = int(now // window.seconds)
        with self._lock:
            if number > window.number:  # a clock that is set back starts no new window
                window.number = number
                window.counts.clear()
            if window.counts[user] >= most:
                return max(1.0, (window.number + 1) * window.seconds - now)
            window.counts[user] += 1
        return 0.0
