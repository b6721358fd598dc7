"""What Prometheus reads at ``/metrics``."""

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

__all__ = ["Figures"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Figures:
    """A registry of its own for each app, so that two in one process do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "ragkit_requests", "Requests", ["method", "route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "ragkit_request_seconds",
            "Until the response began",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.under_way = Gauge(
            "ragkit_requests_under_way", "Requests not yet answered", registry=self._registry
        )
        self._answers = Counter(
            "ragkit_answers", "Questions by outcome", ["outcome"], registry=self._registry
        )
        self._swaps = Counter(
            "ragkit_index_swaps",
            "New generations met, by whether they could be opened",
            ["outcome"],
            registry=self._registry,
        )
        self._conversations = Gauge(
            "ragkit_conversations", "Conversations kept", registry=self._registry
        )
        self._chunks = Gauge(
            "ragkit_index_chunks", "Chunks of the served index", ["generation"],
            registry=self._registry,
        )  # fmt: skip

    def answered(self, answer: Answer) -> None:
        """Count an answer or an abstention."""
        self._answers.labels("answered" if answer.answered else "abstained").inc()

    def failed(self) -> None:
        """Count a question that neither was answered nor is the asker's fault."""
        self._answers.labels("failed").inc()

    def swapped(self, opened: bool) -> None:
        """Count a new generation."""
        self._swaps.labels("served" if opened else "refused").inc()

    def text(self, *, conversations: int, generation: str, chunks: int) -> bytes:
        """The exposition, with what is true now."""
        self._conversations.set(conversations)
        self._chunks.clear()
        self._chunks.labels(generation).set(chunks)
        return generate_latest(self._registry)
