"""The transports of the MCP server: standard input and output, and streamable HTTP."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from ragkit.default import IndexLike, open_index
from ragkit.errors import InputError
from ragkit.serving.access import Access, Usage
from ragkit.serving.connections import MAX_CONNECTIONS, uvicorn_config
from ragkit.serving.error_responses import ErrorResponse, send_error
from ragkit.serving.mcp.server import CallersSource, Source, mcp_server, server_of
from ragkit.serving.middleware import AccessMiddleware, BodyLimitMiddleware
from ragkit.serving.sockets import host_names, listening_socket, url_of

__all__ = ["SHUTDOWN_TIMEOUT", "http_app", "serve_http", "serve_stdio"]

SHUTDOWN_TIMEOUT = 5
"""Seconds that calls in progress get when the HTTP server stops."""

_MAX_BODY = 256 * 1024  # bytes
_CLIENT_TIMEOUT = 90  # seconds for a client to send a request, and to take its response
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_log = logging.getLogger("ragkit.serving")


def serve_stdio(
    index: IndexLike = None, *, name: str = "ragkit", about: str = "the corpus"
) -> None:
    """Serve on standard input and output, until the input ends or a signal comes.

    Only the protocol is written to standard output; other output is redirected to standard error.

    Args:
        index: As for ``ragkit.ask``.
        name: The server's name for clients.
        about: What the corpus is about; the model decides by it when to ask.

    Raises:
        RagkitError: As ``Index.open`` raises.

    """
    with redirect_stdout(sys.stderr):
        server = mcp_server(index, name=name, about=about)
    with _default_interrupt():
        server.run("stdio")


def serve_http(
    index: IndexLike = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8001,
    token: str | None = None,
    access: Access | None = None,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    name: str = "ragkit",
    about: str = "the corpus",
) -> None:
    """Serve ``http_app`` at ``http://host:port/mcp`` until SIGINT or SIGTERM.

    Calls in progress then get ``SHUTDOWN_TIMEOUT`` seconds.

    The other arguments are those of ``http_app``.

    Args:
        host: Address to listen on; its name is one of the allowed hosts.
        port: Port to listen on; 0 takes a free one.

    Raises:
        InputError: The address cannot be listened on, or the token is blank.
        RagkitError: As ``Index.open`` raises.

    """
    app = http_app(
        index,
        token=token,
        access=access,
        allowed_hosts=[*allowed_hosts, *host_names(host)],
        allowed_origins=allowed_origins,
        name=name,
        about=about,
    )
    with listening_socket(host, port) as listener:
        _log.info("MCP at %s/mcp", url_of(listener))
        config = uvicorn_config(
            app,
            client_timeout=_CLIENT_TIMEOUT,
            shutdown_timeout=SHUTDOWN_TIMEOUT,
            max_connections=MAX_CONNECTIONS,
        )
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after its graceful shutdown
            uvicorn.Server(config).run(sockets=[listener])


def http_app(
    index: IndexLike = None,
    *,
    token: str | None = None,
    access: Access | None = None,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    name: str = "ragkit",
    about: str = "the corpus",
) -> ASGIApp:
    """Return the MCP server as an ASGI app: streamable HTTP at ``/mcp``, without sessions.

    Other hosts and origins are refused, so that no web page can rebind its name to this server.

    Args:
        index: As for ``ragkit.ask``.
        token: If given, each request must have the header ``Authorization: Bearer <token>``.
        access: Who may read which documents; instead of a token.
        allowed_hosts: Host names of this server besides loopback's; ``*`` allows any.
        allowed_origins: Web sites that may call it, such as ``https://chat.example.org``.
        name: The server's name for clients.
        about: What the corpus is about; the model decides by it when to ask.

    Raises:
        InputError: The token is blank, or there are access rules as well.
        RagkitError: As ``Index.open`` raises.

    """
    if token is not None and access is not None:
        raise InputError("there is a token and access rules; expected one of them.")
    rules = Access.of_token(token) if token is not None else access
    opened, usage = open_index(index), Usage()
    if rules is not None:
        rules.warn_if_useless(opened)
    source = Source(opened) if rules is None else CallersSource(opened, usage)
    app = server_of(source, name=name, about=about).streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=_transport_security([*_LOOPBACK, *allowed_hosts], allowed_origins),
    )
    limited = BodyLimitMiddleware(_PostOnly(app), max_bytes=_MAX_BODY, timeout=_CLIENT_TIMEOUT)
    return limited if rules is None else AccessMiddleware(limited, access=rules, usage=usage)


class _PostOnly:
    """Refuses GET and DELETE, which open a stream and end a session: this server has neither."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "DELETE"):
            message = "this server has no sessions and no streams; expected POST."
            headers = {"allow": "POST"}
            error = ErrorResponse(405, "MethodNotAllowedError", message, headers)
            await send_error(scope, send, error)
        else:
            await self._app(scope, receive, send)


def _transport_security(hosts: Sequence[str], origins: Sequence[str]) -> TransportSecuritySettings:
    """Return the SDK's checks of hosts and origins; by default it makes them only on loopback."""
    # The SDK would log the hosts and origins that it refuses, which anyone can invent.
    logging.getLogger("mcp.server.transport_security").setLevel(logging.ERROR)
    if "*" in hosts:  # the SDK does not support it
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return TransportSecuritySettings(
        allowed_hosts=[form for host in hosts for form in (host, f"{host}:*")],
        allowed_origins=[*(f"http://{host}:*" for host in _LOOPBACK), *origins],
    )


@contextmanager
def _default_interrupt() -> Iterator[None]:
    """Let SIGINT end the process at once. As an exception it would wait for the next input line.

    Nothing is lost, since the server writes nothing to disk.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
