"""The HTTP server as a process: uvicorn, its log, and a shutdown that drops no request."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ragkit.default import IndexLike
from ragkit.errors import MissingExtraError
from ragkit.grounding import LanguageModel
from ragkit.serving.app import create_app
from ragkit.serving.log_format import LogFormat, configure_logging
from ragkit.serving.settings import Settings
from ragkit.serving.sockets import host_names, listening_socket, url_of
from ragkit.telemetry.export import exporting

try:
    import uvicorn
except ImportError as error:
    raise MissingExtraError.of("serve", "uvicorn") from error

from ragkit.serving.connections import MAX_CONNECTIONS, uvicorn_config

__all__ = ["run"]

SHUTDOWN_TIMEOUT = 10  # seconds that answers in progress get when the server stops
TIMEOUT_MARGIN = 5  # seconds that the app has to send its own timeout error before the cut-off
_log = logging.getLogger("ragkit.serving")


def run(
    index: IndexLike,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    llm: LanguageModel | None = None,
    log_format: LogFormat = "text",
    exports: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; then finish the requests in progress, and return.

    Args:
        index: As for ``ragkit.ask``.
        settings: Limits, access, and what may be logged.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one. The first line of the log has the address.
        llm: Language model that writes the answers; None quotes them from the corpus.
        log_format: ``"json"`` makes a line of JSON of every message, not of requests alone.
        exports: Whether to export spans and metrics, as ``ragkit.telemetry.exporting`` does.

    Raises:
        InputError: The address cannot be listened on, or the ``OTEL_*`` variables ask for what
            there is not.
        MissingExtraError: ``exports`` needs the extra ``otel``.
        RagkitError: As ``create_app`` raises.

    """
    configure_logging(log_format)
    config = uvicorn_config(
        create_app(index, settings, llm=llm),
        client_timeout=settings.timeout + TIMEOUT_MARGIN,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        max_connections=MAX_CONNECTIONS,
    )
    exported = _exported() if exports else nullcontext()
    with exported, listening_socket(host, port) as listener:
        _log.info("listening on %s", url_of(listener))
        if warning := unreachable_warning(host, settings):
            _log.warning(warning)
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _exported() -> Iterator[None]:
    """Export while the block runs. What is left is sent before a signal ends the process.

    uvicorn raises SIGTERM again after its graceful shutdown, which by default ends it at once.
    """

    def stop(*_: object) -> None:
        raise SystemExit

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with exporting():
            yield
    except SystemExit:
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def unreachable_warning(host: str, settings: Settings) -> str | None:
    """Say so if the server listens on all interfaces but answers only to this machine's names."""
    if host_names(host) or set(settings.hosts) != set(Settings().hosts):
        return None
    names = ", ".join(settings.hosts)
    return f"only requests to {names} are answered; name others with --allow-host"
