"""The settings of the HTTP server: limits, access, and what may be logged."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import inf

from ragkit.errors import InputError
from ragkit.grounding import Policy, check_policy
from ragkit.reading import SHIPPED
from ragkit.retrieval import check_threshold
from ragkit.serving.access.tokens import check_token

__all__ = ["Settings"]

_POSITIVE = ("max_body", "max_feedback", "timeout", "waiting", "conversations", "expiry")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the HTTP server behaves. Times are in seconds, sizes in bytes.

    Attributes:
        token: Access token. If set, every path but the pages, the widget and the health checks
            needs ``Authorization: Bearer …``.
        access: ``access.toml``, which says who may read which documents; instead of a token.
        origins: Other sites (``https://example.org``) that may call the API from a browser and
            embed the widget.
        hosts: Host names that the server answers to; ``*`` allows any. The check protects a server
            on loopback from web pages that rebind their name to it.
        reader: As for ``Index.open``: ``"shipped"``, the folder of one, or None.
        threshold: As for ``ask``; a request may override it.
        unsupported: As for ``ask``.
        max_body: Longest request body.
        timeout: Limit for a request to arrive, for one answer, and for the client to take it.
        waiting: Maximum number of questions in progress; more get status 503.
        conversations: Maximum number of conversations.
        expiry: Time after its last turn at which a conversation is deleted.
        log_questions: Whether to log questions. Otherwise the log has no text that people typed.
        feedback: File that gets what people say about answers, as JSON Lines; None stores nothing
            and the page does not offer it.
        max_feedback: Size that this file may reach.
        reload: How often to look for a new generation of the index; 0 for never.
        require_fresh: As for ``Index.open``, when the server starts; if a source changes later,
            answers say that they are stale.

    Raises:
        InputError: A value is out of range or malformed.

    """

    token: str | None = None
    access: str | os.PathLike[str] | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    threshold: float | None = None
    reader: str | None = SHIPPED
    unsupported: Policy = "drop"
    max_body: int = 256 * 1024
    timeout: float = 90.0
    waiting: int = 256
    conversations: int = 10_000
    expiry: float = 3600.0
    log_questions: bool = False
    feedback: str | os.PathLike[str] | None = None
    max_feedback: int = 64 * 1024 * 1024
    reload: float = 2.0
    require_fresh: bool = False

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        check_policy(self.unsupported)
        check_token(self.token)
        if self.token is not None and self.access is not None:
            raise InputError(
                "there is a token and an access file; expected one of them. The file can have a "
                "token that reads everything."
            )
        for name in ("hosts", "origins"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"{name} is a str; expected a tuple of str.")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise InputError(
                    f"{origin!r} is not a valid origin; expected scheme and host in lower case, "
                    f"without a path, such as 'https://example.org'."
                )
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < inf:
                raise InputError(f"{name} is {getattr(self, name)}; expected more than 0.")
        if not 0 <= self.reload < inf:
            raise InputError(f"reload is {self.reload}; expected seconds, or 0 for never.")
