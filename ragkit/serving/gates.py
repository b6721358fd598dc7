"""What every request passes, as plain ASGI so that streams stay streams: hosts, the body's size;
what is logged and counted; the headers that keep a browser from running anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragkit.serving.access import path_of, problem
from ragkit.serving.state import State

__all__ = ["BodyLimit", "Hosts", "Observed"]

_access = logging.getLogger("ragkit.serving.access")

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class Problem(NamedTuple):
    """What a gate answers instead of the app."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] | None = None


_CLOSE = {"connection": "close"}


class Hosts:
    """Refuses a Host header that is not the server's own name (DNS rebinding)."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self._app = app
        self._allowed = frozenset(name.casefold() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self._allowed:
            host = Headers(scope=scope).get("host", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name.casefold() not in self._allowed:
                message = (
                    f"this server does not answer to the name {name[:100]!r}; expected one of "
                    f"{', '.join(sorted(self._allowed))}. Start it with --allow-host."
                )
                await _refuse(scope, send, Problem(400, "HostError", message))
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Takes a whole body before the app sees any of it: not over the limit, not for ever."""

    def __init__(self, app: ASGIApp, *, most: int, timeout: float) -> None:
        self._app = app
        self._most = most
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        try:
            async with asyncio.timeout(self._timeout):
                too_long = announced.isdigit() and int(announced) > self._most
                messages = None if too_long else await self._taken(receive)
        except TimeoutError:
            message = f"the body did not arrive within {self._timeout:g} s. Send it at once."
            await _refuse(scope, send, Problem(408, "TooSlowError", message, _CLOSE))
            return
        if messages is None:
            message = f"the body is over {self._most:,} bytes; expected a question. Send less."
            await _refuse(scope, send, Problem(413, "TooLongError", message, _CLOSE))
            return

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, again, send)

    async def _taken(self, receive: Receive) -> list[Message] | None:
        """The body's messages, or None if they are too long."""
        messages: list[Message] = []
        length = 0
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())
            length += len(messages[-1].get("body", b""))
            if length > self._most:
                return None
        return messages


class Observed:
    """Logs and counts each request, and adds the headers for browsers.

    The log has one JSON object a request: no query string, no body, no address; a question only
    where the settings ask for it.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        path = path_of(scope)  # before a mount inside changes it
        status = 500
        took = 0.0
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["log"] = {}

        async def observed(message: Message) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status, took = message["status"], time.perf_counter() - begun
                _add_headers(message, path, request_id, self._state.settings.origins)
            await send(message)

        figures = self._state.figures
        figures.under_way.inc()
        try:
            await self._app(scope, receive, observed)
        finally:
            figures.under_way.dec()
            route = "/static" if path.startswith("/static/") else _route(scope)
            figures.requests.labels(_method(scope), route, status).inc()
            figures.seconds.labels(route).observe(took or time.perf_counter() - begun)
            _log(scope, route, status, request_id, time.perf_counter() - begun)


def _route(scope: Scope) -> str:
    """The route's pattern, never the path: paths are endless, and may hold what was typed."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return str(path) if path else "other"


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"


def _log(scope: Scope, route: str, status: int, request_id: str, seconds: float) -> None:
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": request_id,
        "method": _method(scope),
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        **scope["state"]["log"],
    }
    _access.info(json.dumps(line, ensure_ascii=True))


def _add_headers(
    message: MutableMapping[str, Any], path: str, request_id: str, origins: tuple[str, ...]
) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers["x-request-id"] = request_id
    if path in ("/", "/embed"):
        around = " ".join(["'self'", *origins]) if path == "/embed" else "'none'"
        headers["content-security-policy"] = f"{_PAGE_POLICY}; frame-ancestors {around}"
        headers["cache-control"] = "no-cache"
    elif path == "/widget.js" or path.startswith("/static/"):
        headers["cross-origin-resource-policy"] = "cross-origin"
        headers["cache-control"] = "no-cache"
    else:
        headers["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'"
        headers["cache-control"] = "no-store"


async def _refuse(scope: Scope, send: Send, found: Problem) -> None:
    answer = JSONResponse(problem(found.kind, found.message), found.status, found.headers)
    await answer(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
