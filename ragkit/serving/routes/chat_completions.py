"""OpenAI's chat completions, so that a chat UI works by changing its base URL.

Reference: https://platform.openai.com/docs/api-reference/chat. The user's messages are the
questions of a conversation; the last one is answered. Citations are Markdown, and annotations of
the message (``url_citation``, offsets in code points of its content), each with the whole citation,
which ``citations_in`` reads where programs in between left nothing else. Sampling settings are
ignored; what would change the kind of reply (tools, functions, other formats) is refused.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import accumulate
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import StreamingResponse

from ragkit.answering.answer import Answer
from ragkit.answering.render import sentence_markdown
from ragkit.api import Index
from ragkit.citations.urls import percent_encode
from ragkit.conversation import MAX_TURNS, Conversation
from ragkit.retrieval import is_askable
from ragkit.serving.answer_responses import (
    AnswerEvent,
    StreamFailure,
    admit_question,
    answer_events,
    complete_answer,
    json_response,
    language_of,
)
from ragkit.serving.error_handlers import documented_errors
from ragkit.serving.error_responses import UnsupportedParameterError, error_body
from ragkit.serving.schemas import (
    EVENT_STREAM,
    ChatIn,
    ChatOut,
    ModelLine,
    ModelsOut,
    OtherMessage,
    UserMessage,
)
from ragkit.serving.serialization import answer_json
from ragkit.serving.state import Caller, CurrentState, ReadableIndex

__all__ = ["MAX_HISTORY", "recent_questions", "router"]

router = APIRouter(prefix="/v1", tags=["OpenAI-compatible"])

MAX_HISTORY = 8_000
"""Characters of earlier questions, together, that a conversation begins with."""

_MODEL_ID = "ragkit"
_MODEL = ModelLine(id=_MODEL_ID, object="model", created=0, owned_by=_MODEL_ID)
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # clients expect the field
_PASSAGES = 3  # passages below an answer; chat UIs have little room
_MARKER = re.compile(r"(?<!\\)\[(\d+)\]")  # brackets of the corpus itself are escaped

COMPLETION_OR_CHUNKS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The completion; with `stream`, chunks of it as server-sent events.",
        "content": EVENT_STREAM,
    }
}


@router.get("/models", responses=documented_errors())
async def models() -> ModelsOut:
    """List the models: there is one."""
    return ModelsOut(object="list", data=[_MODEL])


@router.get("/models/{name}", responses=documented_errors(404))
async def model(name: Annotated[str, Path(examples=[_MODEL_ID])]) -> ModelLine:
    """Return the model by its name."""
    if name != _MODEL_ID:
        raise HTTPException(404, f"there is no model {name[:64]!r}; expected {_MODEL_ID!r}.")
    return _MODEL


@router.post(
    "/chat/completions",
    response_model=ChatOut,
    responses={**COMPLETION_OR_CHUNKS, **documented_errors(400, 502, 503, 504)},
)
async def complete(
    state: CurrentState, request: Request, caller: Caller, index: ReadableIndex, body: ChatIn
) -> Any:
    """Answer the user's last message in the shape of OpenAI's API."""
    _refuse_unsupported(body)
    *previous, question = _questions(body.messages)
    admit_question(state, request, caller, question)

    language = language_of(request)

    def start() -> Iterator[AnswerEvent]:
        conversation = Conversation(
            index, llm=state.llm, unsupported=state.settings.unsupported, language=language
        )
        conversation.replay(previous)
        return conversation.stream(question, k=_PASSAGES, threshold=state.settings.threshold)

    if body.stream:
        state.workers.refuse_if_busy()
        wants_usage = body.stream_options is not None and body.stream_options.include_usage
        events = answer_events(state, request, start)
        address = str(request.base_url)
        chunks = _chunks(events, index, address, language, include_usage=bool(wants_usage))
        return StreamingResponse(chunks, media_type="text/event-stream")
    answer = await complete_answer(state, start)
    return json_response(_completion(answer, index, str(request.base_url), language))


def _refuse_unsupported(body: ChatIn) -> None:
    """Raise UnsupportedParameterError for what asks for another kind of reply than an answer."""
    uses = {
        "tools": body.tools and body.tool_choice != "none",
        "tool_choice": body.tool_choice not in (None, "none"),
        "functions": body.functions and body.function_call != "none",
        "function_call": body.function_call not in (None, "none"),
        "response_format": not _is_text(body.response_format),
    }
    for name, is_used in uses.items():
        if is_used:
            raise UnsupportedParameterError(
                name,
                f"{name} is not supported: this server answers with quotes from its corpus, as "
                f"text, and calls nothing. Leave {name} out; the passages are in the reply's "
                f"'annotations' and 'ragkit'.",
            )


def _is_text(response_format: Any) -> bool:
    if isinstance(response_format, dict):
        return response_format.get("type") == "text"
    return response_format is None


def _questions(messages: Sequence[UserMessage | OtherMessage]) -> list[str]:
    """Return the user's messages, oldest first, as many as a conversation remembers.

    Earlier messages that cannot be asked are left out: they were refused when they were sent.
    """
    texts = [_text(message) for message in messages if isinstance(message, UserMessage)]
    if not texts:
        raise HTTPException(400, "no message has the role 'user'; expected a question in one.")
    *previous, last = texts
    return [*recent_questions([text for text in previous if is_askable(text)]), last]


def recent_questions(texts: Sequence[str]) -> list[str]:
    """Return the last texts that fit into a conversation and, together, into ``MAX_HISTORY``."""
    lengths = accumulate(len(text) for text in reversed(texts[-MAX_TURNS:]))
    fitting = sum(length <= MAX_HISTORY for length in lengths)
    return list(texts[len(texts) - fitting :])


def _text(message: UserMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content)


def _completion(answer: Answer, index: Index, address: str, language: str) -> dict[str, Any]:
    content = answer_json(answer, index, language=language)
    markdown = content["markdown"]
    message = {
        "role": "assistant",
        "content": markdown,
        "refusal": None,
        "annotations": _annotations(markdown, answer, content, address),
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        **_common_fields("chat.completion"),
        "choices": [choice],
        "usage": _USAGE,
        "ragkit": content,
    }


async def _chunks(
    events: AsyncIterator[AnswerEvent | StreamFailure],
    index: Index,
    address: str,
    language: str,
    *,
    include_usage: bool,
) -> AsyncIterator[bytes]:
    """Yield the completion's content in pieces: each checked sentence, then the citations."""
    common = _common_fields("chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _sse_data({**common, "choices": [choice], **more})

    sent = ""
    answer: Answer | None = None
    yield chunk({"role": "assistant", "content": ""})
    async for event in events:
        if isinstance(event, StreamFailure):
            yield _sse_data(error_body(*event))
            return
        if isinstance(event, Answer):
            answer = event
        elif event.kept:
            piece = (" " if sent else "") + sentence_markdown(event)
            sent += piece
            yield chunk({"content": piece})
    if answer is not None:
        content = answer_json(answer, index, language=language)
        markdown = content["markdown"]
        yield chunk({"content": markdown.removeprefix(sent)})
        annotations = _annotations(markdown, answer, content, address)
        yield chunk({"annotations": annotations}, "stop", ragkit=content)
    if include_usage:
        yield _sse_data({**common, "choices": [], "usage": _USAGE})
    yield b"data: [DONE]\n\n"


def _common_fields(kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": _MODEL_ID,
    }


def _sse_data(content: Any) -> bytes:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


def _annotations(
    markdown: str, answer: Answer, content: dict[str, Any], address: str
) -> list[dict[str, Any]]:
    """Return a ``url_citation`` for each marker in the answer.

    It has the link to the sentence; of a document without a web address, the passage's address on
    this server. ``content`` is what ``answer_json`` returned for the answer; it has the links.
    """
    if not answer.answered:
        return []
    passages = {passage["rank"]: passage for passage in content["passages"]}
    labels = {passage.rank: passage.citation.label for passage in answer.passages}
    text = markdown.partition("\n\n")[0]  # the answer itself, before its list of passages
    annotations = []
    for marker in _MARKER.finditer(text):
        rank = int(marker[1])
        passage = passages.get(rank)
        if passage is None:
            continue
        own = f"{address}v1/passages/{percent_encode(passage['id'])}"
        citation = {
            "start_index": marker.start(),
            "end_index": marker.end(),
            "title": labels[rank],
            "url": passage["link"] or own,
            "rank": rank,
            "citation": passage["citation"],
            "highlights": passage["highlights"],
        }
        annotations.append({"type": "url_citation", "url_citation": citation})
    return annotations
