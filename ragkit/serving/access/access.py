"""Access: the rules of ``access.toml``, and which of them holds for a request."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from starlette.datastructures import Headers

from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.index import Conditions, Where
from ragkit.serving.access.access_file import (
    AccessFile,
    GroupRule,
    TokenRule,
    attribute_of,
    attributes_of,
)
from ragkit.serving.access.identity import Identity
from ragkit.serving.access.limits import Limits
from ragkit.serving.access.proxy import Attributes, Proxy
from ragkit.serving.access.tokens import check_token, token_digest
from ragkit.serving.error_responses import ErrorResponse

__all__ = ["Access"]

_log = logging.getLogger("ragkit.serving")

_UNKNOWN = ErrorResponse(
    401,
    "UnauthorizedError",
    "The access token is missing or wrong; send 'Authorization: Bearer …'.",
    {"www-authenticate": "Bearer"},
)


class _Group(NamedTuple):
    """A group of users whom the proxy names."""

    rule: GroupRule
    when: Conditions
    limits: Limits


class Access:
    """Who may read what. Immutable; share it freely.

    Every request is refused for which no rule holds.
    """

    def __init__(
        self,
        tokens: Mapping[str, Identity],
        groups: Sequence[_Group] = (),
        proxy: Proxy | None = None,
    ) -> None:
        """Args:
        tokens: the digest of each token, and who sends it.
        groups: whom the proxy lets in; the first that holds decides.
        proxy: what names the users.

        """
        self._tokens = dict(tokens)
        self._groups = tuple(groups)
        self._proxy = proxy
        rules = [group.rule for group in groups]
        self._names = sorted({n for r in rules for n in (*(r.when or {}), *attributes_of(r.where))})

    @classmethod
    def of_token(cls, token: str) -> Access:
        """Return the rule that whoever has ``token`` may read everything.

        Raises:
            InputError: The token is blank or not ASCII.

        """
        check_token(token)
        return cls({token_digest(token): Identity("", "token", None, metrics=True)})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Access:
        """Read ``access.toml``.

        Raises:
            InputError: The file cannot be read, or is not what the documentation says; a token's
                variable is not set; a key cannot be used.
            MissingExtraError: With ``[proxy.jwt]``, PyJWT is not installed.

        """
        file = AccessFile.load(path)
        tokens: dict[str, Identity] = {}
        for rule in file.token:
            digest = rule.sha256 or _digest_of_variable(rule)
            if digest in tokens:
                raise InputError(
                    f"{path}: {rule.name!r} and {tokens[digest].rule!r} are the same token; "
                    f"expected one rule for it. 'ragkit access token' makes another one."
                )
            tokens[digest] = Identity(
                f"token {rule.name}",
                rule.name,
                rule.where,
                metrics=rule.metrics,
                limits=rule.limits(file.limits),
            )
        proxy = None if file.proxy is None else Proxy(file.proxy, Path(path).parent)
        groups = [
            _Group(rule, Conditions.of(rule.when or {}), rule.limits(file.limits))
            for rule in file.group
        ]
        return cls(tokens, groups, proxy)

    def identify(self, headers: Headers, address: str | None) -> Identity | ErrorResponse:
        """Return who sends a request, or the response that refuses it.

        Args:
            headers: the request's.
            address: the other end of the connection; None if it has none.

        """
        identity = self._tokens.get(_bearer_digest(headers))
        if identity is not None:
            return identity
        vouched = self._proxy.user(headers, address, self._names) if self._proxy else None
        if vouched is None:
            return _UNKNOWN
        user, attributes = vouched
        return self._identity_of(user, attributes) or ErrorResponse(
            403,
            "ForbiddenError",
            "No rule lets you read anything here. Ask whoever runs the server.",
        )

    def readable(self, index: Index) -> Iterator[tuple[str, int | None]]:
        """Yield for each rule its name and how many documents of ``index`` it lets read.

        None for a rule whose conditions take a value ``from`` the user.
        """
        rules = [
            *((identity.rule, identity.where) for identity in self._tokens.values()),
            *((group.rule.name, group.rule.where) for group in self._groups),
        ]
        for name, where in rules:
            if attributes_of(where):
                yield name, None
            else:
                part = index if where is None else index.restricted(where)
                yield name, len(part.documents)

    def warn_if_useless(self, index: Index) -> None:
        """Log a warning for each rule that lets read no document of ``index``."""
        for name, documents in self.readable(index):
            if documents == 0 and len(index.documents):
                _log.warning(
                    "access rule %r lets read no document: none fulfils its where. 'ragkit access "
                    "check' shows how many each rule lets read",
                    name,
                )

    def _identity_of(self, user: str, attributes: Attributes) -> Identity | None:
        """The user as the first group that holds lets them in; None if none does."""
        for rule, when, limits in self._groups:
            if all(test.holds(attributes.get(name)) for name, test in when.tests.items()):
                try:
                    where = None if rule.where is None else _filled(rule.where, attributes)
                except KeyError:  # the user lacks what the group's conditions are on
                    continue
                return Identity(
                    f"user {user}", rule.name, where, metrics=rule.metrics, limits=limits
                )
        return None


def _filled(where: Mapping[str, Any], attributes: Attributes) -> Where:
    """The conditions with the user's own values. Raises KeyError if the user lacks one."""
    filled: dict[str, Any] = {}
    for name, condition in where.items():
        source = attribute_of(condition)
        value = condition if source is None else attributes.get(source)
        if value in (None, "", []):
            raise KeyError(source)
        # Whoever names the user may name a claim's values in any order.
        if source is not None and isinstance(value, list):
            value = sorted(set(value))
        filled[name] = value
    return filled


def _bearer_digest(headers: Headers) -> str:
    """The digest of the token that a request has; of none, what is no digest.

    Finding the digest in a dictionary tells nothing about it by its time: nobody can choose the
    first digits of a digest without trying tokens.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token_digest(token) if scheme.lower() == "bearer" and token.strip() else ""


def _digest_of_variable(rule: TokenRule) -> str:
    token = os.environ.get(rule.env or "")
    if token is None:
        raise InputError(
            f"the environment variable {rule.env} of the token {rule.name!r} is not set; expected "
            f"the token in it."
        )
    check_token(token)
    return token_digest(token)
