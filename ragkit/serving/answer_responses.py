"""Answers as HTTP responses, complete or as events; shared by the routes that take questions."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from ragkit.answering.answer import Answer
from ragkit.answering.generated import Sentence
from ragkit.api import Index
from ragkit.catalogue import accepted_language
from ragkit.errors import RagkitError
from ragkit.grounding import LanguageModel
from ragkit.serving.access import Identity, too_many_questions
from ragkit.serving.error_handlers import error_type_of, record_failure
from ragkit.serving.error_responses import error_body
from ragkit.serving.request_log import add_to_log
from ragkit.serving.schemas import EVENT_STREAM, AskIn, SearchIn
from ragkit.serving.serialization import answer_json
from ragkit.serving.state import ServerState

__all__ = [
    "ANSWER_OR_EVENTS",
    "AnswerEvent",
    "StreamFailure",
    "admit_question",
    "answer_events",
    "answer_response",
    "ask_options",
    "complete_answer",
    "conditions",
    "json_response",
    "language_model",
    "language_of",
]

AnswerEvent = Answer | Sentence
"""What ``Index.stream`` yields: answers, and between them a language model's sentences."""


class StreamFailure(NamedTuple):
    """The last event of a stream that failed."""

    error_type: str
    message: str


ANSWER_OR_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; or, where the client accepts text/event-stream, events: "
        "`found` (an answer without the language model), `sentence`s, `answer` or `error`.",
        "content": EVENT_STREAM,
    }
}
"""The OpenAPI entry of ``answer_response``."""


def ask_options(body: AskIn, state: ServerState) -> dict[str, Any]:
    """Return the arguments of ``Index.ask`` and ``Conversation.ask`` from a request."""
    threshold = state.settings.threshold if body.threshold is None else body.threshold
    return {
        "k": body.k,
        "threshold": threshold,
        "where": conditions(body),
        "standalone": body.standalone,
    }


def conditions(body: SearchIn) -> dict[str, Any] | None:
    """Return the request's conditions on metadata, as ``Index.ask`` takes them."""
    return body.model_dump(exclude_unset=True).get("where")


def language_model(body: AskIn, state: ServerState) -> LanguageModel | None:
    """Return the server's language model, or None if the request declines it."""
    return state.llm if body.generate else None


def admit_question(state: ServerState, request: Request, caller: Identity, question: str) -> None:
    """Count the question, and add it to the request's log line if the settings allow it.

    Raises:
        HTTPException: 429 if the caller has asked as many questions as they may.

    """
    seconds = state.usage.count_question(caller.user, caller.limits)
    if seconds:
        headers = {"Retry-After": str(math.ceil(seconds))}
        raise HTTPException(429, too_many_questions(caller), headers)
    if state.settings.log_questions:
        add_to_log(request.scope, question=question)


def json_response(content: Any) -> Response:
    """Return a JSON response that skips FastAPI's validation of its own output."""
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


async def answer_response(
    state: ServerState,
    request: Request,
    index: Index,
    start: Callable[[], Iterator[AnswerEvent]],
    *,
    explain: bool = False,
) -> Response:
    """Return the final answer as JSON, or every event where the client accepts events.

    Args:
        state: The app's state.
        request: The request; its Accept and Accept-Language headers decide.
        index: The generation that answers.
        start: Starts the stream, in a worker thread.
        explain: Whether passages have their signals and matches.

    """
    content_of = partial(answer_json, index=index, language=language_of(request), explain=explain)
    if "text/event-stream" in request.headers.get("accept", ""):
        state.workers.refuse_if_busy()
        events = _sse_events(answer_events(state, request, start), content_of)
        return StreamingResponse(events, media_type="text/event-stream")
    answer = await complete_answer(state, start)
    return json_response(content_of(answer))


def language_of(request: Request) -> str:
    """Return the language of a request's reader, for the words that are ragkit's own."""
    return accepted_language(request.headers.get("accept-language", ""))


async def complete_answer(state: ServerState, start: Callable[[], Iterator[AnswerEvent]]) -> Answer:
    """Return the final answer of a stream. Raises HTTPException and RagkitError."""
    answer = cast("Answer", await state.workers.last(start))
    state.metrics.count_answer(answer)
    return answer


async def answer_events(
    state: ServerState, request: Request, start: Callable[[], Iterator[AnswerEvent]]
) -> AsyncIterator[AnswerEvent | StreamFailure]:
    """Yield the events of a stream. The status is sent by then, so that an error is an event."""
    last: AnswerEvent | None = None
    try:
        async for event in state.workers.iterate(start):
            last = event
            yield event
        state.metrics.count_answer(cast("Answer", last))
    except (RagkitError, TimeoutError) as error:
        record_failure(state, request, error)
        message = str(error) or "the answer took too long. Ask again, or ask a shorter question."
        yield StreamFailure(type(error).__name__, message)
    except HTTPException as error:  # another request took the last place meanwhile
        yield StreamFailure(error_type_of(error.status_code), error.detail)


async def _sse_events(
    events: AsyncIterator[AnswerEvent | StreamFailure],
    content_of: Callable[[Answer], dict[str, Any]],
) -> AsyncIterator[bytes]:
    """Yield the events as server-sent events."""
    answer: dict[str, Any] | None = None
    async for event in events:
        if isinstance(event, StreamFailure):
            yield _sse_event("error", error_body(*event))
            return
        if isinstance(event, Sentence):
            yield _sse_event("sentence", event.to_dict())
            continue
        content = content_of(event)
        if answer is None:
            yield _sse_event("found", content)
        answer = content
    yield _sse_event("answer", answer)


def _sse_event(name: str, content: Any) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(content, ensure_ascii=False))
