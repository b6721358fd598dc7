"""JSON Web Tokens that a proxy sends: only those that it signed let anybody in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from starlette.datastructures import Headers

from ragkit.serving.access import Access, Identity
from support.access_rules import load, status, who
from support.restricted_corpus import PROXY, bearer

SECRET = "a secret of the proxy, 32 bytes and more"
RSA_KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
CLAIMS = {
    "sub": "ann", "aud": "ragkit", "iss": "https://login.example.org", "exp": 4102444800,
    "teams": ["press", "web"], "tenant": "north",
}  # fmt: skip
JWT_RULES = """
[proxy]
addresses = ["10.0.0.0/24"]
user = "sub"

[proxy.jwt]
{key}
audience = "ragkit"
issuer = "https://login.example.org"

[[group]]
name = "board"
when = {{ teams = "board" }}
everything = true

[[group]]
name = "tenant"
when = {{ teams = ["press", "sales"] }}
where = {{ tenant = {{ from = "tenant" }}, team = {{ from = "teams" }}, year = {{ min = 2020 }} }}
"""
RS256 = "algorithms = ['RS256', 'EdDSA']\nkey_file = 'key'"
HS256 = "algorithms = ['HS256']\nsecret_env = 'PROXY_SECRET'"


def key_set(*keys: Any) -> str:
    encoded = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": f"k{n}"}
        for n, key in enumerate(keys)
    ]
    return json.dumps({"keys": encoded})


def signed(
    claims: Mapping[str, Any], key: Any = RSA_KEY, algorithm: str = "RS256", **headers: str
) -> dict[str, str]:
    return bearer(jwt.encode(dict(claims), key, algorithm=algorithm, headers=headers or None))  # fmt: skip


@pytest.fixture
def by_key(tmp_path: Path) -> Access:
    (tmp_path / "key").write_bytes(PUBLIC_PEM)
    return load(tmp_path, JWT_RULES.format(key=RS256))


def test_the_claims_of_a_signed_token_choose_the_group_and_fill_its_conditions(
    by_key: Access,
) -> None:
    identity = who(by_key, signed(CLAIMS))
    assert isinstance(identity, Identity)
    assert (identity.user, identity.rule) == ("user ann", "tenant")
    assert identity.where == {"tenant": "north", "team": ["press", "web"], "year": {"min": 2020}}
    board = who(by_key, signed({**CLAIMS, "teams": "board"}))
    assert isinstance(board, Identity)
    assert board.where is None
    assert who(by_key, signed(CLAIMS), "192.0.2.7") == 401  # not the proxy


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"exp": 1}, 401), ({"exp": None}, 401), ({"nbf": 4102444800}, 401), ({"iat": 4102444800}, 401),
        ({"aud": "other"}, 401), ({"aud": None}, 401), ({"iss": "https://evil.example"}, 401),
        ({"iss": None}, 401), ({"sub": None}, 401), ({"sub": ""}, 401), ({"sub": 7}, 401), ({"exp": "soon"}, 401),
        ({"teams": None}, 403), ({"teams": ["Press"]}, 403), ({"teams": {"press": True}}, 403),
        ({"teams": [["press"]]}, 403), ({"tenant": None}, 403), ({"tenant": ""}, 403), ({"tenant": []}, 403),
        ({"tenant": {"min": ""}}, 403), ({"tenant": {"from": "sub"}}, 403),
    ],
)  # fmt: skip
def test_claims_that_are_missing_or_wrong_let_nobody_in(
    by_key: Access, changed: dict[str, Any], expected: int
) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    assert who(by_key, signed(claims)) == expected


def test_tokens_that_the_proxy_did_not_sign_let_nobody_in(by_key: Access) -> None:
    good = signed(CLAIMS)["authorization"]
    head, body, signature = good.removeprefix("Bearer ").split(".")
    unsigned = jwt.encode(CLAIMS, None, algorithm="none")  # type: ignore[arg-type]
    forged = jwt.PyJWS().encode(json.dumps(CLAIMS).encode(), SECRET.encode(), algorithm="HS256")
    for value in (
        signed(CLAIMS, OTHER_KEY)["authorization"],
        signed(CLAIMS, algorithm="RS512")["authorization"],
        signed(CLAIMS, ed25519.Ed25519PrivateKey.generate(), "EdDSA")["authorization"],
        f"Bearer {unsigned}", f"Bearer {forged}", f"Bearer {head}.{body}.", f"Bearer {head}.{body}",
        f"Bearer {head}.{body[:-2]}.{signature}", f"Basic {head}.{body}.{signature}", "Bearer", "",
        f"Bearer {'[' * 60_000}.x.y",
    ):  # fmt: skip
        assert who(by_key, {"authorization": value}) == 401
    raw = [(b"authorization", good.encode())] * 2
    assert status(by_key.identify(Headers(raw=raw), PROXY)) == 401


def test_the_public_key_is_not_taken_for_a_secret(by_key: Access) -> None:
    """The attack on libraries that let the token choose its algorithm (CVE-2015-9235)."""
    import base64
    import hashlib
    import hmac

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    text = f"{head}.{part(json.dumps(CLAIMS).encode())}"
    signature = part(hmac.digest(PUBLIC_PEM, text.encode(), hashlib.sha256))
    assert who(by_key, bearer(f"{text}.{signature}")) == 401


def test_a_key_set_may_have_several_keys(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(key_set(RSA_KEY, OTHER_KEY), encoding="utf-8")
    access = load(tmp_path, JWT_RULES.format(key=RS256))
    assert isinstance(who(access, signed(CLAIMS, RSA_KEY, kid="k0")), Identity)
    assert isinstance(who(access, signed(CLAIMS, OTHER_KEY, kid="k1")), Identity)
    for headers in ({"kid": "k1"}, {"kid": "k2"}, {}):
        assert who(access, signed(CLAIMS, RSA_KEY, **headers)) == 401


def test_a_secret_of_the_environment_verifies_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_SECRET", SECRET)
    access = load(tmp_path, JWT_RULES.format(key=f"{HS256}\nheader = 'X-Jwt'"))
    token = jwt.encode(CLAIMS, SECRET, algorithm="HS256")
    assert isinstance(who(access, {"x-jwt": token}), Identity)
    assert who(access, bearer(token)) == 401  # another header
    assert who(access, {"x-jwt": jwt.encode(CLAIMS, SECRET[::-1], algorithm="HS256")}) == 401


def test_a_user_whose_claims_change_is_another_caller(by_key: Access) -> None:
    """So that a conversation does not show what was read before."""
    before, after = who(by_key, signed(CLAIMS)), who(by_key, signed({**CLAIMS, "tenant": "south"}))
    assert isinstance(before, Identity)
    assert isinstance(after, Identity)
    assert before.user == after.user
    assert before.key != after.key
