"""Markdown: the document's text is the decoded file, so that offsets match the file.

Sections come from ATX and setext headings at the outermost level (not inside code, HTML, lists or
quotations), as markdown-it-py finds them by CommonMark (https://spec.commonmark.org/0.31.2/). YAML
front matter between ``---`` lines at the top becomes metadata and lies in no section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ragkit.corpus.decoding import decode, read_all, replace_surrogates
from ragkit.corpus.headings import (
    BOM,
    MAX_HEADING_LENGTH,
    Heading,
    sections_between,
    split_title,
)
from ragkit.corpus.metadata import FileMetadata, metadata_value, split_names
from ragkit.corpus.parser import ParsedDocument
from ragkit.errors import SourceError
from ragkit.text.spans import lines
from ragkit.types import MetadataValue

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["parse"]

_MAX_YAML_DEPTH = 32
"""Limit on nested values, since the time of PyYAML is quadratic in their depth."""

_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*(?:\r\n|\r|\n)")
_FRONT_MATTER_END = re.compile(r"(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n)?\Z")
_FIRST_KEY = re.compile(r"""\s*(?:#[^\r\n]*[\r\n]\s*)*[\w"'][\w "'.-]*:(?:\s|\Z)""")


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    text = decode(read_all(file, str(path)), str(path))
    metadata, start = _front_matter(text, path)
    headings, title = split_title(list(_headings(text, start)))
    yield ParsedDocument(
        text,
        sections_between(text, headings, start),
        title=metadata.title or title,
        url=metadata.url,
        id=metadata.id,
        metadata=metadata.properties,
    )


def _front_matter(text: str, path: Path) -> tuple[FileMetadata, int]:
    """Return the metadata, without nested values, and the offset at which front matter ends."""
    opening = _FRONT_MATTER.match(text)
    if opening is None:
        return FileMetadata(), 0
    for line in lines(text, opening.end()):
        if _FRONT_MATTER_END.match(text, line.start, line.end):
            values = _parse_yaml(text[opening.end() : line.start], path)
            if values is None:
                break
            flat = {key: value for key, value in values.items() if value is not None}
            return split_names(flat), line.end
    return FileMetadata(), 0


def _parse_yaml(source: str, path: Path) -> dict[str, MetadataValue | None] | None:
    """Parse front matter; None if it is none, since ``---`` can also be a rule across the page."""
    import yaml

    if source.strip() and not _FIRST_KEY.match(source):
        return None
    try:
        _refuse_costly(source)
        content = yaml.safe_load(source) or {}
        if not isinstance(content, dict):
            return None
        return {replace_surrogates(str(key)): metadata_value(v) for key, v in content.items()}
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
        if depth > _MAX_YAML_DEPTH:
            raise ValueError(f"values are nested more than {_MAX_YAML_DEPTH} deep")


def _headings(text: str, start: int) -> Iterator[Heading]:
    body = text[start:]
    spans = list(lines(text, start))
    # A byte order mark becomes a space, so that a heading after it is found, at the same offset.
    source = " " + body[1:] if body.startswith(BOM) else body
    tokens = _block_parser().parse(source)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            first, last = spans[opening.map[0]], spans[opening.map[1] - 1]
            title = _heading_title(inline.content)
            if 0 < len(title) <= MAX_HEADING_LENGTH:
                yield Heading(int(opening.tag[1:]), title, first.start, last.end)


def _heading_title(source: str) -> str:
    """Remove the markup from a heading: ``*A* `b` [c](d)`` → ``A b c``."""
    if len(source) <= MAX_HEADING_LENGTH:
        [inline] = _inline_parser().parseInline(source)
        breaks = ("softbreak", "hardbreak")
        source = "".join(
            " " if part.type in breaks else part.content
            for part in inline.children or ()
            if part.type != "html_inline"
        )
    return " ".join(source.split())


@cache
def _block_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Inline markup is most of the work, and only headings need it.
    return MarkdownIt("commonmark").disable("inline")


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
