"""The schema of ``access.toml``. What it does not know, or what says too little, is an error."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ragkit.errors import FilterError, InputError
from ragkit.index import Conditions
from ragkit.serving.access.limits import Limits

__all__ = [
    "AccessFile",
    "GroupRule",
    "JwtSettings",
    "ProxySettings",
    "TokenRule",
    "attribute_of",
    "attributes_of",
]

_FROM = "from"
_HMAC = ("HS256", "HS384", "HS512")
_SIGNATURES = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
_MAX_LEEWAY = 300  # seconds

Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1)]


def attribute_of(condition: object) -> str | None:
    """Return NAME of a condition ``{ from = "NAME" }``; None for any other.

    Its value is what the proxy says of the user: the claim or header of that name.

    >>> attribute_of({"from": "team"}), attribute_of({"min": "2025"})
    ('team', None)
    """
    if isinstance(condition, Mapping) and set(condition) == {_FROM}:
        return str(condition[_FROM])
    return None


def attributes_of(where: Mapping[str, Any] | None) -> list[str]:
    """Return the names that conditions take ``from`` the user."""
    names = map(attribute_of, (where or {}).values())
    return [name for name in names if name is not None]


def _conditions(where: dict[str, Any] | None) -> dict[str, Any] | None:
    """Check conditions, those with ``from`` as if they had a value."""
    if where is None:
        return None
    if not where:
        raise ValueError("it has no condition, so it would hold for everything")
    try:
        Conditions.of({n: "x" if attribute_of(c) else c for n, c in where.items()})
    except FilterError as error:
        raise ValueError(str(error)) from error
    return where


Where = Annotated[dict[str, Any] | None, AfterValidator(_conditions)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Limited(_Table):
    requests_per_minute: Count | None = None
    questions_per_day: Count | None = None


class _Rule(_Limited):
    """What a token or a group may do."""

    name: Name
    where: Where = None
    everything: bool = False
    metrics: bool = False

    @model_validator(mode="after")
    def _says_what_may_be_read(self) -> Self:
        if (self.where is None) == (not self.everything):
            raise ValueError("expected either where = { … } or everything = true")
        return self

    def limits(self, default: _Limited) -> Limits:
        """Return the limits of this rule, where it has none those of the file."""
        return Limits(
            self.requests_per_minute or default.requests_per_minute,
            self.questions_per_day or default.questions_per_day,
        )


class TokenRule(_Rule):
    """A token: its digest, or the environment variable that holds it."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    env: Name | None = None

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if (self.sha256 is None) == (self.env is None):
            raise ValueError(
                "expected either sha256 = '…' or env = 'VARIABLE'; 'ragkit access token' makes one"
            )
        if attributes_of(self.where):
            raise ValueError("a token has no claims, so its where cannot have 'from'")
        return self


class GroupRule(_Rule):
    """Users whom the proxy names: those for whom ``when`` holds, or everyone."""

    when: Where = None
    everyone: bool = False

    @model_validator(mode="after")
    def _says_whom_it_lets_in(self) -> Self:
        if (self.when is None) == (not self.everyone):
            raise ValueError("expected either when = { … } or everyone = true")
        if attributes_of(self.when):
            raise ValueError("when cannot have 'from'; only where can")
        return self


class JwtSettings(_Table):
    """How the proxy's JSON Web Token is verified."""

    header: Name = "Authorization"
    algorithms: Annotated[list[str], Field(min_length=1)]
    audience: Name
    issuer: Name
    key_file: Name | None = None
    secret_env: Name | None = None
    leeway: Annotated[int, Field(ge=0, le=_MAX_LEEWAY)] = 0

    @model_validator(mode="after")
    def _has_a_key_for_its_algorithms(self) -> Self:
        if (self.key_file is None) == (self.secret_env is None):
            raise ValueError("expected either key_file or secret_env")
        # A public key must never be taken for the secret of HMAC, so a file has one kind.
        possible = _SIGNATURES if self.key_file else _HMAC
        for name in self.algorithms:
            if name not in possible:
                kind = "key_file" if self.key_file else "secret_env"
                raise ValueError(
                    f"with {kind}, {name!r} is not allowed; expected some of {', '.join(possible)}"
                )
        return self


def _network(text: str) -> str:
    """Check an address or network; one that holds every address would trust everyone."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; expected such as '10.0.0.5' or '10.1.0.0/16'") from error
    if network.prefixlen == 0:
        raise ValueError(f"{text!r} is every address; name the proxy's own")
    return text


class ProxySettings(_Table):
    """The proxy that says who the user is."""

    addresses: Annotated[list[Annotated[str, AfterValidator(_network)]], Field(min_length=1)]
    user: Name
    jwt: JwtSettings | None = None


class AccessFile(_Table):
    """The whole file."""

    token: list[TokenRule] = []
    group: list[GroupRule] = []
    proxy: ProxySettings | None = None
    limits: _Limited = _Limited()

    @model_validator(mode="after")
    def _lets_somebody_in(self) -> Self:
        if (self.proxy is None) != (not self.group):
            raise ValueError("[proxy] and [[group]] need each other")
        if not self.token and not self.group:
            raise ValueError("it lets nobody in; expected a [[token]], or [proxy] and a [[group]]")
        names = [rule.name for rule in (*self.token, *self.group)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules have the name {name!r}")
        return self

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AccessFile:
        """Read and check a file.

        Raises:
            InputError: It cannot be read, is not TOML, or is not what the schema says.

        """
        try:
            with Path(path).open("rb") as file:
                content = tomllib.load(file)
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(
                f"{path}: {_first(error)}. Nobody is let in by a part of it."
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"the access file {path} cannot be read: {reason}. Expected TOML with the rules of "
                f"who may read what."
            ) from error


def _first(error: ValidationError) -> str:
    """The first error of a validation, with its place: ``token 2, where: …``."""
    first = error.errors()[0]
    place = ""
    for part in first["loc"]:
        place += f" {part + 1}" if isinstance(part, int) else f", {part}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place.removeprefix(', ')}: {message}" if place else message
