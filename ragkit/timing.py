"""Where the time of one question goes. Costs a microsecond a stage where nobody listens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Stage", "stage", "timings"]

Stage = tuple[str, float]
"""A stage's name and the seconds it took."""

_LISTENER: ContextVar[list[Stage] | None] = ContextVar("ragkit_timings", default=None)


@contextmanager
def timings() -> Iterator[list[Stage]]:
    """Collect the stages that end while the block runs, in this thread or task alone."""
    stages: list[Stage] = []
    token = _LISTENER.set(stages)
    try:
        yield stages
    finally:
        _LISTENER.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time the block, if anybody listens."""
    stages = _LISTENER.get()
    start = time.perf_counter()
    try:
        yield
    finally:
        if stages is not None:
            stages.append((name, time.perf_counter() - start))
