"""The server's log on standard error: each request as a line of JSON, and all else if asked to."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Literal

from ragkit.serving.http_spans import trace_id
from ragkit.serving.request_id import REQUEST_ID
from ragkit.serving.request_log import ACCESS_LOGGER, TIME_FORMAT

__all__ = ["LogFormat", "configure_logging"]

LogFormat = Literal["text", "json"]
"""How messages that are not requests are written; requests are always JSON."""


def configure_logging(log_format: LogFormat, worker: int | None = None) -> None:
    """Write the log of this process to standard error.

    Args:
        log_format: ``"json"`` makes a line of JSON of every message of every library, ``"text"``
            leaves them as they are.
        worker: number of the process, of several that serve; lines of JSON have it.

    """
    access_log = logging.getLogger(ACCESS_LOGGER)
    access_log.handlers = [_handler(logging.Formatter("%(message)s"))]
    access_log.propagate = False
    access_log.setLevel(logging.INFO)
    uvicorn_log, ragkit_log = logging.getLogger("uvicorn"), logging.getLogger("ragkit")
    uvicorn_log.setLevel(logging.WARNING)
    if log_format == "text":
        uvicorn_log.handlers = ragkit_log.handlers
        return
    logging.getLogger().handlers = [_handler(_JsonFormatter(worker))]
    logging.captureWarnings(True)
    for log in (uvicorn_log, ragkit_log):
        log.handlers = []
    ragkit_log.setLevel(logging.INFO)


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


class _JsonFormatter(logging.Formatter):
    """One JSON object a message, with the id of the request and of the trace that it belongs to."""

    def __init__(self, worker: int | None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": time.strftime(TIME_FORMAT, time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "id": REQUEST_ID.get(),
            "trace_id": trace_id(),
            "worker": self._worker,
        }
        if record.exc_info and record.exc_info[0]:
            fields["error"] = record.exc_info[0].__name__
            fields["stack"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in fields.items() if value is not None})
