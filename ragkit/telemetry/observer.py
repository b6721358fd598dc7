"""The observer that makes spans and metrics of questions and of calls of language models.

A question is answered in steps, which may run in different threads, so its spans are made current
around each step and never across one. Messages of exceptions are not recorded: they may quote.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

from opentelemetry import metrics, trace

import ragkit
from ragkit.grounding import Call
from ragkit.telemetry.conventions import SCHEMA_URL, SCOPE, Instruments
from ragkit.telemetry.model_calls import WatchedCall
from ragkit.telemetry.questions import WatchedQuestion
from ragkit.timing import Operation

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["TelemetryObserver"]

T = TypeVar("T")


class _Watched(Protocol):
    """Something in progress that has a span."""

    def step(self) -> AbstractContextManager[object]:
        """Make the span the current one while the block runs."""
        ...

    def add(self, item: object) -> None:
        """Take what a step yielded."""
        ...

    def end(self, error: BaseException | None) -> None:
        """End the span and record the metrics."""
        ...


class TelemetryObserver:
    """Makes spans and metrics of what it watches."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        capture_content: bool,
    ) -> None:
        version = ragkit.__version__
        self._tracer = trace.get_tracer(SCOPE, version, tracer_provider, SCHEMA_URL)
        self._instruments = Instruments(
            metrics.get_meter(SCOPE, version, meter_provider, SCHEMA_URL)
        )
        self._captures = capture_content

    def watch(self, subject: object, steps: Iterator[T]) -> Iterator[T]:
        """Yield what ``steps`` yields. The span begins with the first step."""
        watched = self._watched(subject)
        if watched is None:
            yield from steps
            return
        failure: BaseException | None = None
        try:
            while True:
                with watched.step():
                    try:
                        item = next(steps)
                    except StopIteration:
                        break
                watched.add(item)
                yield item
        except BaseException as error:
            failure = error
            raise
        finally:
            close = getattr(steps, "close", None)
            if close:
                close()
            watched.end(failure)

    def _watched(self, subject: object) -> _Watched | None:
        if isinstance(subject, Operation):
            return WatchedQuestion(self._tracer, self._instruments, subject, self._captures)
        if isinstance(subject, Call):
            return WatchedCall(self._tracer, self._instruments, subject, self._captures)
        return None
