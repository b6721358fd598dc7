"""Who may read what: ``access.toml``, the callers that it names, and how much they may ask.

Access            the rules of a file: a request's headers and address → its Identity
Identity          a caller, the documents that they may read, their limits
AccessMiddleware  refuses requests that no rule covers (in ``ragkit.serving.middleware``)
ReadableIndexes   for each Identity an index of only the documents that they may read
"""

from __future__ import annotations

from ragkit.errors import MissingExtraError

try:
    from ragkit.serving.access.access import Access
    from ragkit.serving.access.readable import ReadableIndexes
except ImportError as error:
    raise MissingExtraError.of("serve", "pydantic") from error

from ragkit.serving.access.identity import (
    CALLER,
    EVERYONE,
    Identity,
    current_identity,
    too_many_questions,
)
from ragkit.serving.access.limits import Usage
from ragkit.serving.access.tokens import check_token, new_token, token_digest, token_rule

__all__ = [
    "CALLER",
    "EVERYONE",
    "Access",
    "Identity",
    "ReadableIndexes",
    "Usage",
    "check_token",
    "current_identity",
    "new_token",
    "token_digest",
    "token_rule",
    "too_many_questions",
]
