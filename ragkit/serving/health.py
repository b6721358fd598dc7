"""Whether the server lives, can answer, and what it has done."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ragkit.serving.problems import responses
from ragkit.serving.state import Here

__all__ = ["router"]

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """It answers, so it lives."""

    status: Literal["ok"]


class ReadyOut(HealthOut):
    """An index is open."""

    generation: str


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> HealthOut:
    """Whether the process lives."""
    return HealthOut(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(here: Here) -> ReadyOut:
    """Whether it can answer; an app without an index does not start."""
    return ReadyOut(status="ok", generation=here.live.current.generation)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **responses()},
)
async def metrics(here: Here) -> Response:
    """Prometheus's text format, version 0.0.4."""
    index = here.live.current
    text = here.figures.text(
        conversations=len(here.conversations), generation=index.generation, chunks=len(index)
    )
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
