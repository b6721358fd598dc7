"""The spans and metrics of one question: the question, its retrieval, the stages of that."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.trace import Span, Tracer, set_span_in_context, use_span
from opentelemetry.util.types import AttributeValue

from ragkit.answering.answer import Answer, Passage
from ragkit.telemetry import conventions as names
from ragkit.telemetry.conventions import Instruments, mark_failed
from ragkit.timing import Operation, Part, laps

__all__ = ["WatchedQuestion"]

_RETRIEVAL = "retrieval"
_NANOSECONDS = 1e9


class WatchedQuestion:
    """One operation of an index or a conversation while it is in progress."""

    def __init__(
        self, tracer: Tracer, instruments: Instruments, operation: Operation, captures: bool
    ) -> None:
        """Begin the spans. A conversation's turn retrieves through its index, which is watched."""
        self._tracer = tracer
        self._instruments = instruments
        self._operation = operation
        self._captures = captures
        self._began = self._last = time.time_ns()
        self._answers: Sequence[Answer] = ()
        self._span = tracer.start_span(f"ragkit.{operation.name}", start_time=self._began)
        self._retrieval = None if operation.name == "turn" else self._begin_retrieval()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Make the innermost span current, and a span of each stage that ends in the block."""
        self._last = time.time_ns()
        current = self._retrieval or self._span
        with (
            use_span(current, record_exception=False, set_status_on_exception=False),
            laps(self._lap),
        ):
            yield

    def add(self, item: object) -> None:
        """Take what a step yielded. The first ends the retrieval."""
        passages: Sequence[Passage] = ()
        if isinstance(item, Answer):
            self._answers, passages = (item,), item.passages
        elif isinstance(item, list):
            self._answers = [one for one in item if isinstance(one, Answer)]
            passages = [one for one in item if isinstance(one, Passage)]
            passages = passages or [one for answer in self._answers for one in answer.passages]
        if self._retrieval:
            self._end_retrieval(self._retrieval, passages)

    def end(self, error: BaseException | None) -> None:
        """End what is not ended, and count the answers."""
        failure = None if error is None or isinstance(error, GeneratorExit) else error
        if self._retrieval:
            self._end_retrieval(self._retrieval, (), failure)
        if failure:
            mark_failed(self._span, failure)
        outcomes = self._outcomes(error)
        if len(outcomes) == 1:
            self._span.set_attributes(outcomes[0])
        if len(self._answers) == 1:
            self._span.set_attribute(names.CONFIDENCE, self._answers[0].confidence)
        self._span.end()
        labels: dict[str, AttributeValue] = {names.OPERATION: self._operation.name}
        if self._operation.name in ("ask", "ask_many"):
            for outcome in outcomes:
                self._instruments.answers.add(1, {**labels, **outcome})
        if len(outcomes) == 1:
            labels |= {names.OUTCOME: outcomes[0][names.OUTCOME]}
        if failure:
            labels |= {names.ERROR_TYPE: type(failure).__qualname__}
        self._instruments.questions.record(self._seconds(), labels)

    def _lap(self, name: str) -> None:
        """Make a span of a stage that has ended. An index's are those of its retrieval."""
        is_own = (name == Part.UNDERSTAND) == (self._operation.name == "turn")
        if not isinstance(name, Part) or not is_own:
            return
        parent = self._retrieval or self._span
        if self._retrieval is None and self._operation.name != "turn":
            return  # of another question, which a language model asks to answer this one
        began, self._last = self._last, time.time_ns()
        span = self._tracer.start_span(
            f"ragkit.{name.name.lower()}",
            set_span_in_context(parent),
            attributes={names.STAGE: name.value},
            start_time=began,
        )
        span.end(self._last)
        seconds = max(0, self._last - began) / _NANOSECONDS
        self._instruments.stages.record(seconds, {names.STAGE: name.value})

    def _begin_retrieval(self) -> Span:
        operation = self._operation
        attributes: dict[str, AttributeValue] = {
            names.OPERATION_NAME: _RETRIEVAL,
            names.DATA_SOURCE: operation.generation,
            names.REQUEST_MODEL: operation.encoder,
        }
        if isinstance(operation.k, int):
            attributes[names.TOP_K] = operation.k
        if self._captures:
            attributes[names.QUERY_TEXT] = operation.text
        return self._tracer.start_span(
            _RETRIEVAL,
            set_span_in_context(self._span),
            attributes=attributes,
            start_time=self._began,
        )

    def _end_retrieval(
        self, span: Span, passages: Sequence[Passage], failure: BaseException | None = None
    ) -> None:
        self._retrieval = None
        labels: dict[str, AttributeValue] = {names.OPERATION_NAME: _RETRIEVAL}
        if failure:
            labels[names.ERROR_TYPE] = mark_failed(span, failure)
        else:
            span.set_attribute(names.PASSAGES, len(passages))
        if self._captures:
            documents = [{"id": one.citation.passage_id, "score": one.score} for one in passages]
            span.set_attribute(names.DOCUMENTS, json.dumps(documents))
        span.end()
        self._instruments.retrievals.record(self._seconds(), labels)

    def _outcomes(self, error: BaseException | None) -> list[dict[str, AttributeValue]]:
        if error is not None:
            is_abandoned = isinstance(error, GeneratorExit)
            return [{names.OUTCOME: "abandoned" if is_abandoned else "failed"}]
        if self._operation.name == "search" or not self._answers:
            return [{names.OUTCOME: "done"}]
        return [
            {names.OUTCOME: "answered"}
            if answer.answered
            else {names.OUTCOME: "abstained", names.REASON: str(answer.reason)}
            for answer in self._answers
        ]

    def _seconds(self) -> float:
        return max(0, time.time_ns() - self._began) / _NANOSECONDS
