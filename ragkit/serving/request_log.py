"""The access log: one JSON object a request, which the same middleware counts for Prometheus."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragkit.serving.http_spans import describe_request, trace_id
from ragkit.serving.middleware import path_in_app
from ragkit.serving.request_id import HEADER, REQUEST_ID, new_request_id

if TYPE_CHECKING:
    from ragkit.serving.metrics import Metrics

__all__ = ["ACCESS_LOGGER", "TIME_FORMAT", "RequestLogMiddleware", "add_to_log"]

ACCESS_LOGGER = "ragkit.serving.access"
"""The logger's name; its messages are the JSON objects."""

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""Of every line, in UTC."""

_CLIENT_CLOSED = 499  # nginx's status for a client that left before its request was complete
_log = logging.getLogger(ACCESS_LOGGER)


class RequestLogMiddleware:
    """Logs and counts each request, and gives it an id: its client's, or a new one.

    A log line has no query string, no body and no client address; the question is added only where
    the settings ask for it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, worker: int | None = None) -> None:
        """Log and count the requests of ``app``; ``worker``: number of the process, of several."""
        self._app = app
        self._metrics = metrics
        self._fields = {} if worker is None else {"worker": worker}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        path = path_in_app(scope)  # before a mount inside the app changes it
        request_id = new_request_id(Headers(scope=scope))
        REQUEST_ID.set(request_id)  # each request has a context of its own, which ends with it
        describe_request(scope, request_id)
        status = 0
        seconds_to_response = 0.0
        scope.setdefault("state", {})["log"] = {}

        async def send_with_id(message: Message) -> None:
            nonlocal status, seconds_to_response
            if message["type"] == "http.response.start":
                status, seconds_to_response = message["status"], time.perf_counter() - started
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        self._metrics.requests_in_progress.inc()
        try:
            await self._app(scope, receive, send_with_id)
            status = status or _CLIENT_CLOSED
        finally:
            status = status or 500
            seconds = time.perf_counter() - started
            method, route = _method(scope), _route(scope, path)
            self._metrics.requests_in_progress.dec()
            self._metrics.count_request(method, route, status, seconds_to_response or seconds)
            line = {"id": request_id, "method": method, "route": route, "status": status}
            line |= self._fields
            if current := trace_id():
                line["trace_id"] = current
            _write(line, seconds, scope["state"]["log"])


def add_to_log(scope: Scope, **fields: str) -> None:
    """Add fields to the log line of a request."""
    scope["state"]["log"].update(fields)


def _route(scope: Scope, path: str) -> str:
    """Return the route's pattern. A path could hold what a person typed, and paths are endless."""
    for folder in ("/static", "/docs"):
        if path.startswith(f"{folder}/"):
            return folder
    pattern = getattr(scope.get("route"), "path", None)
    return str(pattern) if pattern else "other"


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"


def _write(line: dict[str, Any], seconds: float, extra: dict[str, str]) -> None:
    now = time.strftime(TIME_FORMAT, time.gmtime())
    fields = {"time": now, **line, "ms": round(seconds * 1000, 1), **extra}
    _log.info(json.dumps(fields, ensure_ascii=True))
