"""One process that serves: what it serves, how uvicorn runs it, and how it stops."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from ragkit.default import IndexLike
from ragkit.grounding import LanguageModel
from ragkit.serving.app import app_of
from ragkit.serving.connections import BURST, MAX_CONNECTIONS, uvicorn_config
from ragkit.serving.log_format import LogFormat
from ragkit.serving.settings import Settings
from ragkit.serving.state import ServerState
from ragkit.telemetry.export import exporting

__all__ = ["SHUTDOWN_TIMEOUT", "TIMEOUT_MARGIN", "Served", "exported", "uvicorn_config_of"]

SHUTDOWN_TIMEOUT = 10
"""Seconds that answers in progress get when a process stops."""

TIMEOUT_MARGIN = 5  # seconds that the app has to send its own timeout error before the cut-off


@dataclass(frozen=True, slots=True)
class Served:
    """What a server serves, and how.

    Attributes:
        index: As for ``ragkit.ask``.
        settings: Limits, access, and what may be logged.
        llm: Language model that writes the answers; None quotes them from the corpus.
        log_format: As for ``configure_logging``.
        exports: Whether spans and metrics are exported.
        set_up: What each worker process calls first, such as what directs the log of the program.

    """

    index: IndexLike
    settings: Settings
    llm: LanguageModel | None = None
    log_format: LogFormat = "text"
    exports: bool = False
    set_up: Callable[[], None] | None = None


def uvicorn_config_of(state: ServerState, *, processes: int = 1) -> uvicorn.Config:
    """Return how uvicorn serves an app.

    Args:
        state: The app's.
        processes: Number of processes that listen on the same socket. They share the limit of
            connections; and each accepts one at a time, or the first that wakes would take all of
            those that wait.

    """
    return uvicorn_config(
        app_of(state),
        client_timeout=state.settings.timeout + TIMEOUT_MARGIN,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        max_connections=-(-MAX_CONNECTIONS // processes),
        accepted_at_once=1 if processes > 1 else BURST,
    )


@contextmanager
def exported(worker: int | None = None) -> Iterator[None]:
    """Export while the block runs. What is left is sent before a signal ends the process.

    uvicorn raises SIGTERM again after its graceful shutdown, which by default ends it at once.

    Args:
        worker: As for ``ragkit.telemetry.export.exporting``.

    """

    def stop(*_: object) -> None:
        raise SystemExit

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with exporting(worker):
            yield
    except SystemExit:
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
