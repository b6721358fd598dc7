"""Conversations by id: begin one, ask in it, look at its turns, end it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request

from ragkit.conversation import Conversation, Turn
from ragkit.conversation.recall import recalled
from ragkit.serving.access import Identity
from ragkit.serving.answer_responses import (
    ANSWER_OR_EVENTS,
    AnswerEvent,
    admit_question,
    answer_response,
    ask_options,
    language_model,
    language_of,
)
from ragkit.serving.error_handlers import documented_errors
from ragkit.serving.schemas import AnswerOut, AskIn, ConversationIn, ConversationOut, TurnIn
from ragkit.serving.state import Caller, CurrentState, ReadableIndex, ServerState

__all__ = ["router"]

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.post("", status_code=201, responses=documented_errors(400, 503, 504))
async def begin(
    state: CurrentState, caller: Caller, index: ReadableIndex, body: ConversationIn | None = None
) -> ConversationOut:
    """Begin a conversation, or continue one that the server has lost from its ``history``.

    Whoever has its id can use it; with access rules, the caller alone.
    """
    turns: tuple[Turn, ...] = ()
    if body is not None and body.history:
        history = [_turn(turn) for turn in body.history]
        turns = await state.workers.call(lambda: recalled(history, index))
    return _conversation_out(state, caller, state.conversations.create(caller.key, turns))


@router.get("/{conversation_id}", responses=documented_errors(404))
async def look(state: CurrentState, caller: Caller, conversation_id: str) -> ConversationOut:
    """Return the turns that the server remembers."""
    return _conversation_out(state, caller, conversation_id)


@router.delete("/{conversation_id}", status_code=204, responses=documented_errors(404))
async def end(state: CurrentState, caller: Caller, conversation_id: str) -> None:
    """Delete a conversation."""
    if not state.conversations.delete(conversation_id, caller.key):
        raise _not_found(conversation_id)


@router.post(
    "/{conversation_id}/ask",
    response_model=AnswerOut,
    responses={**ANSWER_OR_EVENTS, **documented_errors(400, 404, 409, 502, 503, 504)},
)
async def ask(
    *,
    state: CurrentState,
    request: Request,
    caller: Caller,
    index: ReadableIndex,
    conversation_id: str,
    body: AskIn,
) -> Any:
    """Like /v1/ask, with follow-up questions understood from the questions before."""
    turns = _turns(state, caller, conversation_id)
    admit_question(state, request, caller, body.question)
    conversation = Conversation(
        index,
        turns=turns,
        llm=language_model(body, state),
        unsupported=state.settings.unsupported,
        language=language_of(request),
    )

    def start() -> Iterator[AnswerEvent]:
        yield from conversation.stream(body.question, **ask_options(body, state))
        if conversation.turns != turns:  # a remark is not remembered
            state.conversations.add_turn(conversation_id, caller.key, conversation.turns[-1])

    return await answer_response(state, request, index, start, explain=body.explain)


def _conversation_out(
    state: ServerState, caller: Identity, conversation_id: str
) -> ConversationOut:
    turns = _turns(state, caller, conversation_id)
    return ConversationOut.model_validate(
        {
            "id": conversation_id,
            "expires_in": int(state.settings.expiry),
            "turns": [turn.to_dict() for turn in turns],
        }
    )


def _turn(turn: TurnIn) -> Turn:
    return Turn(
        turn.question,
        turn.question if turn.standalone is None else turn.standalone,
        (),
        passage=turn.passage or "",
        quote=turn.quote or "",
        short=turn.short or "",
        confidence=turn.confidence,
    )


def _turns(state: ServerState, caller: Identity, conversation_id: str) -> tuple[Turn, ...]:
    turns = state.conversations.turns(conversation_id, caller.key)
    if turns is None:
        raise _not_found(conversation_id)
    return turns


def _not_found(conversation_id: str) -> HTTPException:
    return HTTPException(
        404,
        f"there is no conversation {conversation_id[:64]!r}, or it has expired. Begin a new "
        f"one; with the last questions as its history, it goes on.",
    )
