"""Connections: how many there may be, and what becomes of clients that keep the server waiting.

uvicorn by itself waits for ever for a request's end, and for a client to take its answer.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["CONNECTIONS", "room_for", "speaking"]

CONNECTIONS = 1000
"""That are served at once, where the system gives so many handles."""

_SPARE = 100  # handles for the index, the log, threads
_BURST = 2048  # connections that asyncio may accept before it looks at the first of them
_ENOUGH = 64 * 1024  # bytes that a client has to take each time before its patience is renewed


def room_for(most: int) -> int:
    """How many connections there are handles for, up to ``most``; more are asked for if too few."""
    if os.name != "posix":
        return most
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _BURST + _SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # the system may allow less than it says
            asked = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (asked, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, soft - _SPARE))


def speaking(patience: float) -> type[H11Protocol]:
    """HTTP/1.1 of uvicorn, for clients that may keep it waiting for ``patience`` seconds at a time.

    Where no more connections may be, the one whose client kept it waiting longest makes room.
    """
    return cast("type[H11Protocol]", type("_Patient", (_Patient,), {"patience": patience}))


class _Patient(H11Protocol):
    """Knows since when it is its client's turn, and for what."""

    patience: float
    _awaited: str | None = None
    _since = 0.0
    _unsent = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._make_room()
        self._mind()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._mind()

    def on_response_complete(self) -> None:
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in self.headers}:
            self.transport.close()  # where it ends is open to dispute: RFC 9112, 6.1
        super().on_response_complete()
        self._mind()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._mind()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._mind()

    def send_400_response(self, msg: str) -> None:
        if self.cycle:
            self.cycle.disconnected = True  # what the app may still say goes nowhere
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # garbage behind an answer that did not wait for the body
            self.transport.abort()

    def _should_upgrade(self) -> bool:
        return False  # and say nothing of it in the log

    def _mind(self) -> None:
        """Begin to wait for the client, or stop, if something changed."""
        awaited = self._turn()
        if awaited != self._awaited:
            self._awaited = awaited
            self._since = self.loop.time()
            self._wait()

    def _turn(self) -> str | None:
        """What the client has to do next; None while the app works."""
        if self.cycle is None:
            return "ask"
        if self.flow.write_paused:
            return "take the answer"
        if self.cycle.response_complete:
            return "take the answer's end, or ask again"
        return "send the body" if self.cycle.more_body else None

    def _wait(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(self.patience, self._give_up) if self._awaited else None

    def _give_up(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._unsent - left >= _ENOUGH:
            self._wait()
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        waiting = [one for one in self.connections if isinstance(one, _Patient) and one._awaited]
        if waiting:
            oldest = min(waiting, key=lambda one: one._since)
            self.connections.discard(oldest)  # it is lost only later
            oldest.transport.abort()
