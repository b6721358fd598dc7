"""The id of the request that is being handled, for its log, its response and its spans."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

from starlette.datastructures import Headers

__all__ = ["HEADER", "REQUEST_ID", "new_request_id"]

HEADER = "x-request-id"

REQUEST_ID: ContextVar[str | None] = ContextVar("ragkit_request_id", default=None)
"""None outside a request. Threads that a request starts see it, too."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:=-]{1,128}")


def new_request_id(headers: Headers) -> str:
    """Return the id that a client or a proxy sent, or another one if that is not well-formed.

    Well-formed are 1 to 128 letters, digits and ``. _ : = -``: no log or terminal takes them for
    anything else, and an id cannot hold a question.
    """
    sent = headers.getlist(HEADER)
    if len(sent) == 1 and _WELL_FORMED.fullmatch(sent[0]):
        return sent[0]
    return secrets.token_hex(8)
