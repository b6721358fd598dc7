"""Identity: who sends a request, and what they may read."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass

from ragkit.index import Where
from ragkit.serving.access.limits import UNLIMITED, Limits

__all__ = ["CALLER", "EVERYONE", "Identity", "current_identity", "too_many_questions"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, as a rule of ``access.toml`` describes them.

    Attributes:
        user: who it is; limits are counted for each user.
        rule: name of the token or group that lets them in.
        where: conditions on the documents that they may read; None for all documents.
        metrics: whether they may read ``/metrics``.
        limits: how much they may ask.

    """

    user: str
    rule: str
    where: Where | None
    metrics: bool = False
    limits: Limits = UNLIMITED

    @property
    def key(self) -> str:
        """A text that differs for users, for rules and for what may be read."""
        return json.dumps([self.user, self.rule, self.where], sort_keys=True)

    @property
    def where_key(self) -> str:
        """A text that differs for what may be read."""
        return json.dumps(self.where, sort_keys=True)


EVERYONE = Identity("", "", None, metrics=True)
"""The caller of a server without access rules."""

CALLER: ContextVar[Identity | None] = ContextVar("CALLER", default=None)
"""The caller of the request that is being answered; set by ``AccessMiddleware``."""


def too_many_questions(caller: Identity) -> str:
    """Return what to tell a caller who has asked as many questions as they may."""
    return (
        f"you have asked the {caller.limits.questions_per_day} questions that you may ask in a "
        f"day. The next day begins at 00:00 UTC."
    )


def current_identity() -> Identity:
    """Return the caller of the request that is being answered.

    Raises:
        LookupError: No middleware let the request in; whoever asks must refuse it.

    """
    identity = CALLER.get()
    if identity is None:
        raise LookupError("the request has no identity")
    return identity
