"""Front matter: metadata at the top of a Markdown file, as YAML (``---``) or TOML (``+++``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ragkit.corpus.decoding import replace_surrogates
from ragkit.corpus.metadata import FileMetadata, metadata_value, split_names
from ragkit.errors import SourceError
from ragkit.text.spans import lines
from ragkit.types import MetadataValue

__all__ = ["parse_front_matter"]

_MAX_DEPTH = 32
"""Limit on nested values, since the time of PyYAML and of tomllib is quadratic in their depth."""

_OPENING = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*(?:\r\n|\r|\n)")
_ENDS = {
    "---": re.compile(r"(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n)?\Z"),
    "+++": re.compile(r"\+\+\+[ \t]*(?:\r\n|\r|\n)?\Z"),
}
# What the first line is that is no comment; else the mark is a rule across the page.
_FIRST_KEY = re.compile(r"""\s*(?:#[^\r\n]*[\r\n]\s*)*[\w"'][\w "'.-]*:(?:\s|\Z)""")
_FIRST_TOML_KEY = re.compile(r"""\s*(?:#[^\r\n]*[\r\n]\s*)*(?:\[|[\w"'][\w "'.-]*=)""")
_DEEP_TOML_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\r\n]*+"|'[^'\r\n]*+')[ \t]*+\.[ \t]*+){{{_MAX_DEPTH}}}"""
)


def parse_front_matter(text: str, path: Path) -> tuple[FileMetadata, int]:
    """Return the metadata, without nested values, and the offset at which front matter ends.

    Args:
        text: the whole file.
        path: the file, for messages.

    Raises:
        SourceError: the front matter is neither valid YAML nor TOML.

    """
    opening = _OPENING.match(text)
    if opening is None:
        return FileMetadata(), 0
    mark = opening[1]
    for line in lines(text, opening.end()):
        if _ENDS[mark].match(text, line.start, line.end):
            source = text[opening.end() : line.start]
            values = _parse_yaml(source, path) if mark == "---" else _parse_toml(source, path)
            if values is None:
                break
            flat = {key: value for key, value in values.items() if value is not None}
            return split_names(flat), line.end
    return FileMetadata(), 0


def _parse_toml(source: str, path: Path) -> dict[str, MetadataValue | None] | None:
    """Parse TOML; None if it is none."""
    import tomllib

    if source.strip() and not _FIRST_TOML_KEY.match(source):
        return None
    try:
        if _DEEP_TOML_KEY.search(source):
            raise ValueError(f"a key has more than {_MAX_DEPTH} parts")
        content = tomllib.loads(source.replace("\r\n", "\n").replace("\r", "\n"))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(
            f"the front matter of {path}, between its +++ lines, is not valid TOML: {reason}. "
            f'Correct it (a text requires quotes: title = "A"), or remove it.'
        ) from error
    return _flat(content)


def _flat(content: Mapping[Any, Any]) -> dict[str, MetadataValue | None]:
    return {replace_surrogates(str(key)): metadata_value(v) for key, v in content.items()}


def _parse_yaml(source: str, path: Path) -> dict[str, MetadataValue | None] | None:
    """Parse YAML; None if it is none."""
    import yaml

    if source.strip() and not _FIRST_KEY.match(source):
        return None
    try:
        _refuse_costly(source)
        content = yaml.safe_load(source) or {}
        if not isinstance(content, dict):
            return None
        return _flat(content)
    except Exception as error:  # a value that does not fit its tag makes PyYAML raise anything
        reason = " ".join(str(error).split())
        raise SourceError(
            f"the front matter of {path}, between its --- lines, is not valid YAML: {reason}. "
            f'Correct it (a value with a colon requires quotes: title: "A: B"), or remove it.'
        ) from error


def _refuse_costly(source: str) -> None:
    """Raise ValueError for YAML that would take minutes or gigabytes to load."""
    import yaml

    depth = 0
    for event in yaml.parse(source):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases are not allowed, since a few lines can expand to gigabytes")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError(f"values are nested more than {_MAX_DEPTH} deep")
