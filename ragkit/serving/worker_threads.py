"""The threads that answer questions: limited in number and time, stopped when the client leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
from fastapi import HTTPException

from ragkit.grounding import CANCELLED

__all__ = ["WorkerThreads"]

T = TypeVar("T")


class WorkerThreads:
    """Advances iterators step by step in threads.

    An iterator counts as in progress until its thread has returned, even where its client left or
    its time was over earlier.
    """

    def __init__(self, *, threads: int, max_in_progress: int, timeout: float) -> None:
        """Set the limits.

        Args:
            threads: Maximum number of threads.
            max_in_progress: Maximum number of iterators in progress; more are refused.
            timeout: Seconds that an iterator may take in all.

        """
        self._threads = anyio.CapacityLimiter(threads)
        self._max_in_progress = max_in_progress
        self._timeout = timeout
        self._lock = threading.Lock()
        self.in_progress = 0

    async def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns.

        Raises:
            HTTPException: 503 if too many are in progress, 504 if it takes too long.

        """

        def once() -> Iterator[tuple[T]]:
            yield (function(),)  # None would end the iterator

        (result,) = await self.last(once)
        return result

    async def last(self, start: Callable[[], Iterator[T]]) -> T:
        """Return the last item of the iterator that ``start`` returns. Raises as ``call`` does."""
        try:
            async for each in self.iterate(start):
                item = each
        except TimeoutError as error:
            raise HTTPException(
                504, f"no answer within {self._timeout:g} s. Ask again, or ask a shorter question."
            ) from error
        return item

    async def iterate(self, start: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """Yield the items of the iterator that ``start`` returns, as they come.

        Raises:
            HTTPException: 503 if too many are in progress.
            TimeoutError: The iterator takes too long.

        """
        self.refuse_if_busy()
        with self._lock:
            self.in_progress += 1
        steps = _Steps(start, self._finished)
        deadline = time.monotonic() + self._timeout
        try:
            while True:
                with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                    item = await anyio.to_thread.run_sync(
                        steps.next, abandon_on_cancel=True, limiter=self._threads
                    )
                if item is None:
                    return
                yield item
        finally:
            steps.abandon()

    def refuse_if_busy(self) -> None:
        """Raise HTTPException 503 if as many iterators are in progress as may be."""
        if self.in_progress >= self._max_in_progress:
            raise HTTPException(
                503,
                f"{self.in_progress} questions are in progress; expected at most "
                f"{self._max_in_progress}. Try again in a second.",
                {"Retry-After": "1"},
            )

    def _finished(self) -> None:
        with self._lock:
            self.in_progress -= 1


class _Steps(Generic[T]):
    """An iterator that one thread at a time advances.

    It is closed once: by the client that abandons it, or by the thread that is then still in it.
    """

    def __init__(self, start: Callable[[], Iterator[T]], on_close: Callable[[], None]) -> None:
        self._start = start
        self._on_close = on_close
        self._iterator: Iterator[T] | None = None
        self._lock = threading.Lock()
        self._is_running = False
        self._abandoned = threading.Event()

    def next(self) -> T | None:
        """Return the next item, or None after the last."""
        with self._lock:
            if self._abandoned.is_set():
                return None
            self._is_running = True
        CANCELLED.set(self._abandoned)  # in this step's copy of the context
        try:
            if self._iterator is None:
                self._iterator = self._start()
            return next(self._iterator, None)
        finally:
            with self._lock:
                self._is_running = False
                abandoned = self._abandoned.is_set()
            if abandoned:
                self._close()

    def abandon(self) -> None:
        """Stop: nobody waits for the next item."""
        with self._lock:
            self._abandoned.set()
            is_idle = not self._is_running
        if is_idle:
            self._close()

    def _close(self) -> None:
        try:
            close = getattr(self._iterator, "close", None)
            if close:
                close()
        finally:
            self._on_close()
