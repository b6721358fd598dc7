"""The HTTP server as a process: uvicorn, its log, and an end that drops no request."""

from __future__ import annotations

import logging
import sys

from ragkit.default import IndexLike
from ragkit.grounding import LanguageModel
from ragkit.integrations.common import missing_extra
from ragkit.serving.access import address_of, listening
from ragkit.serving.app import create_app
from ragkit.serving.settings import Settings

try:
    import uvicorn
except ImportError as error:
    raise missing_extra("serve", "uvicorn") from error

from ragkit.serving.connections import CONNECTIONS, room_for, speaking

__all__ = ["run"]

GRACE = 10  # seconds that answers under way have to end in
TELLING = 5  # seconds that the app has to say what took too long before it is cut off
_log = logging.getLogger("ragkit.serving")


def run(
    index: IndexLike,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    llm: LanguageModel | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then answer what is under way, and end.

    ``port`` 0 takes a free one; the first line of the log has the address. Raises InputError where
    it cannot listen, and what ``create_app`` raises.
    """
    _log_as_json()
    app = create_app(index, settings, llm=llm)
    config = uvicorn.Config(
        app,
        http=speaking(settings.timeout + TELLING),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        limit_concurrency=room_for(CONNECTIONS) + 1,  # it refuses at that number
    )
    with listening(host, port) as listener:
        _log.info("listening on %s", address_of(listener))
        uvicorn.Server(config).run(sockets=[listener])


def _log_as_json() -> None:
    """Each request a line of JSON on standard error, bare, so that a program can read it."""
    access = logging.getLogger("ragkit.serving.access")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access.handlers = [handler]
    access.propagate = False
    access.setLevel(logging.INFO)
    uvicorn_log = logging.getLogger("uvicorn")
    uvicorn_log.handlers = logging.getLogger("ragkit").handlers
    uvicorn_log.setLevel(logging.WARNING)
