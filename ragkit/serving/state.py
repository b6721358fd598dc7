"""What a running server has: the index, the language model, conversations, figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from ragkit.default import IndexLike
from ragkit.encoding import usable_cpus
from ragkit.grounding import LanguageModel
from ragkit.serving.conversations import Conversations
from ragkit.serving.figures import Figures
from ragkit.serving.live import LiveIndex
from ragkit.serving.settings import Settings
from ragkit.serving.working import Workers

__all__ = ["Here", "State"]


@dataclass(slots=True)
class State:
    """One for each app."""

    settings: Settings
    live: LiveIndex
    llm: LanguageModel | None
    conversations: Conversations
    figures: Figures
    workers: Workers

    @classmethod
    def make(cls, index: IndexLike, settings: Settings, llm: LanguageModel | None) -> State:
        """Opens the index."""
        figures = Figures()
        live = LiveIndex(index, on_swap=figures.swapped)
        kept = Conversations(most=settings.conversations, expiry=settings.expiry)
        # One thread a core answers soonest; those that wait for a language model need none.
        threads = usable_cpus() if llm is None else settings.waiting
        workers = Workers(threads=threads, waiting=settings.waiting, timeout=settings.timeout)
        return cls(settings, live, llm, kept, figures, workers)


async def _here(request: Request) -> State:  # else each request takes a thread for this
    state: State = request.app.state.ragkit
    return state


Here = Annotated[State, Depends(_here)]
