"""Questions: one answer as JSON or as events, passages alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple, cast

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from ragkit.answering.answer import Answer
from ragkit.answering.generated import Sentence
from ragkit.api import Index
from ragkit.errors import RagkitError
from ragkit.grounding import LanguageModel
from ragkit.serving.access import problem
from ragkit.serving.problems import kind_of, note_failure, responses
from ragkit.serving.rendering import answer_json, passage_json
from ragkit.serving.schemas import EVENT_STREAM, AnswerOut, AskIn, SearchIn, SearchOut
from ragkit.serving.state import Here, State

__all__ = [
    "EVENTS",
    "Event",
    "Failure",
    "events_of",
    "final",
    "note_question",
    "options",
    "reply",
    "router",
    "writer",
]

router = APIRouter(prefix="/v1", tags=["ask"])

Event = Answer | Sentence


class Failure(NamedTuple):
    """How a stream broke off."""

    kind: str
    message: str


EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; or, where the client accepts text/event-stream, events: "
        "`found` (an answer without the language model), `sentence`s, `answer` or `error`.",
        "content": EVENT_STREAM,
    }
}


@router.post(
    "/ask", response_model=AnswerOut, responses={**EVENTS, **responses(400, 409, 502, 503, 504)}
)
async def ask(here: Here, request: Request, asked: AskIn) -> Any:
    """What the corpus says, with cited passages."""
    index = here.live.current
    note_question(here, request, asked.question)
    return await reply(
        here,
        request,
        index,
        lambda: index.stream(
            asked.question,
            llm=writer(asked, here),
            unsupported=here.settings.unsupported,
            **options(asked, here),
        ),
        explain=asked.explain,
    )


@router.post("/search", responses=responses(400, 409, 503, 504), response_model=SearchOut)
async def search(here: Here, request: Request, wanted: SearchIn) -> dict[str, Any]:
    """The best passages alone."""
    index = here.live.current
    note_question(here, request, wanted.question)
    where = conditions(wanted)
    found = await here.workers.call(lambda: index.search(wanted.question, k=wanted.k, where=where))
    return {"passages": [passage_json(passage, index) for passage in found]}


def options(asked: AskIn, here: State) -> dict[str, Any]:
    """What a request says beside its question."""
    threshold = here.settings.threshold if asked.threshold is None else asked.threshold
    return {
        "k": asked.k,
        "threshold": threshold,
        "where": conditions(asked),
        "standalone": asked.standalone,
    }


def writer(asked: AskIn, here: State) -> LanguageModel | None:
    """The language model, unless the client would rather do without."""
    return here.llm if asked.generate else None


def conditions(asked: SearchIn) -> dict[str, Any] | None:
    """What the documents must be, as ``Index.ask`` takes it."""
    return asked.model_dump(exclude_unset=True).get("where")


def note_question(here: State, request: Request, question: str) -> None:
    """Into the log, if it may."""
    if here.settings.log_questions:
        request.scope["state"]["log"]["question"] = question


async def reply(
    here: State,
    request: Request,
    index: Index,
    stream: Callable[[], Iterator[Event]],
    *,
    explain: bool = False,
) -> Any:
    """The end of a stream as JSON, or all of it as events, as the client wishes."""
    if "text/event-stream" in request.headers.get("accept", ""):
        here.workers.refuse_if_busy()
        events = _written(events_of(here, request, stream), index, explain)
        return StreamingResponse(events, media_type="text/event-stream")
    answer = await final(here, stream)
    content = answer_json(answer, index, explain=explain)
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


async def final(here: State, stream: Callable[[], Iterator[Event]]) -> Answer:
    """What a stream ends with. Raises HTTPException, RagkitError."""
    answer = cast("Answer", await here.workers.last(stream))
    here.figures.answered(answer)
    return answer


async def events_of(
    here: State, request: Request, stream: Callable[[], Iterator[Event]]
) -> AsyncIterator[Event | Failure]:
    """What a stream gives; the status was sent long ago, so that an error is a last event too."""
    answer: Event | None = None
    try:
        async for event in here.workers.run(stream):
            answer = event
            yield event
        here.figures.answered(cast("Answer", answer))
    except (RagkitError, TimeoutError) as error:
        note_failure(here, request, error)
        name = type(error).__name__
        yield Failure(name, str(error) or "the answer took too long. Ask again, or ask less.")
    except HTTPException as refused:  # another took the last place meanwhile
        yield Failure(kind_of(refused.status_code), refused.detail)


async def _written(
    events: AsyncIterator[Event | Failure], index: Index, explain: bool
) -> AsyncIterator[bytes]:
    """As server-sent events."""
    answer: dict[str, Any] | None = None
    async for event in events:
        if isinstance(event, Failure):
            yield _event("error", problem(*event))
            return
        if isinstance(event, Sentence):
            yield _event("sentence", event.to_dict())
            continue
        shown = answer_json(event, index, explain=explain)
        if answer is None:
            yield _event("found", shown)
        answer = shown
    yield _event("answer", answer)


def _event(name: str, content: Any) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(content, ensure_ascii=False))
