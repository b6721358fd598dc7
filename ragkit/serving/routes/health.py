"""Health checks and metrics: whether the process runs, whether it can answer, what it has done."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel

from ragkit.serving.error_handlers import documented_errors
from ragkit.serving.state import Caller, CurrentState

__all__ = ["router"]

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """The process runs."""

    status: Literal["ok"]


class ReadyOut(HealthOut):
    """An index is open."""

    generation: str


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> HealthOut:
    """Return whether the process runs."""
    return HealthOut(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(state: CurrentState) -> ReadyOut:
    """Return whether the server can answer, and by which generation of the index."""
    return ReadyOut(status="ok", generation=state.index.current.generation)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **documented_errors()},
)
async def metrics(state: CurrentState, caller: Caller) -> Response:
    """Return the metrics in Prometheus's text format, version 0.0.4."""
    if not caller.metrics:
        raise HTTPException(403, "no rule lets you read the metrics; expected metrics = true.")
    index = state.index.current

    def exposition() -> bytes:
        return state.metrics.exposition(
            conversations=len(state.conversations), generation=index.generation, chunks=len(index)
        )

    text = await asyncio.to_thread(exposition)  # it reads the files of all workers
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
