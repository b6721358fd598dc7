"""What a trusted proxy says of a user: in headers, or in a signed JSON Web Token."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.datastructures import Headers

from ragkit.errors import InputError, MissingExtraError
from ragkit.serving.access.access_file import JwtSettings, ProxySettings

if TYPE_CHECKING:
    from jwt import PyJWK

__all__ = ["Attributes", "Proxy", "UserSource"]

Value = str | int | float | bool | list[str]
Attributes = Mapping[str, Value]
"""What is said of a user: claims of a token, or headers, by the names that the rules use."""


class UserSource(Protocol):
    """Where the attributes of a user are in a request."""

    def attributes(self, headers: Headers, names: Sequence[str]) -> Attributes | None:
        """Return the attributes with these names, or None if nobody vouches for any user."""
        ...


class Proxy:
    """A proxy that names the users, for requests that come from its addresses."""

    def __init__(self, settings: ProxySettings, folder: Path) -> None:
        """``folder``: where a relative ``key_file`` is.

        Raises:
            InputError: A key cannot be used.
            MissingExtraError: With ``jwt``, PyJWT is not installed.

        """
        self._networks = [ipaddress.ip_network(text) for text in settings.addresses]
        self._user = settings.user
        self._source: UserSource = (
            _SignedToken(settings.jwt, settings.user, folder)
            if settings.jwt
            else _PlainHeaders(settings.user)
        )

    def user(
        self, headers: Headers, address: str | None, names: Sequence[str]
    ) -> tuple[str, Attributes] | None:
        """Return the user and those of the attributes with these ``names`` that they have.

        Args:
            headers: the request's.
            address: the other end of the connection.
            names: claims or headers.

        Returns:
            None if the request does not come from the proxy, or names no user.

        """
        if address is None or not self._is_trusted(address):
            return None
        attributes = self._source.attributes(headers, [self._user, *names])
        user = None if attributes is None else attributes.get(self._user)
        return (user, attributes or {}) if isinstance(user, str) and user.strip() else None

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)  # ::ffff:10.0.0.5
        return any((mapped or parsed) in network for network in self._networks)


class _PlainHeaders:
    """Headers that the proxy sets, and that it removes from what clients send."""

    def __init__(self, user: str) -> None:
        self._user = user.lower()

    def attributes(self, headers: Headers, names: Sequence[str]) -> Attributes | None:
        attributes: dict[str, Value] = {}
        for name in names:
            values = headers.getlist(name)
            if len(values) > 1:
                return None  # the proxy's and one that a client sent: nobody can tell which
            if values:
                # A user's name may have a comma, which must not make two users of them.
                is_user = name.lower() == self._user
                attributes[name] = values[0].strip() if is_user else _listed(values[0])
        return attributes


class _SignedToken:
    """A JSON Web Token (RFC 7519) whose signature, audience, issuer and expiry are verified."""

    def __init__(self, settings: JwtSettings, user: str, folder: Path) -> None:
        try:
            import jwt
        except ImportError as error:
            raise MissingExtraError.of("jwt", "PyJWT", what="[proxy.jwt]") from error
        self._jwt = jwt
        self._settings = settings
        self._required = ["exp", "iss", "aud", user]
        self._secret = _secret(settings)
        self._keys = _public_keys(settings, folder)

    def attributes(self, headers: Headers, names: Sequence[str]) -> Attributes | None:
        values = headers.getlist(self._settings.header)
        if len(values) != 1:
            return None
        scheme, _, token = values[0].strip().rpartition(" ")
        if scheme.lower() not in ("", "bearer"):
            return None
        try:
            claims = self._verified(token)
        except (self._jwt.PyJWTError, ValueError, RecursionError):
            return None
        return {name: claims[name] for name in names if _is_value(claims.get(name))}

    def _verified(self, token: str) -> dict[str, Any]:
        settings = self._settings
        claims: dict[str, Any] = self._jwt.decode(
            token,
            self._key_of(token),
            algorithms=settings.algorithms,
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway,
            options={"require": self._required},
        )
        return claims

    def _key_of(self, token: str) -> Any:
        """The secret, or the key that the token's header names; the only one if it names none."""
        if self._secret is not None:
            return self._secret
        key_id = self._jwt.get_unverified_header(token).get("kid")
        if key_id in self._keys:
            return self._keys[key_id]
        if len(self._keys) == 1 and (key_id is None or None in self._keys):
            return next(iter(self._keys.values()))
        raise self._jwt.InvalidKeyError(f"no key has the id {key_id!r}")


def _secret(settings: JwtSettings) -> str | None:
    if settings.secret_env is None:
        return None
    secret = os.environ.get(settings.secret_env, "").strip()
    least = max(int(name.removeprefix("HS")) // 8 for name in settings.algorithms)  # RFC 7518, 3.2
    if len(secret.encode()) < least:
        raise InputError(
            f"the environment variable {settings.secret_env} has {len(secret.encode())} bytes; "
            f"expected the secret of the proxy's tokens, at least {least} bytes."
        )
    return secret


def _public_keys(settings: JwtSettings, folder: Path) -> dict[str | None, PyJWK | str]:
    """The keys by their ids; the one of a PEM file has none."""
    import jwt

    if settings.key_file is None:
        return {}
    path = folder / settings.key_file
    try:
        text = path.read_text(encoding="utf-8")
        if not text.lstrip().startswith("{"):
            jwt.get_algorithm_by_name(settings.algorithms[0]).prepare_key(text)
            return {None: text}
        every = jwt.PyJWKSet.from_dict(json.loads(text)).keys
        keys: dict[str | None, jwt.PyJWK | str] = {
            key.key_id: key for key in every if key.algorithm_name in settings.algorithms
        }
        if not keys:
            raise ValueError("none of its keys is for these; a key may name its own as 'alg'")
        return keys
    except (OSError, ValueError, TypeError, jwt.PyJWTError, NotImplementedError) as error:
        raise InputError(
            f"the key file {path} cannot be used: {error}. Expected a public key in PEM, or a JSON "
            f"Web Key Set, of an algorithm among {', '.join(settings.algorithms)}."
        ) from error


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _is_value(claim: object) -> bool:
    if isinstance(claim, list):
        return all(isinstance(part, str) for part in claim)
    return isinstance(claim, (str, int, float))
