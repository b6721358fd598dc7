"""What every request passes, as plain ASGI so that streams stay streams: hosts; what is logged and
counted; the headers that keep a browser from running anything.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragkit.serving.access import Problem, path_of, refuse
from ragkit.serving.state import State

__all__ = ["Hosts", "Observed"]

LEFT = 499
"""The status, as others log it, of a request whose client left before it was whole."""

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


_PORT = re.compile(r":[0-9]*\Z")


class Hosts:
    """Refuses a Host header that is not the server's own name (DNS rebinding)."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self._app = app
        self._allowed = frozenset(name.casefold() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self._allowed:
            host = Headers(scope=scope).get("host", "")
            name = _PORT.sub("", host)
            if name.casefold() not in self._allowed:
                message = (
                    f"this server does not answer to the name {name[:100]!r}; expected one of "
                    f"{', '.join(sorted(self._allowed))}. Start it with --allow-host."
                )
                await refuse(scope, send, Problem(400, "HostError", message))
                return
        await self._app(scope, receive, send)


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
        status = 0
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
            status = status or LEFT
        finally:
            status = status or 500
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
