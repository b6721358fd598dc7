"""The state of a running app, which its routes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from ragkit.default import IndexLike
from ragkit.encoding import usable_cpus
from ragkit.grounding import LanguageModel
from ragkit.serving.conversation_store import ConversationStore
from ragkit.serving.feedback_file import FeedbackFile
from ragkit.serving.metrics import Metrics
from ragkit.serving.reloading_index import ReloadingIndex
from ragkit.serving.settings import Settings
from ragkit.serving.worker_threads import WorkerThreads

__all__ = ["CurrentState", "ServerState"]


@dataclass(slots=True)
class ServerState:
    """What one app holds: the index, the language model, conversations, metrics, threads."""

    settings: Settings
    index: ReloadingIndex
    llm: LanguageModel | None
    conversations: ConversationStore
    metrics: Metrics
    workers: WorkerThreads
    feedback: FeedbackFile | None

    @classmethod
    def create(cls, index: IndexLike, settings: Settings, llm: LanguageModel | None) -> ServerState:
        """Open the index and set the limits.

        Raises:
            RagkitError: As ``Index.open`` and ``FeedbackFile`` raise.

        """
        metrics = Metrics()
        return cls(
            settings,
            ReloadingIndex(
                index,
                settings.reader,
                require_fresh=settings.require_fresh,
                on_reload=metrics.count_reload,
            ),
            llm,
            ConversationStore(capacity=settings.conversations, expiry=settings.expiry),
            metrics,
            WorkerThreads(
                # Retrieval is fastest with one thread a core. Threads that wait for a language
                # model use no core, so there is one for each question.
                threads=usable_cpus() if llm is None else settings.waiting,
                max_in_progress=settings.waiting,
                timeout=settings.timeout,
            ),
            None
            if settings.feedback is None
            else FeedbackFile(settings.feedback, max_bytes=settings.max_feedback),
        )


async def _state_of(request: Request) -> ServerState:  # async, or FastAPI starts a thread for it
    state: ServerState = request.app.state.ragkit
    return state


CurrentState = Annotated[ServerState, Depends(_state_of)]
"""A route's parameter of this type receives the app's state."""
