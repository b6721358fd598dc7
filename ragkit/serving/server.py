"""The HTTP server as a program: one process or several, its log, and where it listens."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from contextlib import nullcontext

from ragkit.default import IndexLike
from ragkit.encoding import usable_cpus
from ragkit.errors import InputError, MissingExtraError
from ragkit.grounding import LanguageModel

try:
    import uvicorn
except ImportError as error:
    raise MissingExtraError.of("serve", "uvicorn") from error

from ragkit.serving.log_format import LogFormat, configure_logging
from ragkit.serving.process import Served, exported, uvicorn_config_of
from ragkit.serving.settings import Settings
from ragkit.serving.sockets import host_names, listening_socket, url_of
from ragkit.serving.state import ServerState
from ragkit.serving.workers.supervisor import Supervisor

__all__ = ["run"]

_log = logging.getLogger("ragkit.serving")


def run(
    index: IndexLike,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    llm: LanguageModel | None = None,
    log_format: LogFormat = "text",
    exports: bool = False,
    set_up: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; then finish the requests in progress, and return.

    Args:
        index: As for ``ragkit.ask``; for several workers, a path or an address.
        settings: Limits, access, and what may be logged.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one. The first line of the log has the address.
        workers: Number of processes that answer. One is this process.
        llm: Language model that writes the answers; None quotes them from the corpus.
        log_format: ``"json"`` makes a line of JSON of every message, not of requests alone.
        exports: Whether to export spans and metrics, as ``ragkit.telemetry.exporting`` does.
        set_up: A function of a module that each of several workers calls first; the log's handlers
            of this process are not theirs.

    Raises:
        InputError: The address cannot be listened on, several workers cannot run here, or the
            ``OTEL_*`` variables ask for what there is not.
        MissingExtraError: ``exports`` needs the extra ``otel``.
        WorkersError: Workers end again and again.
        RagkitError: As ``create_app`` raises.

    """
    configure_logging(log_format)
    served = Served(index, settings, llm, log_format, exports, set_up)
    if workers == 1:
        _serve_alone(served, host, port)
    else:
        _serve_by_workers(served, host, port, workers)


def _serve_alone(served: Served, host: str, port: int) -> None:
    config = uvicorn_config_of(ServerState.create(served.index, served.settings, served.llm))
    exports = exported() if served.exports else nullcontext()
    with exports, listening_socket(host, port) as listener:
        _say_where(listener, host, served.settings)
        uvicorn.Server(config).run(sockets=[listener])


def _serve_by_workers(served: Served, host: str, port: int, workers: int) -> None:
    if os.name != "posix":
        raise InputError(
            f"{workers} workers were asked for; expected 1, since this system does not let "
            f"processes listen on one socket. Start several servers behind a proxy instead."
        )
    cpus = usable_cpus()
    if workers > cpus:
        _log.warning(
            "%d workers are more than the %d processors that they may use; expected at most as "
            "many, since each takes memory for its own models and more answer no faster",
            workers,
            cpus,
        )
    with listening_socket(host, port) as listener:
        Supervisor(served, listener, workers=workers, threads=max(1, cpus // workers)).run(
            on_ready=lambda: _say_where(listener, host, served.settings)
        )


def _say_where(listener: socket.socket, host: str, settings: Settings) -> None:
    """Log where the server listens, and whether others can reach it there."""
    _log.info("listening on %s", url_of(listener))
    if warning := unreachable_warning(host, settings):
        _log.warning(warning)


def unreachable_warning(host: str, settings: Settings) -> str | None:
    """Say so if the server listens on all interfaces but answers only to this machine's names."""
    if host_names(host) or set(settings.hosts) != set(Settings().hosts):
        return None
    names = ", ".join(settings.hosts)
    return f"only requests to {names} are answered; name others with --allow-host"
