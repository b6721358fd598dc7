"""Conversations by id: begun, asked in, looked at, ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException, Request

from ragkit.conversation import Conversation
from ragkit.serving.asking import EVENTS, Event, note_question, options, reply, writer
from ragkit.serving.problems import responses
from ragkit.serving.schemas import AnswerOut, AskIn, ConversationOut
from ragkit.serving.state import Here, State

__all__ = ["router"]

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.post("", status_code=201, responses=responses())
async def begin(here: Here) -> ConversationOut:
    """A new conversation; its id is the only key to it."""
    return _shown(here, here.conversations.begin())


@router.get("/{conversation_id}", responses=responses(404))
async def look(here: Here, conversation_id: str) -> ConversationOut:
    """What is remembered of it."""
    return _shown(here, conversation_id)


@router.delete("/{conversation_id}", status_code=204, responses=responses(404))
async def end(here: Here, conversation_id: str) -> None:
    """Forget it."""
    if not here.conversations.end(conversation_id):
        raise _gone(conversation_id)


@router.post(
    "/{conversation_id}/ask",
    response_model=AnswerOut,
    responses={**EVENTS, **responses(400, 404, 409, 502, 503, 504)},
)
async def ask(here: Here, request: Request, conversation_id: str, asked: AskIn) -> Any:
    """Like /v1/ask, with follow-up questions understood by what was asked before."""
    turns = here.conversations.turns(conversation_id)
    if turns is None:
        raise _gone(conversation_id)
    note_question(here, request, asked.question)
    index = here.live.current
    talk = Conversation(
        index, turns=turns, llm=writer(asked, here), unsupported=here.settings.unsupported
    )

    def stream() -> Iterator[Event]:
        yield from talk.stream(asked.question, **options(asked, here))
        here.conversations.add(conversation_id, talk.turns[-1])

    return await reply(here, request, index, stream, explain=asked.explain)


def _shown(here: State, name: str) -> ConversationOut:
    turns = here.conversations.turns(name)
    if turns is None:
        raise _gone(name)
    return ConversationOut.model_validate(
        {
            "id": name,
            "expires_in": int(here.settings.expiry),
            "turns": [{**asdict(turn), "section": list(turn.section)} for turn in turns],
        }
    )


def _gone(name: str) -> HTTPException:
    return HTTPException(
        404, f"there is no conversation {name[:64]!r}, or it has expired. Begin a new one."
    )
