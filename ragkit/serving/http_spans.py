"""The span of an HTTP request, which FastAPI makes if the process has an OpenTelemetry provider.

FastAPI continues the trace that a ``traceparent`` header names. Paths and query strings are
replaced: they can hold a question or the id of a conversation. ``http.route`` has the pattern.
"""

from __future__ import annotations

from ragkit.errors import MissingExtraError

try:
    from fastapi.telemetry import TelemetryConfig
except ImportError as error:
    raise MissingExtraError.of("serve", "fastapi") from error

from opentelemetry import trace
from starlette.types import Scope

from ragkit.serving.middleware import path_in_app
from ragkit.serving.request_id import HEADER

__all__ = ["HTTP_TELEMETRY", "describe_request", "trace_id"]

_REDACTED = "REDACTED"


def _is_no_api_request(scope: Scope) -> bool:
    """Return whether a request is for the page, a file of it, a health check or the metrics."""
    return not path_in_app(scope).startswith("/v1/")


HTTP_TELEMETRY: TelemetryConfig = {
    "logs": False,  # they have the text of exceptions, which may quote
    "operation_spans": False,
    "exclude": _is_no_api_request,
}
"""What FastAPI makes spans and metrics of."""


def describe_request(scope: Scope, request_id: str) -> None:
    """Add the request's id to the current span, and remove what a person may have typed."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute(f"http.response.header.{HEADER}", [request_id])
    span.set_attribute("url.path", _REDACTED)
    if scope.get("query_string"):
        span.set_attribute("url.query", _REDACTED)


def trace_id() -> str | None:
    """Return the id of the current trace, 32 hexadecimal digits, or None if there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
