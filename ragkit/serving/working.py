"""Questions under way: run in worker threads, bounded, and let go of when nobody waits any more."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
from fastapi import HTTPException

from ragkit.grounding import CANCELLED

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """Runs streams step by step in threads: so many threads, so many streams, so long each.

    A stream holds its place until its thread is done with it, also where its client left or its
    time was over before.
    """

    def __init__(self, *, threads: int, waiting: int, timeout: float) -> None:
        self._threads = anyio.CapacityLimiter(threads)
        self._waiting = waiting
        self._timeout = timeout
        self._lock = threading.Lock()
        self.under_way = 0

    async def call(self, call: Callable[[], T]) -> T:
        """One call. Raises HTTPException: 503 when too many are under way, 504 out of time."""

        def once() -> Iterator[T]:
            yield call()

        return await self.last(once)

    async def last(self, stream: Callable[[], Iterator[T]]) -> T:
        """The last that a stream gives. Raises as ``call`` does."""
        try:
            async for given in self.run(stream):
                found = given
        except TimeoutError as error:
            raise HTTPException(
                504, f"no answer within {self._timeout:g} s. Ask again, or ask less."
            ) from error
        return found

    async def run(self, stream: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """What a stream gives, as it comes. Raises HTTPException 503, TimeoutError, and its own."""
        self.refuse_if_busy()
        with self._lock:
            self.under_way += 1
        steps = _Steps(stream, self._done)
        until = time.monotonic() + self._timeout
        try:
            while True:
                with anyio.fail_after(max(0.0, until - time.monotonic())):
                    given = await anyio.to_thread.run_sync(
                        steps.step, abandon_on_cancel=True, limiter=self._threads
                    )
                if given is None:
                    return
                yield given
        finally:
            steps.leave()

    def refuse_if_busy(self) -> None:
        """Raises HTTPException 503 when too many streams are under way."""
        if self.under_way >= self._waiting:
            raise HTTPException(
                503,
                f"{self.under_way} questions are under way; expected at most {self._waiting}. "
                f"Try again in a second.",
                {"Retry-After": "1"},
            )

    def _done(self) -> None:
        with self._lock:
            self.under_way -= 1


class _Steps(Generic[T]):
    """A stream that one thread at a time advances. Who has it last, thread or client, ends it."""

    def __init__(self, stream: Callable[[], Iterator[T]], done: Callable[[], None]) -> None:
        self._stream = stream
        self._done = done
        self._iterator: Iterator[T] | None = None
        self._lock = threading.Lock()
        self._busy = False
        self._left = threading.Event()

    def step(self) -> T | None:
        """The next that it gives, None after the last."""
        with self._lock:
            if self._left.is_set():
                return None
            self._busy = True
        CANCELLED.set(self._left)  # in this step's copy of the context
        try:
            if self._iterator is None:
                self._iterator = self._stream()
            return next(self._iterator, None)
        finally:
            with self._lock:
                self._busy = False
                left = self._left.is_set()
            if left:
                self._end()

    def leave(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._left.set()
            idle = not self._busy
        if idle:
            self._end()

    def _end(self) -> None:
        try:
            close = getattr(self._iterator, "close", None)
            if close:
                close()
        finally:
            self._done()
