"""The metrics that Prometheus collects at ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from ragkit.answering.answer import Answer

__all__ = ["FOLDER_VARIABLE", "Metrics", "forget_process"]

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus_client learns, when it is imported, that it writes
into a folder that processes share."""

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds


class Metrics:
    """The metrics of one app. Each app has its own registry, so two in a process do not mix.

    Worker processes write theirs into files of one folder, and each can return the sums over all
    of them. What a process counted stays when it ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Create the metrics.

        Args:
            folder: that of all worker processes of the server, each of which started with it as
                ``FOLDER_VARIABLE``; None for a server that is one process.

        """
        self._folder = folder
        self._registry = registry = CollectorRegistry()
        if folder is None:
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
            "ragkit_requests_under_way",
            "Requests not yet answered",
            registry=registry,
            multiprocess_mode="livesum",
        )
        Gauge(
            "ragkit_workers", "Processes that serve", registry=registry, multiprocess_mode="livesum"
        ).set(1)
        self._answers = Counter(
            "ragkit_answers", "Questions by outcome", ["outcome"], registry=registry
        )
        self._reloads = Counter(
            "ragkit_index_swaps",
            "New index generations, by whether they could be opened",
            ["outcome"],
            registry=registry,
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
        """Return Prometheus's text format, with gauges of the values given."""
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        gauges = CollectorRegistry()
        served = GaugeMetricFamily(
            "ragkit_index_chunks", "Chunks of the served index", labels=["generation"]
        )
        served.add_metric([generation], chunks)
        talks = GaugeMetricFamily(
            "ragkit_conversations", "Conversations that have not expired", conversations
        )
        gauges.register(_Values([talks, served]))
        return generate_latest(registry) + generate_latest(gauges)


class _Values(Collector):
    """Metrics that have their values already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def forget_process(folder: Path, pid: int) -> None:
    """Drop the gauges of a process that has ended; its counts stay."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
