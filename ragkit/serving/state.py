"""The state of a running app, which its routes share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from ragkit.api import Index
from ragkit.default import IndexLike
from ragkit.encoding import usable_cpus
from ragkit.grounding import LanguageModel
from ragkit.serving.access import (
    EVERYONE,
    Access,
    Identity,
    ReadableIndexes,
    Usage,
    current_identity,
)
from ragkit.serving.conversation_store import ConversationStore
from ragkit.serving.database import Database
from ragkit.serving.feedback_file import FeedbackFile
from ragkit.serving.metrics import Metrics
from ragkit.serving.reloading_index import ReloadingIndex
from ragkit.serving.settings import Settings
from ragkit.serving.worker_threads import WorkerThreads
from ragkit.serving.workers.member import Member, database_file, metrics_folder

__all__ = ["Caller", "CurrentState", "ReadableIndex", "ServerState"]


@dataclass(slots=True)
class ServerState:
    """What one app holds: the index, the language model, conversations, metrics, threads.

    ``index`` has all documents: routes take the ``ReadableIndex`` of their caller instead.
    """

    settings: Settings
    index: ReloadingIndex
    access: Access | None
    readable: ReadableIndexes
    usage: Usage
    llm: LanguageModel | None
    conversations: ConversationStore
    metrics: Metrics
    workers: WorkerThreads
    feedback: FeedbackFile | None
    member: Member | None

    @classmethod
    def create(
        cls,
        index: IndexLike,
        settings: Settings,
        llm: LanguageModel | None,
        member: Member | None = None,
    ) -> ServerState:
        """Open the index and set the limits.

        Args:
            index: As for ``ragkit.ask``.
            settings: Those of ``create_app``.
            llm: Language model that writes the answers.
            member: What this process shares with others that serve the same; None if it is alone.

        Raises:
            RagkitError: As ``Access.load``, ``Index.open`` and ``FeedbackFile`` raise.

        """
        metrics = Metrics(None if member is None else metrics_folder(member.folder))
        database = Database(None if member is None else database_file(member.folder))
        access = _access_of(settings)
        reloading = ReloadingIndex(
            index,
            settings.reader,
            require_fresh=settings.require_fresh,
            on_reload=metrics.count_reload,
        )
        if access is not None and (member is None or member.number == 1):
            access.warn_if_useless(reloading.current)
        return cls(
            settings,
            reloading,
            access,
            ReadableIndexes(lambda: reloading.current),
            Usage(database=database),
            llm,
            ConversationStore(
                capacity=settings.conversations, expiry=settings.expiry, database=database
            ),
            metrics,
            WorkerThreads(
                # Retrieval is fastest with one thread a core. Threads that wait for a language
                # model use no core, so there is one for each question.
                threads=usable_cpus() if llm is None else settings.waiting,
                max_in_progress=settings.waiting,
                timeout=settings.timeout,
            ),
            _feedback_file(settings, shared=member is not None),
            member,
        )


async def _state_of(request: Request) -> ServerState:  # async, or FastAPI starts a thread for it
    state: ServerState = request.app.state.ragkit
    return state


CurrentState = Annotated[ServerState, Depends(_state_of)]
"""A route's parameter of this type receives the app's state."""


async def _caller_of(state: CurrentState) -> Identity:
    if state.access is None:
        return EVERYONE
    try:
        return current_identity()
    except LookupError as error:  # a public path: its routes have no caller
        raise HTTPException(401, "this path has no caller.") from error


Caller = Annotated[Identity, Depends(_caller_of)]
"""A route's parameter of this type receives who sent the request."""


async def _readable_by(state: CurrentState, caller: Caller) -> Index:
    if caller.where is None:
        return state.index.current
    # Finding the documents that a caller may read takes time when it is first done.
    return await asyncio.to_thread(state.readable.of, caller)


ReadableIndex = Annotated[Index, Depends(_readable_by)]
"""A route's parameter of this type receives an index of the documents that its caller may read.

It is one generation: a request takes it once and uses it throughout.
"""


def _access_of(settings: Settings) -> Access | None:
    if settings.access is not None:
        return Access.load(settings.access)
    return None if settings.token is None else Access.of_token(settings.token)


def _feedback_file(settings: Settings, *, shared: bool) -> FeedbackFile | None:
    if settings.feedback is None:
        return None
    return FeedbackFile(settings.feedback, max_bytes=settings.max_feedback, shared=shared)
