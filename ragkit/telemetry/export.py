"""Export to a collector, as the ``OTEL_*`` environment variables describe it.

The SDK and its exporters read the variables themselves: endpoint, headers, sampler, resource.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import ragkit
from ragkit.errors import InputError
from ragkit.telemetry import instrument, uninstrument

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

__all__ = ["exporting", "should_export"]

_log = logging.getLogger("ragkit.telemetry")

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_INSTANCE = "service.instance.id"
_PROTOCOL = "http/protobuf"


def should_export(requested: bool | None) -> bool:
    """Return whether to export: as requested, and without a request if the environment asks for it.

    It does if it names a collector and does not switch the SDK off. A missing extra does not keep a
    program from starting then: a warning is logged.
    """
    if requested is not None:
        return requested
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    named = [name for name in _ENDPOINTS if os.environ.get(name, "").strip()]
    if is_off or not named:
        return False
    if _is_installed():
        return True
    _log.warning(
        "%s is set, but nothing is exported: the extra is not installed. Run: pip install "
        "'ragkit-cited[otel]', or pass --no-otel.",
        named[0],
    )
    return False


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # not even its parent is
        return False


@contextmanager
def exporting(worker: int | None = None) -> Iterator[None]:
    """Export spans and metrics over OTLP/HTTP while the block runs, then send what is left.

    This sets the process's global providers, which is possible once, so it is for a program; an
    application with providers of its own calls ``instrument``.

    Args:
        worker: number of the process, of several that are one service. Each is an instance of it.

    Raises:
        InputError: The environment asks for another exporter or protocol.
        MissingExtraError: The extra ``otel`` is not installed.

    """
    from ragkit.errors import MissingExtraError

    try:
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtraError.of("otel", "opentelemetry-exporter-otlp-proto-http") from error
    exports_spans, exports_metrics = _is_exported("TRACES"), _is_exported("METRICS")
    resource = _resource(worker)
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    if exports_spans:
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    periodic = [PeriodicExportingMetricReader(OTLPMetricExporter())] if exports_metrics else []
    meters = MeterProvider(periodic, resource, shutdown_on_exit=False)
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)
    instrument(tracer_provider=tracers, meter_provider=meters)
    try:
        yield
    finally:
        uninstrument()
        tracers.shutdown()
        meters.shutdown()


def _is_exported(signal: str) -> bool:
    """Return whether ``TRACES`` or ``METRICS`` are exported, by the only way that there is here."""
    name = f"OTEL_{signal}_EXPORTER"
    exporter = os.environ.get(name, "").strip().lower() or "otlp"
    if exporter not in ("otlp", "none"):
        raise InputError(
            f"{name} is {exporter!r}; expected 'otlp' or 'none'. A collector can pass spans and "
            f"metrics on to anything else."
        )
    specific = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    name = specific if os.environ.get(specific) else "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = os.environ.get(name, "").strip().lower() or _PROTOCOL
    if exporter == "otlp" and protocol != _PROTOCOL:
        raise InputError(
            f"{name} is {protocol!r}; expected {_PROTOCOL!r}, which collectors take on port 4318."
        )
    return exporter == "otlp"


def _resource(worker: int | None) -> Resource:
    """Return the resource that the environment describes, named ragkit if it has no name.

    Metrics of several workers would overwrite each other's without an instance's id for each.
    """
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    described = Resource.create()
    own: dict[str, str] = {}
    if str(described.attributes.get(SERVICE_NAME)).startswith("unknown_service"):
        own |= {SERVICE_NAME: "ragkit", SERVICE_VERSION: ragkit.__version__}
    if worker is not None:
        instance = described.attributes.get(_INSTANCE) or uuid.uuid4()
        own[_INSTANCE] = f"{instance}/{worker}"
    return described.merge(Resource(own))
