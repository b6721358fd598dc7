"""Metrics of questions, in a reader's memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

from ragkit import Conversation, Index, InputError
from ragkit.grounding import ChatModel
from ragkit.telemetry import instrument, uninstrument
from support.chat_endpoint import Reply, endpoint
from support.http_api import OFF_TOPIC, RAPALLO, TRUE, Scripted

Points = dict[str, dict[tuple[Any, ...], float]]


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    instrument(meter_provider=MeterProvider([reader]))
    yield reader
    uninstrument()


def points(reader: InMemoryMetricReader) -> Points:
    """By metric and the values of its attributes: the sum of a counter, the count of a histogram."""
    data = reader.get_metrics_data()
    return {
        metric.name: {
            tuple(value for _, value in sorted((point.attributes or {}).items())): (
                point.count if isinstance(point, HistogramDataPoint) else point.value  # type: ignore[union-attr]
            )
            for point in metric.data.data_points
        }
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_answers_and_durations_are_counted_by_outcome(
    german_soviet: Index, reader: InMemoryMetricReader
) -> None:
    german_soviet.ask(RAPALLO)
    reason = str(german_soviet.ask(OFF_TOPIC).reason)
    german_soviet.ask_many([RAPALLO, OFF_TOPIC])
    german_soviet.search(RAPALLO)
    with pytest.raises(InputError):
        german_soviet.ask("")
    found = points(reader)
    assert found["ragkit.answers"] == {
        ("ask", "answered"): 1,
        ("ask", "abstained", reason): 1,
        ("ask", "failed"): 1,
        ("ask_many", "answered"): 1,
        ("ask_many", "abstained", reason): 1,
    }
    assert found["ragkit.question.duration"] == {
        ("ask", "answered"): 1,
        ("ask", "abstained"): 1,
        ("QuestionError", "ask", "failed"): 1,
        ("ask_many",): 1,
        ("search", "done"): 1,
    }
    assert found["gen_ai.retrieval.duration"] == {
        ("retrieval",): 4,
        ("QuestionError", "retrieval"): 1,
    }


def test_each_stage_has_its_duration(german_soviet: Index, reader: InMemoryMetricReader) -> None:
    Conversation(german_soviet).ask(RAPALLO)
    assert points(reader)["ragkit.stage.duration"] == {
        ("understand the turn",): 1,
        ("encode the question",): 1,
        ("candidates by vector and words",): 1,
        ("approximate scores",): 1,
        ("late interaction",): 1,
        ("read the passages",): 1,
        ("compose the answer",): 1,
    }


def test_a_turn_counts_its_answer_once(german_soviet: Index, reader: InMemoryMetricReader) -> None:
    Conversation(german_soviet).ask(RAPALLO)
    found = points(reader)
    assert found["ragkit.answers"] == {("ask", "answered"): 1}
    assert found["ragkit.question.duration"] == {("ask", "answered"): 1, ("turn", "answered"): 1}


def test_tokens_are_counted_where_the_server_tells_them(
    german_soviet: Index, reader: InMemoryMetricReader
) -> None:
    usage = {"prompt_tokens": 300, "completion_tokens": 20}
    with endpoint([Reply(TRUE, usage=usage)]) as to:
        model = ChatModel("small", base_url=to.url, stream_options={"include_usage": True})
        german_soviet.ask(RAPALLO, llm=model)
        german_soviet.ask(RAPALLO, llm=model)
    german_soviet.ask(RAPALLO, llm=Scripted(TRUE))
    found = points(reader)
    [(labels, tokens)] = found["gen_ai.client.inference.usage.input_tokens"].items()
    assert labels[:3] == ("chat", "openai", "small")
    assert tokens == 600
    assert list(found["gen_ai.client.inference.usage.output_tokens"].values()) == [40]
    assert sorted(found["gen_ai.client.inference.duration"].values()) == [1, 2]
