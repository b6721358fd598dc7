"""What a server is told: limits, who may call it, what it may write down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf

from ragkit.answering import THRESHOLD
from ragkit.errors import InputError
from ragkit.grounding import Policy, check_policy
from ragkit.retrieval import check_threshold
from ragkit.serving.access import check_token

__all__ = ["Settings"]

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the HTTP server behaves. Times are in seconds, sizes in bytes.

    ``token``: if set, all but the page, the widget and the health checks needs
    ``Authorization: Bearer …``.
    ``origins``: other sites (``https://example.org``) that may call the API from a browser and
    embed the widget. ``hosts``: the names it answers to, ``*`` for any; what protects a server on
    loopback from pages that rebind their name to it.
    ``threshold``, ``unsupported``: as for ``ask``.
    ``timeout``: for a request to arrive, for one answer, and for the client to take it.
    ``waiting``: questions that may be under way; more are told to come back. ``conversations``,
    ``expiry``: how many are kept, and for how long after their last turn.
    ``log_questions``: write questions into the log; without it, no text that people typed.
    ``reload``: how often to look for a new generation of the index; 0 for never.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    threshold: float = THRESHOLD
    unsupported: Policy = "drop"
    max_body: int = 256 * 1024
    timeout: float = 90.0
    waiting: int = 256
    conversations: int = 10_000
    expiry: float = 3600.0
    log_questions: bool = False
    reload: float = 2.0

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        check_policy(self.unsupported)
        check_token(self.token)
        for name in ("hosts", "origins"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"{name} is a str; expected a tuple of them.")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise InputError(
                    f"origin {origin!r} is none; expected scheme and host in small letters, such "
                    f"as 'https://example.org', without a path."
                )
        for name in ("max_body", "timeout", "waiting", "conversations", "expiry"):
            if not 0 < getattr(self, name) < inf:
                raise InputError(f"{name} is {getattr(self, name)}; expected more than 0.")
        if not 0 <= self.reload < inf:
            raise InputError(f"reload is {self.reload}; expected seconds, or 0 for never.")
