"""Tell whoever waits how far a long piece of work is: its stages, and what of each is done.

``STAGE.get()("encoding", 300, 1200)`` says that 300 of 1,200 are done. While nobody listens,
``STAGE`` holds a function that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

__all__ = ["STAGE", "StageListener", "counted", "listening"]

StageListener = Callable[[str, int, int | None], None]
"""Called with the name of a stage, what of it is done, and how much it is; None if not known."""

Item = TypeVar("Item")


def _unheard(stage: str, done: int, total: int | None) -> None:
    pass


STAGE: ContextVar[StageListener] = ContextVar("ragkit_stage", default=_unheard)
"""Call its value where a stage begins, and as it goes on."""


@contextmanager
def listening(listener: StageListener) -> Iterator[None]:
    """Call ``listener`` for each stage of the block, in this thread or task alone.

    Example:
        >>> heard = []
        >>> with listening(lambda *stage: heard.append(stage)):
        ...     rows = list(counted("reading", "ab"))
        >>> heard
        [('reading', 0, None), ('reading', 1, None), ('reading', 2, None)]

    """
    token = STAGE.set(listener)
    try:
        yield
    finally:
        STAGE.reset(token)


def counted(stage: str, items: Iterable[Item], total: int | None = None) -> Iterator[Item]:
    """Yield items, and report each as done once the next is asked for."""
    report = STAGE.get()
    report(stage, 0, total)
    for number, item in enumerate(items, start=1):
        yield item
        report(stage, number, total)
