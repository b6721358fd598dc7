"""A connection to a server or a file, and what its failures are called."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ragkit.errors import (
    IndexLockedError,
    IndexNotFoundError,
    IndexServerError,
    MissingExtraError,
)
from ragkit.index.milvus.location import MilvusLocation

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["MISSING", "answering", "connected", "failed"]

MISSING = (100, 1600)
"""The codes for a collection and an alias that are not there."""

_LOGGERS = ("pymilvus.decorators", "milvus_lite.server_manager")
_CALLING: ContextVar[bool] = ContextVar("ragkit_calling_milvus", default=False)


def connected(location: MilvusLocation, timeout: float) -> MilvusClient:
    """A client. Raises MissingExtraError, IndexLockedError, IndexServerError."""
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
        with _quiet():
            return MilvusClient(
                uri=location.uri,
                token=location.token,
                db_name=location.database,
                timeout=timeout,
                dedicated=True,  # shared ones do not tell TLS from none
            )
    except MilvusException as error:
        if location.is_file:
            _refuse_locked(location)
        raise failed(location, "connecting", error.message) from error


def _refuse_locked(location: MilvusLocation) -> None:
    from milvus_lite import DataDirLockedError, MilvusLite

    try:
        MilvusLite(location.uri).close()
    except DataDirLockedError as error:
        raise IndexLockedError(
            f"another process has {location.uri} open, and milvus-lite lets in one at a time. "
            f"Close it there, or let several ask a server: milvus-lite server --data-dir "
            f"{location.uri} --host 127.0.0.1"
        ) from error
    except Exception as error:  # of files, its own types, or what its libraries raise
        raise failed(location, "opening the file", str(error)) from error


def failed(location: MilvusLocation, doing: str, reason: str) -> IndexServerError:
    """What went wrong where."""
    place = location.uri if location.is_file else f"the server at {location.uri}"
    return IndexServerError(
        f"{place} failed while {doing}: {reason}. Expected Milvus 2.3 or later, or milvus-lite 3.2 "
        f"or later, that answers and lets this login in. Look whether it runs, then try again."
    )


def _reason(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{code()}" if callable(code) else str(error)


@contextmanager
def answering(location: MilvusLocation, doing: str) -> Iterator[None]:
    """Whatever fails in a call is an IndexServerError; IndexNotFoundError for what is gone."""
    from grpc import RpcError
    from pymilvus import MilvusException

    try:
        with _quiet():
            yield
    except MilvusException as error:
        if error.code in MISSING:
            raise IndexNotFoundError(
                f"the Milvus server has no more what {location} was when it was opened "
                f"({doing}: {error.message}). Open it anew."
            ) from error
        raise failed(location, doing, error.message) from error
    # A client that is closed, and what the client lets through of a lost connection.
    except (RpcError, ValueError) as error:
        raise failed(location, doing, _reason(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The client also logs, with a traceback, what it raises; not so for calls made here."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_of_others)
    before = _CALLING.set(True)
    try:
        yield
    finally:
        _CALLING.reset(before)


def _is_of_others(_record: logging.LogRecord) -> bool:
    return not _CALLING.get()
