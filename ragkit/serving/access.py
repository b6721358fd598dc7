"""What both servers share: where they listen, the token that lets callers in, the body's size."""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragkit.errors import InputError

__all__ = [
    "BodyLimit",
    "Problem",
    "Token",
    "address_of",
    "check_token",
    "listening",
    "names_of",
    "path_of",
    "problem",
    "refuse",
]

CLOSE = {"connection": "close"}

BACKLOG = 1024
"""Connections that may wait to be accepted."""


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises InputError where that cannot be.

    Bound here, not by uvicorn, which would end the program where it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Unless the protocol is named, asyncio does not switch off Nagle's algorithm on what it
    # accepts, and each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        return listener
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"cannot listen on {host} port {port} ({error}). Give another host or port."
        ) from error


def names_of(host: str) -> tuple[str, ...]:
    """What clients call a server that listens on ``host``; of one that listens on all, unknown."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return ()
    return (f"[{host}]" if ":" in host else host,)


def address_of(listener: socket.socket) -> str:
    """``http://host:port`` of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def path_of(scope: Scope) -> str:
    """The path inside the app, which may be mounted under another one's."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def check_token(token: str | None) -> None:
    """Raises InputError for a token that no header can carry."""
    bare = "x" if token is None else token.strip()
    if not (bare and bare.isascii() and bare.isprintable()):
        raise InputError("the token is blank or not ASCII; expected e.g. 32 random letters.")


def problem(kind: str, message: str) -> dict[str, object]:
    """The body of an error, in OpenAI's shape."""
    return {"error": {"type": kind, "message": message, "param": None, "code": None}}


class Problem(NamedTuple):
    """What a gate answers instead of the app."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] | None = None


class Token:
    """Lets through who carries the access token (RFC 6750), compared in constant time.

    ``is_open``: whether a path needs none.
    """

    def __init__(
        self, app: ASGIApp, token: str, is_open: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._app = app
        self._token = token.strip().encode()
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] != "http" or self._is_open(path_of(scope))
        if is_open or self._carried(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            message = "The access token is missing or wrong; send 'Authorization: Bearer …'."
            headers = {"www-authenticate": "Bearer"}
            await refuse(scope, send, Problem(401, "UnauthorizedError", message, headers))

    def _carried(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token)
        return right and scheme.lower() == "bearer"


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
                body = None if too_long else await self._taken(receive)
        except TimeoutError:
            message = f"the body did not arrive within {self._timeout:g} s. Send it at once."
            await refuse(scope, send, Problem(408, "TooSlowError", message, CLOSE))
            return
        except ClientDisconnect:
            return
        if body is None:
            message = f"the body is over {self._most:,} bytes; expected a question. Send less."
            await refuse(scope, send, Problem(413, "TooLongError", message, CLOSE))
            return
        whole = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, again, send)

    async def _taken(self, receive: Receive) -> bytes | None:
        """The body, or None if it is too long. Raises ClientDisconnect."""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._most:
                return None
            more = message.get("more_body", False)
        return bytes(body)


async def refuse(scope: Scope, send: Send, found: Problem) -> None:
    """Answer it, whatever the body may say."""
    answer = JSONResponse(problem(found.kind, found.message), found.status, found.headers)
    await answer(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
