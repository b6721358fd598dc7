"""Access tokens: random, and stored as their SHA-256 digests."""

from __future__ import annotations

import hashlib
import json
import secrets

from ragkit.errors import InputError

__all__ = ["check_token", "new_token", "token_digest", "token_rule"]

_PREFIX = "ragkit_"  # tools that look for leaked secrets can find it


def new_token() -> str:
    """Return a new access token with 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal digits.

    A slow hash, as for passwords, would not help: nobody can guess 256 random bits.

    >>> token_digest("secret")[:8]
    '2bb80d53'
    """
    return hashlib.sha256(token.strip().encode()).hexdigest()


def token_rule(name: str, digest: str) -> str:
    """Return a rule of ``access.toml`` whose ``where`` is still to be written.

    >>> print(token_rule("press", "2bb80d53…"))
    [[token]]
    name = "press"
    sha256 = "2bb80d53…"
    where = {}  # conditions on the documents that it may read, such as { audience = "public" }
    """
    return "\n".join(
        [
            "[[token]]",
            f"name = {json.dumps(name, ensure_ascii=False)}",  # so it is a string of TOML, too
            f'sha256 = "{digest}"',
            "where = {}  # conditions on the documents that it may read, such as "
            '{ audience = "public" }',
        ]
    )


def check_token(token: str | None) -> None:
    """Check that an HTTP header can carry the token; None stands for no token.

    Raises:
        InputError: The token is blank or has characters that are not printable ASCII.

    """
    stripped = "x" if token is None else token.strip()
    if not (stripped and stripped.isascii() and stripped.isprintable()):
        raise InputError("the token is blank or not ASCII; expected for example 32 random letters.")
