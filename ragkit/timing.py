"""Measure where the time of one question goes.

A stage is marked where it ends: ``LAP.get()("late interaction")``. Its time is what has passed
since the stage before it ended, so the stages follow one another and sum up to the whole. While
nobody measures, ``LAP`` holds a C function that does nothing, and no line of this module runs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["LAP", "Stage", "timings"]

Stage = tuple[str, float]
"""A stage's name and the seconds it took."""

LAP: ContextVar[Callable[[str], object]] = ContextVar(
    "ragkit_lap", default=deque[str](maxlen=0).append
)
"""Call its value with the name of the stage that ends here."""


@contextmanager
def timings() -> Iterator[list[Stage]]:
    """Collect the stages that end while the block runs, in this thread or task alone.

    Returns:
        A list that each stage is appended to as it ends. The first stage counts from the start of
        the block, each other one from the end of the stage before it.

    Example:
        >>> with timings() as stages:
        ...     LAP.get()("import numpy")
        ...     LAP.get()("load the model")
        >>> [name for name, seconds in stages]
        ['import numpy', 'load the model']

    """
    stages: list[Stage] = []
    last = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        stages.append((name, now - last))
        last = now

    token = LAP.set(lap)
    try:
        yield stages
    finally:
        LAP.reset(token)
