"""The metrics that Prometheus collects at ``/metrics``."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from ragkit.answering.answer import Answer

__all__ = ["Metrics"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds


class Metrics:
    """The metrics of one app. Each app has its own registry, so two in a process do not mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "ragkit_requests", "Requests", ["method", "route", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "ragkit_request_seconds",
            "Seconds until the response began",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.requests_in_progress = Gauge(
            "ragkit_requests_under_way", "Requests not yet answered", registry=registry
        )
        self._answers = Counter(
            "ragkit_answers", "Questions by outcome", ["outcome"], registry=registry
        )
        self._reloads = Counter(
            "ragkit_index_swaps",
            "New index generations, by whether they could be opened",
            ["outcome"],
            registry=registry,
        )
        self._conversations = Gauge(
            "ragkit_conversations", "Conversations in memory", registry=registry
        )
        self._chunks = Gauge(
            "ragkit_index_chunks", "Chunks of the served index", ["generation"], registry=registry
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; ``seconds`` passed until its response began."""
        self._requests.labels(method, route, status).inc()
        self._request_seconds.labels(route).observe(seconds)

    def count_answer(self, answer: Answer) -> None:
        """Count an answer or an abstention."""
        self._answers.labels("answered" if answer.answered else "abstained").inc()

    def count_failure(self) -> None:
        """Count a question that failed for a reason that is not the client's."""
        self._answers.labels("failed").inc()

    def count_reload(self, opened: bool) -> None:
        """Count a new generation of the index, and whether it could be opened."""
        self._reloads.labels("served" if opened else "refused").inc()

    def exposition(self, *, conversations: int, generation: str, chunks: int) -> bytes:
        """Return Prometheus's text format, after setting the gauges to the values given."""
        self._conversations.set(conversations)
        self._chunks.clear()
        self._chunks.labels(generation).set(chunks)
        return generate_latest(self._registry)
