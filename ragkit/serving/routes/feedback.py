"""What people say about answers, where the operator stores it."""

from __future__ import annotations

import time

from fastapi import APIRouter, HTTPException, Request

from ragkit.citations.passage_ids import parse_passage_id
from ragkit.serving.error_handlers import documented_errors, record_failure
from ragkit.serving.feedback_file import Feedback, NotStoredError
from ragkit.serving.request_log import TIME_FORMAT
from ragkit.serving.schemas import FeedbackIn
from ragkit.serving.state import CurrentState

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post("/feedback", status_code=204, responses=documented_errors(400, 404, 503, 504, 507))
async def feedback(state: CurrentState, request: Request, body: FeedbackIn) -> None:
    """Store what a person thinks of an answer, if the server stores it."""
    file = state.feedback
    if file is None:
        raise HTTPException(404, "this server stores no feedback. Start it with --feedback FILE.")
    for passage_id in body.passages:
        parse_passage_id(passage_id)
    record = Feedback(
        **{**body.model_dump(), "passages": tuple(body.passages)},
        time=time.strftime(TIME_FORMAT, time.gmtime()),
    )
    try:
        await state.workers.call(lambda: file.append(record))
    except NotStoredError as error:
        record_failure(state, request, error)
        raise HTTPException(507, "the server cannot store it. Tell whoever runs it.") from error
