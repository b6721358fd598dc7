"""Checksums: of a file, and JSON that carries its own, so that damage shows before belief."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SealBrokenError", "file_sha256", "seal", "unseal"]


class SealBrokenError(ValueError):
    """The content is not what its checksum says, or is no sealed JSON at all."""


def file_sha256(path: Path) -> str:
    """Of a file's content, read piece by piece. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(content: Mapping[str, Any]) -> bytes:
    """``content`` as indented JSON with a last field ``checksum``, the sha256 of the rest."""
    sealed = {**content, "checksum": _checksum(content)}
    return (json.dumps(sealed, ensure_ascii=False, indent=2) + "\n").encode()


def unseal(data: bytes) -> dict[str, Any]:
    """What was sealed. Raises SealBrokenError if any byte is another than ``seal`` wrote."""
    try:
        content = json.loads(data)
        claimed = content.pop("checksum", None)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise SealBrokenError(f"it is no JSON object ({type(error).__name__})") from error
    found = _checksum(content)
    if claimed != found:
        raise SealBrokenError(f"its checksum is {found}, but it says {claimed}")
    if seal(content) != data:
        raise SealBrokenError("its layout is not what ragkit writes")
    return dict(content)


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
