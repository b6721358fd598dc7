"""OpenAI's chat completions, so that a chat UI works by changing its base URL.

Source: https://platform.openai.com/docs/api-reference/chat. The user's messages are the questions;
what went before is read as a conversation. Citations are Markdown, and annotations of the message
(``url_citation``, offsets in code points of its content). Sampling settings have no meaning here.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import StreamingResponse

from ragkit.answering.answer import Answer
from ragkit.answering.render import sentence_markdown
from ragkit.api import Index
from ragkit.conversation import MAX_TURNS, Conversation
from ragkit.retrieval import is_askable
from ragkit.serving.access import problem
from ragkit.serving.asking import Event, Failure, events_of, final, note_question
from ragkit.serving.problems import responses
from ragkit.serving.rendering import answer_json
from ragkit.serving.schemas import (
    EVENT_STREAM,
    ChatIn,
    ChatOut,
    ModelLine,
    ModelsOut,
    OtherMessage,
    UserMessage,
)
from ragkit.serving.state import Here

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["OpenAI-compatible"])

MODEL = "ragkit"
USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
"""Nothing is billed by tokens; clients expect the field."""

SHOWN = 3
"""Passages below an answer: a chat has little room."""

_MARKER = re.compile(r"(?<!\\)\[(\d+)\]")  # what the corpus itself has in brackets is escaped


CHUNKS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The completion; with `stream`, chunks of it as server-sent events.",
        "content": EVENT_STREAM,
    }
}


_MODEL = ModelLine(id=MODEL, object="model", created=0, owned_by=MODEL)


@router.get("/models", responses=responses())
async def models() -> ModelsOut:
    """The one model there is."""
    return ModelsOut(object="list", data=[_MODEL])


@router.get("/models/{name}", responses=responses(404))
async def model(name: Annotated[str, Path(examples=[MODEL])]) -> ModelLine:
    """It, by its name."""
    if name != MODEL:
        raise HTTPException(404, f"there is no model {name[:64]!r}; expected {MODEL!r}.")
    return _MODEL


@router.post(
    "/chat/completions",
    response_model=ChatOut,
    responses={**CHUNKS, **responses(400, 502, 503, 504)},
)
async def complete(here: Here, request: Request, asked: ChatIn) -> Any:
    """The answer to the last message of the user, as OpenAI's API gives it."""
    *before, question = _questions(asked.messages)
    note_question(here, request, question)
    index = here.live.current

    def stream() -> Iterator[Event]:
        talk = Conversation(index, llm=here.llm, unsupported=here.settings.unsupported)
        talk.replay(before)
        return talk.stream(question, k=SHOWN, threshold=here.settings.threshold)

    if asked.stream:
        here.workers.refuse_if_busy()
        wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
        chunks = _chunks(events_of(here, request, stream), index, usage=bool(wants_usage))
        return StreamingResponse(chunks, media_type="text/event-stream")
    answer = await final(here, stream)
    content = _completion(answer, index)
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


def _questions(messages: Sequence[UserMessage | OtherMessage]) -> list[str]:
    """What the user said, oldest first, as far back as a conversation remembers.

    Of what went before, what cannot be asked was refused then and is passed over now.
    """
    said = [_text(message) for message in messages if isinstance(message, UserMessage)]
    if not said:
        raise HTTPException(400, "no message is the user's; expected a question in one.")
    *before, last = said
    return [*[text for text in before if is_askable(text)][-MAX_TURNS:], last]


def _text(message: UserMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content)


def _completion(answer: Answer, index: Index) -> dict[str, Any]:
    content, shown = answer.to_markdown(), answer_json(answer, index)
    message = {
        "role": "assistant",
        "content": content,
        "refusal": None,
        "annotations": _annotations(content, answer, shown),
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        **_head("chat.completion"),
        "choices": [choice],
        "usage": USAGE,
        "ragkit": shown,
    }


async def _chunks(
    events: AsyncIterator[Event | Failure], index: Index, *, usage: bool
) -> AsyncIterator[bytes]:
    """The same content piece by piece: each sentence when it is checked, then the citations."""
    head = _head("chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _data({**head, "choices": [choice], **more})

    told = ""
    answer: Answer | None = None
    yield chunk({"role": "assistant", "content": ""})
    async for event in events:
        if isinstance(event, Failure):
            yield _data(problem(*event))
            return
        if isinstance(event, Answer):
            answer = event
        elif event.kept:
            piece = (" " if told else "") + sentence_markdown(event)
            told += piece
            yield chunk({"content": piece})
    if answer is not None:
        content = answer.to_markdown()
        yield chunk({"content": content.removeprefix(told)})
        shown = answer_json(answer, index)
        yield chunk({"annotations": _annotations(content, answer, shown)}, "stop", ragkit=shown)
    if usage:
        yield _data({**head, "choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


def _head(kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
    }


def _data(content: Any) -> bytes:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


def _annotations(content: str, answer: Answer, shown: dict[str, Any]) -> list[dict[str, Any]]:
    """A ``url_citation`` for each marker in the answer's own text, where its passage has a URL.

    ``shown``: the answer as ``answer_json`` gives it, with its links.
    """
    if not answer.answered:
        return []
    links = {passage["rank"]: passage["link"] for passage in shown["passages"]}
    titles = {p.rank: p.citation.label for p in answer.passages}
    head = content.partition("\n\n")[0]
    found = []
    for match in _MARKER.finditer(head):
        rank = int(match[1])
        if links.get(rank):
            citation = {
                "start_index": match.start(),
                "end_index": match.end(),
                "title": titles[rank],
                "url": links[rank],
            }
            found.append({"type": "url_citation", "url_citation": citation})
    return found
