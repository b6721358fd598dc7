"""Connections: how many there may be at once, and how long a client may keep the server waiting.

uvicorn alone waits forever for the end of a request, and for a client to take its response.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["BURST", "MAX_CONNECTIONS", "connection_limit", "uvicorn_config"]

MAX_CONNECTIONS = 1000
"""Maximum number of concurrent connections, where the system allows as many file descriptors."""

_RESERVED = 100  # file descriptors for the index, the log and threads
BURST = 2048  # connections that asyncio may accept before it handles the first of them
_ENOUGH = 64 * 1024  # bytes that a client must take before each timeout to renew it


def uvicorn_config(
    app: ASGIApp,
    *,
    client_timeout: float,
    shutdown_timeout: int,
    max_connections: int,
    accepted_at_once: int = BURST,
) -> uvicorn.Config:
    """Return how uvicorn serves ``app``: HTTP/1.1 with limits, and no log of its own.

    Args:
        app: The ASGI app.
        client_timeout: Seconds that a client may keep the server waiting at a time.
        shutdown_timeout: Seconds that responses in progress get when the server stops.
        max_connections: Maximum number of concurrent connections. One more closes the connection
            whose client has kept the server waiting longest.
        accepted_at_once: Connections that asyncio accepts before it handles the first of them, and
            the number that it makes the system queue.

    """
    protocol = type("_Protocol", (_TimedProtocol,), {"client_timeout": client_timeout})
    return uvicorn.Config(
        app,
        http=cast("type[H11Protocol]", protocol),
        ws="none",
        log_config=None,  # uvicorn's own would write to standard output
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=accepted_at_once,
        timeout_graceful_shutdown=shutdown_timeout,
        limit_concurrency=connection_limit(max_connections) + 1,  # uvicorn refuses at this number
    )


def connection_limit(most: int) -> int:
    """Return how many connections there are file descriptors for, at most ``most``.

    Raises the process's soft limit first where it is too low.
    """
    if os.name != "posix":
        return most
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = most + BURST + _RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        with suppress(OSError, ValueError):  # the system may allow less than its hard limit
            raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, soft - _RESERVED))


class _TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which closes a connection when its client takes too long."""

    client_timeout: float
    _awaited: str | None = None  # what the client has to do next
    _awaited_since = 0.0  # by the event loop's clock
    _unsent = 0  # bytes in the write buffer when the timer started
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._close_slowest_if_full()
        self._update_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._update_timer()

    def on_response_complete(self) -> None:
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in self.headers}:
            self.transport.close()  # proxies may disagree on where it ends: RFC 9112, 6.1
        super().on_response_complete()
        self._update_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._update_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._update_timer()

    def send_400_response(self, msg: str) -> None:
        if self.cycle:
            self.cycle.disconnected = True  # discard what the app may still send
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # invalid bytes after a response that did not wait for the body
            self.transport.abort()

    def _should_upgrade(self) -> bool:
        return False  # and log nothing about it

    def _update_timer(self) -> None:
        """Restart the timer if the client has to do something else now; stop it if nothing."""
        awaited = self._client_action()
        if awaited != self._awaited:
            self._awaited = awaited
            self._awaited_since = self.loop.time()
            self._restart_timer()

    def _client_action(self) -> str | None:
        """Return what the client has to do next; None while the app works."""
        if self.cycle is None:
            return "send a request"
        if self.flow.write_paused:
            return "take the response"
        if self.cycle.response_complete:
            return "take the end of the response, or send another request"
        return "send the body" if self.cycle.more_body else None

    def _restart_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._unsent = self.transport.get_write_buffer_size()
        if self._awaited:
            self._timer = self.loop.call_later(self.client_timeout, self._on_timeout)

    def _on_timeout(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent and self._unsent - unsent >= _ENOUGH:
            self._restart_timer()
        else:
            self.transport.abort()

    def _close_slowest_if_full(self) -> None:
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        waiting = [
            each for each in self.connections if isinstance(each, _TimedProtocol) and each._awaited
        ]
        if waiting:
            slowest = min(waiting, key=lambda each: each._awaited_since)
            self.connections.discard(slowest)  # uvicorn itself removes it only later
            slowest.transport.abort()
