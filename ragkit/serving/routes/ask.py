"""Questions: an answer as JSON or as events, or the passages alone."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ragkit.serving.answer_responses import (
    ANSWER_OR_EVENTS,
    admit_question,
    answer_response,
    ask_options,
    conditions,
    language_model,
)
from ragkit.serving.error_handlers import documented_errors
from ragkit.serving.schemas import AnswerOut, AskIn, SearchIn, SearchOut
from ragkit.serving.serialization import passage_json
from ragkit.serving.state import Caller, CurrentState, ReadableIndex

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["ask"])


@router.post(
    "/ask",
    response_model=AnswerOut,
    responses={**ANSWER_OR_EVENTS, **documented_errors(400, 409, 502, 503, 504)},
)
async def ask(
    state: CurrentState, request: Request, caller: Caller, index: ReadableIndex, body: AskIn
) -> Any:
    """Answer a question from the corpus, with cited passages."""
    admit_question(state, request, caller, body.question)
    return await answer_response(
        state,
        request,
        index,
        lambda: index.stream(
            body.question,
            llm=language_model(body, state),
            unsupported=state.settings.unsupported,
            **ask_options(body, state),
        ),
        explain=body.explain,
    )


@router.post("/search", responses=documented_errors(400, 409, 503, 504), response_model=SearchOut)
async def search(
    state: CurrentState, request: Request, caller: Caller, index: ReadableIndex, body: SearchIn
) -> dict[str, Any]:
    """Find the best passages, without an answer."""
    admit_question(state, request, caller, body.question)
    where = conditions(body)
    passages = await state.workers.call(lambda: index.search(body.question, k=body.k, where=where))
    return {"passages": [passage_json(passage, index) for passage in passages]}
