"""The middleware that protects both servers: access token, host names, body size, headers.

Each is plain ASGI, so that streamed responses are not buffered.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragkit.errors import InputError
from ragkit.serving.error_responses import ErrorResponse, send_error

__all__ = [
    "BodyLimitMiddleware",
    "HostMiddleware",
    "SecurityHeadersMiddleware",
    "TokenMiddleware",
    "check_token",
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


def check_token(token: str | None) -> None:
    """Check that an HTTP header can carry the token; None stands for no token.

    Raises:
        InputError: The token is blank or has characters that are not printable ASCII.

    """
    stripped = "x" if token is None else token.strip()
    if not (stripped and stripped.isascii() and stripped.isprintable()):
        raise InputError("the token is blank or not ASCII; expected for example 32 random letters.")


class TokenMiddleware:
    """Refuses requests without the access token (RFC 6750). Compares it in constant time."""

    def __init__(
        self, app: ASGIApp, token: str, is_public: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Protect ``app``.

        Args:
            app: The app behind the check.
            token: The access token; surrounding white space is ignored.
            is_public: Whether a path needs no token.

        """
        self._app = app
        self._token = token.strip().encode()
        self._is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_public = scope["type"] != "http" or self._is_public(path_in_app(scope))
        if is_public or self._has_token(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            message = "The access token is missing or wrong; send 'Authorization: Bearer …'."
            headers = {"www-authenticate": "Bearer"}
            await send_error(scope, send, ErrorResponse(401, "UnauthorizedError", message, headers))

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_equal = hmac.compare_digest(token.strip().encode(), self._token)
        return is_equal and scheme.lower() == "bearer"


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
