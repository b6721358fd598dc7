"""The middleware that protects both servers: access, host names, body size, headers.

Each is plain ASGI, so that streamed responses are not buffered.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragkit.serving.access import CALLER, Access, Identity, Usage
from ragkit.serving.error_responses import ErrorResponse, send_error

__all__ = [
    "AccessMiddleware",
    "BodyLimitMiddleware",
    "HostMiddleware",
    "SecurityHeadersMiddleware",
    "path_in_app",
]

_CLOSE = {"connection": "close"}
_PORT = re.compile(r":[0-9]*\Z")
_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

# Swagger UI writes HTML by itself, which it cleans with DOMPurify.
_API_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def path_in_app(scope: Scope) -> str:
    """Return the path inside the app, without the prefix that the app is mounted at."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


class AccessMiddleware:
    """Refuses requests that no access rule covers or that are too many; says who sends the others.

    The app finds the sender in ``current_identity()``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        usage: Usage,
        is_public: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Protect ``app``.

        Args:
            app: The app behind the check.
            access: Who may read what.
            usage: Where requests are counted.
            is_public: Whether a path needs no identity; it then has none.

        """
        self._app = app
        self._access = access
        self._usage = usage
        self._is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_public(path_in_app(scope)):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        identity = self._access.identify(Headers(scope=scope), client[0] if client else None)
        refusal = identity if isinstance(identity, ErrorResponse) else self._too_many(identity)
        if refusal is not None:
            await send_error(scope, send, refusal)
            return
        before = CALLER.set(cast("Identity", identity))
        try:
            await self._app(scope, receive, send)
        finally:
            CALLER.reset(before)

    def _too_many(self, identity: Identity) -> ErrorResponse | None:
        seconds = self._usage.count_request(identity.user, identity.limits)
        if not seconds:
            return None
        message = (
            f"you have sent the {identity.limits.requests_per_minute} requests that you may send "
            f"in a minute. Wait {math.ceil(seconds)} s."
        )
        headers = {"retry-after": str(math.ceil(seconds))}
        return ErrorResponse(429, "TooManyRequestsError", message, headers)


class HostMiddleware:
    """Refuses a Host header that does not name this server (DNS rebinding)."""

    def __init__(self, app: ASGIApp, allowed_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._allowed = frozenset(name.casefold() for name in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self._allowed:
            name = _PORT.sub("", Headers(scope=scope).get("host", ""))
            if name.casefold() not in self._allowed:
                message = (
                    f"this server does not answer to the name {name[:100]!r}; expected one of "
                    f"{', '.join(sorted(self._allowed))}. Allow other names with --allow-host."
                )
                await send_error(scope, send, ErrorResponse(400, "HostError", message))
                return
        await self._app(scope, receive, send)


class BodyLimitMiddleware:
    """Receives the whole body before it calls the app, with a limit of size and of time."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout: float) -> None:
        """Protect ``app``.

        Args:
            app: The app behind the check.
            max_bytes: Longest body that is accepted.
            timeout: Seconds in which the body must arrive.

        """
        self._app = app
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._body(scope, receive)
        except TimeoutError:
            message = f"the body did not arrive within {self._timeout:g} s. Send it in one piece."
            await send_error(scope, send, ErrorResponse(408, "TooSlowError", message, _CLOSE))
            return
        except ClientDisconnect:
            return
        if body is None:
            message = f"the body is over {self._max_bytes:,} bytes. Send a shorter question."
            await send_error(scope, send, ErrorResponse(413, "TooLongError", message, _CLOSE))
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replay, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, or None if it is too long. Raises ClientDisconnect."""
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            return None
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                return None
            more = message.get("more_body", False)
        return bytes(body)


class SecurityHeadersMiddleware:
    """Adds the headers that keep a browser from running, framing or storing what it must not."""

    def __init__(self, app: ASGIApp, frame_origins: tuple[str, ...]) -> None:
        """Protect ``app``; pages of ``frame_origins`` may show its ``/embed`` in a frame."""
        self._app = app
        self._frame_origins = frame_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_in_app(scope)  # before a mount inside the app changes it

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message), path)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _add_headers(self, headers: MutableHeaders, path: str) -> None:
        for name, value in _SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if path == "/docs":
            headers["content-security-policy"] = _API_PAGE_POLICY
            headers["cache-control"] = "no-cache"
        elif path in ("/", "/embed"):
            ancestors = "'none'" if path == "/" else " ".join(["'self'", *self._frame_origins])
            headers["content-security-policy"] = f"{_PAGE_POLICY}; frame-ancestors {ancestors}"
            headers["cache-control"] = "no-cache"
        elif path == "/widget.js" or path.startswith(("/static/", "/docs/")):
            headers["cross-origin-resource-policy"] = "cross-origin"
            headers["cache-control"] = "no-cache"
        else:
            headers["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'"
            headers["cache-control"] = "no-store"
