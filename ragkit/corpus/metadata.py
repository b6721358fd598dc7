"""Properties of a document, from its front matter or from a file next to its own.

That file is ``minutes.docx.meta.json`` or ``minutes.meta.json``. If both exist, only the one
with the whole name is used, since the other may belong to ``minutes.pdf``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ragkit.corpus.decoding import replace_surrogates
from ragkit.corpus.formats import split_suffix
from ragkit.errors import SourceError
from ragkit.text.languages import primary_language
from ragkit.types import MetadataValue

__all__ = ["METADATA_SUFFIX", "FileMetadata", "load_metadata", "metadata_value", "split_names"]

METADATA_SUFFIX = ".meta.json"

_NAMES = ("title", "url", "id")
_INTEGER_LIMIT = 2**63
"""Databases and indexes store no larger number, and Python refuses to print 4,301 digits."""


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What a file of metadata, or front matter, sets: names, and all other ``properties``."""

    title: str | None = None
    url: str | None = None
    id: str | None = None
    language: str | None = None
    properties: Mapping[str, MetadataValue] = field(default_factory=dict)


def split_names(content: Mapping[str, MetadataValue]) -> FileMetadata:
    """Separate ``title``, ``url``, ``id`` and ``language`` from the other properties.

    A language that is no tag such as ``de-AT`` stays a property. ``lang`` names it too.
    """
    title, url, name = (_name(content.get(key)) for key in _NAMES)
    properties = {key: value for key, value in content.items() if key not in _NAMES}
    language = _language(properties.get("language"))
    if language:
        del properties["language"]
    return FileMetadata(title, url, name, language or _language(properties.get("lang")), properties)


def _language(value: MetadataValue | None) -> str | None:
    return primary_language(value) if isinstance(value, str) else None


def _name(value: MetadataValue | None) -> str | None:
    name = str(value) if value and not isinstance(value, tuple) else ""
    return name if name.strip() else None


def load_metadata(path: Path) -> FileMetadata:
    """Load the metadata of the file ``path``; empty if no file has any.

    Raises:
        SourceError: the file is not a JSON object of flat values, or a link to another folder.

    """
    for name in (path.name, split_suffix(path)[0]):
        file = path.parent / (name + METADATA_SUFFIX)
        if os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises for a name that is too long
            return _load(file, path.parent)
    return FileMetadata()


def _load(file: Path, parent: Path) -> FileMetadata:
    real, folder = Path(os.path.realpath(file)), Path(os.path.realpath(parent))
    if file.is_symlink() and folder not in real.parents:
        # The folder's author may have no permission to read the target.
        raise SourceError(
            f"{file} is a link to {real}; expected a file in the same folder. Replace the link by "
            f"a copy, or remove it."
        )
    try:
        content = json.loads(file.read_bytes())  # which detects UTF-16 and byte order marks
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(
            f"{file} cannot be parsed as JSON: {error}. Correct or remove it."
        ) from error
    if not isinstance(content, dict):
        raise SourceError(f"{file} contains a {type(content).__name__}; expected a JSON object.")
    return split_names(_flat_values(content, file))


def _flat_values(content: Mapping[str, Any], file: Path) -> dict[str, MetadataValue]:
    """Convert the values of a file of metadata, without those that are null."""
    values: dict[str, MetadataValue] = {}
    for key, original in content.items():
        if original is None:
            continue
        value = metadata_value(original)
        if value is None or (key in _NAMES and isinstance(value, tuple)):
            raise SourceError(
                f"{file} sets {key!r} to {json.dumps(original)[:80]}; expected a text, a number, "
                f"true or false, or a list of these; for title, url and id a single text. Flatten "
                f"or remove it."
            )
        values[replace_surrogates(key)] = value
    return values


def metadata_value(value: Any) -> MetadataValue | None:
    """Convert a JSON or YAML value to one of a document's metadata.

    Returns:
        A text, number or truth value, or a tuple of texts for a list; None for a nested value, a
        number that is not finite or too large, and anything else.

    """
    if isinstance(value, (list, tuple)):
        # A list in a list is not visited: it may contain itself.
        parts = [
            None if isinstance(part, (list, tuple)) else metadata_value(part) for part in value
        ]
        return None if None in parts else tuple(str(part) for part in parts)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, int):
        return value if -_INTEGER_LIMIT < value < _INTEGER_LIMIT else None
    return value if isinstance(value, float) and math.isfinite(value) else None
