"""Connect to a server or a milvus-lite file, and turn its failures into ragkit's errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ragkit.commands import command
from ragkit.errors import (
    IndexLockedError,
    IndexNotFoundError,
    IndexServerError,
    MissingExtraError,
)
from ragkit.index.milvus.location import MilvusLocation

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["NOT_FOUND_CODES", "connect", "server_error", "server_errors"]

NOT_FOUND_CODES = (100, 1600)
"""Milvus's error codes for a missing collection and a missing alias."""

_LOGGERS = ("pymilvus.decorators", "milvus_lite.server_manager")
_IN_CALL: ContextVar[bool] = ContextVar("ragkit_in_call_of_milvus", default=False)


def connect(location: MilvusLocation, timeout: float) -> MilvusClient:
    """Return a connected client.

    Args:
        timeout: seconds that connecting may take.

    Raises:
        MissingExtraError: ``pymilvus`` or ``milvus-lite`` is not installed.
        IndexLockedError: another process has the file open.
        IndexServerError: the connection failed.

    """
    try:
        from pymilvus import MilvusClient, MilvusException

        if location.is_file:
            import milvus_lite  # noqa: F401  # what the client starts for a file
    except ImportError as error:
        raise MissingExtraError(
            f"an index on Milvus needs {error.name or 'a library'}, which is not installed. "
            f"Install it: pip install 'ragkit-cited[milvus]'"
        ) from error
    try:
        with _quiet_loggers():
            return MilvusClient(
                uri=location.uri,
                token=location.token,
                db_name=location.database,
                timeout=timeout,
                dedicated=True,  # shared connections do not distinguish TLS from plain text
            )
    except MilvusException as error:
        if location.is_file:
            _raise_if_locked(location)
        raise server_error(location, "connecting", error.message) from error


def _raise_if_locked(location: MilvusLocation) -> None:
    from milvus_lite import DataDirLockedError, MilvusLite

    try:
        MilvusLite(location.uri).close()
    except DataDirLockedError as error:
        raise IndexLockedError(
            f"another process has {location.uri} open; milvus-lite allows one process at a time. "
            f"Close it there, or start a server for several: "
            f"{command('milvus-lite server --data-dir', location.uri, end='--host 127.0.0.1')}"
        ) from error
    except Exception as error:  # milvus-lite's own types, and those of its libraries
        raise server_error(location, "opening the file", str(error)) from error


def server_error(location: MilvusLocation, action: str, reason: str) -> IndexServerError:
    """Return the error for an action that failed, such as ``"connecting"``."""
    place = location.uri if location.is_file else f"the server at {location.uri}"
    return IndexServerError(
        f"{place} failed while {action}: {reason}. Expected Milvus 2.3 or later, or milvus-lite "
        f"3.2 or later, running and accepting this login. Check the server, then try again."
    )


@contextmanager
def server_errors(location: MilvusLocation, action: str) -> Iterator[None]:
    """Turn what the client raises into ragkit's errors.

    Raises:
        IndexNotFoundError: a collection no longer exists.
        IndexServerError: the call failed for any other reason.

    """
    from grpc import RpcError
    from pymilvus import MilvusException

    try:
        with _quiet_loggers():
            yield
    except MilvusException as error:
        if error.code in NOT_FOUND_CODES:
            raise IndexNotFoundError(
                f"the Milvus server no longer has the generation of {location} that was opened "
                f"({action}: {error.message}). Open it anew."
            ) from error
        raise server_error(location, action, error.message) from error
    # The client is closed, or lost its connection and did not wrap the error.
    except (RpcError, ValueError) as error:
        raise server_error(location, action, _reason(error)) from error


def _reason(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{code()}" if callable(code) else str(error)


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """Drop what the client logs during ragkit's calls: it logs every error that it raises."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_outside_call)
    token = _IN_CALL.set(True)
    try:
        yield
    finally:
        _IN_CALL.reset(token)


def _is_outside_call(_record: logging.LogRecord) -> bool:
    return not _IN_CALL.get()
