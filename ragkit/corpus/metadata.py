"""What is said about a document: by ``NAME.meta.json`` beside it, or by its own front matter."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ragkit.corpus.decoding import without_surrogates
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["About", "about", "beside", "flat"]

_NAMES = ("title", "url", "id")
_HUGE = 2**63
"""No number of a database or an index is larger, and Python writes out none of 4,301 digits."""


@dataclass(frozen=True, slots=True)
class About:
    """``title``, ``url`` and ``id`` as they were said; all else is ``metadata``."""

    title: str | None = None
    url: str | None = None
    id: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


def about(content: Mapping[str, MetadataValue]) -> About:
    """Three keys name the document, the others describe it."""
    title, url, name = (_text(content.get(key)) for key in _NAMES)
    rest = {key: value for key, value in content.items() if key not in _NAMES}
    return About(title, url, name, rest)


def _text(value: MetadataValue | None) -> str | None:
    said = str(value) if value and not isinstance(value, tuple) else ""
    return said if said.strip() else None


def beside(path: Path, stem: str) -> About:
    """What ``STEM.meta.json`` in the same folder says; nothing if there is none."""
    file = path.with_name(f"{stem}.meta.json")
    if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises for a name that is too long
        return About()
    real, folder = Path(os.path.realpath(file)), Path(os.path.realpath(path.parent))
    if file.is_symlink() and folder not in real.parents:
        # Who made the folder may link to what he could not read himself.
        raise SourceError(
            f"{file} is a link to {real}; expected a file of this folder. Put a copy there, or "
            f"remove it."
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file} cannot be read as JSON: {error}. Mend or remove it.") from error
    if not isinstance(content, dict):
        raise SourceError(f"{file} holds a {type(content).__name__}; expected a JSON object.")
    values = {key: flat(value) for key, value in content.items() if value is not None}
    for key, value in values.items():
        if value is None or (key in _NAMES and isinstance(value, tuple)):
            raise SourceError(
                f"{file} says {key!r}: {json.dumps(content[key])[:80]}; expected a text, a number, "
                f"a truth value, or a list of those, and one text for title, url and id. Flatten "
                f"or remove it."
            )
    return about({without_surrogates(k): v for k, v in values.items() if v is not None})


def flat(value: Any) -> MetadataValue | None:
    """A value as a document's metadata takes it; None for one that is nested, or no value."""
    if isinstance(value, (list, tuple)):
        # A list in a list is not read at all: it may hold itself.
        parts = [None if isinstance(part, (list, tuple)) else flat(part) for part in value]
        return None if None in parts else tuple(str(part) for part in parts)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, int):
        return value if -_HUGE < value < _HUGE else None
    return value if isinstance(value, float) and math.isfinite(value) else None
