"""What a running server has: the index, the language model, conversations, figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, HTTPException, Request

from ragkit.api import IndexLike
from ragkit.encoding.cpus import usable_cpus
from ragkit.grounding import LanguageModel
from ragkit.serving.conversations import Conversations
from ragkit.serving.figures import Figures
from ragkit.serving.live import LiveIndex
from ragkit.serving.settings import Settings

__all__ = ["Here", "State"]

T = TypeVar("T")


@dataclass(slots=True)
class State:
    """One for each app."""

    settings: Settings
    live: LiveIndex
    llm: LanguageModel | None
    conversations: Conversations
    figures: Figures
    threads: anyio.CapacityLimiter
    under_way: int = 0

    @classmethod
    def make(cls, index: IndexLike, settings: Settings, llm: LanguageModel | None) -> State:
        """Opens the index."""
        figures = Figures()
        live = LiveIndex(index, on_swap=figures.swapped)
        kept = Conversations(most=settings.conversations, expiry=settings.expiry)
        # One thread a core answers soonest; those that wait for a language model need none.
        threads = usable_cpus() if llm is None else settings.waiting
        return cls(settings, live, llm, kept, figures, anyio.CapacityLimiter(threads))

    async def work(self, call: Callable[[], T]) -> T:
        """``call`` in a worker thread, within the time and the number of calls allowed.

        Raises HTTPException: 503 when too many are under way, 504 when it takes too long (the
        thread then ends by itself, and its result is dropped).
        """
        self.refuse_if_busy()
        self.under_way += 1
        try:
            with anyio.fail_after(self.settings.timeout):
                return await self.in_thread(call)
        except TimeoutError as error:
            raise HTTPException(
                504, f"no answer within {self.settings.timeout:g} s. Ask again, or ask less."
            ) from error
        finally:
            self.under_way -= 1

    async def in_thread(self, call: Callable[[], T]) -> T:
        """``call`` in one of the worker threads, left to itself if it is not waited for."""
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self.threads)

    def refuse_if_busy(self) -> None:
        """Raises HTTPException 503 when too many questions are under way."""
        if self.under_way >= self.settings.waiting:
            raise HTTPException(
                503,
                f"{self.under_way} questions are under way; expected at most "
                f"{self.settings.waiting}. Try again in a second.",
                {"Retry-After": "1"},
            )


def _here(request: Request) -> State:
    state: State = request.app.state.ragkit
    return state


Here = Annotated[State, Depends(_here)]
