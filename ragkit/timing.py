"""Measure where the time of one question goes, and let an observer watch it.

A stage is marked where it ends: ``LAP.get()("late interaction")``. Its time is what has passed
since the stage before it ended, so the stages follow one another and sum up to the whole. While
nobody measures, ``LAP`` holds a C function that does nothing: to mark a stage runs no Python.

The stages that every question passes are ``Part``; those between them differ from model to model.
An observer is told of each question as a whole: ``ragkit.telemetry`` makes spans and metrics of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

__all__ = [
    "LAP",
    "Observer",
    "Operation",
    "Part",
    "Stage",
    "laps",
    "observer",
    "set_observer",
    "timings",
]

T = TypeVar("T")

Stage = tuple[str, float]
"""A stage's name and the seconds it took."""

Lap = Callable[[str], object]
"""Called with the name of the stage that ends."""

LAP: ContextVar[Lap] = ContextVar("ragkit_lap", default=deque[str](maxlen=0).append)
"""Call its value with the name of the stage that ends here."""


class Part(StrEnum):
    """A stage that has the same name whatever the question and the model."""

    UNDERSTAND = "understand the turn"
    ENCODE = "encode the question"
    CANDIDATES = "candidates by vector and words"
    APPROXIMATE = "approximate scores"
    EXACT = "late interaction"
    RERANK = "rerank"
    READ = "read the passages"
    COMPOSE = "compose the answer"


@dataclass(frozen=True, slots=True)
class Operation:
    """What an index or a conversation was asked to do.

    Attributes:
        name: The method.
        k: Number of passages requested; not checked yet.
        generation: The index that answers; empty for a conversation.
        encoder: Name of the model that encodes the question; empty for a conversation.
        text: What is retrieved for; several questions are on lines of their own.

    """

    name: Literal["ask", "ask_many", "search", "turn"]
    k: int = 0
    generation: str = ""
    encoder: str = ""
    text: str = ""


class Observer(Protocol):
    """Watches operations, and calls of language models."""

    def watch(self, subject: object, steps: Iterator[T]) -> Iterator[T]:
        """Yield what ``steps`` yields, step by step, each maybe in another thread.

        Args:
            subject: An ``Operation`` or a ``ragkit.grounding.Call``.
            steps: Not begun yet.

        """
        ...


_observer: Observer | None = None


def observer() -> Observer | None:
    """Return what watches questions in this process; None, the default, for nothing."""
    return _observer


def set_observer(new: Observer | None) -> None:
    """Let ``new`` watch every operation that begins from now on, in all threads."""
    global _observer  # noqa: PLW0603 - one for the process, like OpenTelemetry's own providers
    _observer = new


@contextmanager
def laps(lap: Lap) -> Iterator[None]:
    """Let ``lap`` be called with each stage that ends in the block, in this thread or task alone.

    What measured before goes on measuring.
    """
    outer = LAP.get()

    def both(name: str) -> None:
        lap(name)
        outer(name)

    token = LAP.set(both)
    try:
        yield
    finally:
        LAP.reset(token)


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

    with laps(lap):
        yield stages
