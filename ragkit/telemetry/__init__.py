"""OpenTelemetry: a trace and metrics of each question, off unless ``instrument`` turns them on.

    ragkit.telemetry.instrument     with the tracer and meter providers of your application
    ragkit.telemetry.exporting      with providers that the ``OTEL_*`` variables describe

Install the extra with ``pip install 'ragkit-cited[otel]'``. While it is off, nothing of it is
imported.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ragkit.timing import set_observer

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from ragkit.telemetry.export import exporting

__all__ = ["CAPTURE_CONTENT", "exporting", "instrument", "uninstrument"]

CAPTURE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The environment variable of OpenTelemetry's instrumentations of language models that allows text
in spans: ``true``, ``SPAN_ONLY`` or ``SPAN_AND_EVENT``. Anything else forbids it."""

_WITH_CONTENT = ("true", "span_only", "span_and_event")


def instrument(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    capture_content: bool | None = None,
) -> None:
    """Make spans and metrics of every question that is asked in this process from now on.

    A span has no text of questions, documents or answers unless ``capture_content`` asks for it.

    Args:
        tracer_provider: Where spans go; None for the application's global provider.
        meter_provider: Where metrics go; None for the application's global provider.
        capture_content: Whether spans may have the text of questions, prompts and replies, and the
            ids of passages. None lets the environment variable ``CAPTURE_CONTENT`` decide.

    Raises:
        MissingExtraError: The extra ``otel`` is not installed.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        >>> from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        >>> spans, provider = InMemorySpanExporter(), TracerProvider()
        >>> provider.add_span_processor(SimpleSpanProcessor(spans))
        >>> instrument(tracer_provider=provider)
        >>> from ragkit import ask
        >>> answer = ask("Who signed the Treaty of Rapallo?")
        >>> [span.name for span in spans.get_finished_spans()][-2:]
        ['retrieval', 'ragkit.ask']
        >>> uninstrument()

    """
    from ragkit.errors import MissingExtraError

    try:
        from ragkit.telemetry.observer import TelemetryObserver
    except ImportError as error:
        raise MissingExtraError.of("otel", "opentelemetry-api") from error
    if capture_content is None:
        capture_content = os.environ.get(CAPTURE_CONTENT, "").strip().lower() in _WITH_CONTENT
    set_observer(TelemetryObserver(tracer_provider, meter_provider, capture_content))


def uninstrument() -> None:
    """Make no spans and metrics of questions that begin from now on."""
    set_observer(None)


def __getattr__(name: str) -> object:
    """Load ``exporting`` when it is first used: it needs more than ``instrument``."""
    if name == "exporting":
        from ragkit.telemetry.export import exporting

        return exporting
    raise AttributeError(f"module 'ragkit.telemetry' has no attribute {name!r}")
