"""The socket that a server listens on, and the names and address that clients reach it by."""

from __future__ import annotations

import os
import socket

from ragkit.errors import InputError

__all__ = ["BACKLOG", "host_names", "listening_socket", "url_of"]

BACKLOG = 1024
"""Connections that may wait to be accepted."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host`` and ``port``; port 0 takes a free one.

    uvicorn would exit the program where it cannot bind, so the socket is bound here.

    Raises:
        InputError: The system refuses the address.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the protocol is named. Otherwise each answer
    # waits 40 ms for an acknowledgement.
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
            f"cannot listen on {host} port {port} ({error}). Choose another host or port."
        ) from error


def host_names(host: str) -> tuple[str, ...]:
    """Return the names for the Host header of a server that listens on ``host``.

    A server that listens on all interfaces has names that cannot be derived; the result is empty.
    """
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return ()
    return (f"[{host}]" if ":" in host else host,)


def url_of(listener: socket.socket) -> str:
    """Return ``http://host:port`` of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
