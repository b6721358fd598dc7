"""What ``access.toml`` makes of a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers

from ragkit.serving.access import Access, Identity
from support.restricted_corpus import PROXY


def status(outcome: object) -> int:
    return getattr(outcome, "status", 200)


def who(access: Access, headers: Mapping[str, str], address: str | None = PROXY) -> Identity | int:
    outcome = access.identify(Headers(headers), address)
    return outcome if isinstance(outcome, Identity) else outcome.status


def load(folder: Path, text: str) -> Access:
    (folder / "rules.toml").write_text(text, encoding="utf-8")
    return Access.load(folder / "rules.toml")
