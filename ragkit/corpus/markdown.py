"""Markdown: the stored text is the file's own, so that offsets can be checked against the file.

Structure is CommonMark's (https://spec.commonmark.org/0.31.2/), read by markdown-it-py: ATX and
setext headings that stand at the outermost level, not inside code, HTML, lists or quotations. YAML
front matter between ``---`` lines at the top is read as metadata and lies in no section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ragkit.corpus.base import Read
from ragkit.corpus.decoding import decode, read_whole, without_surrogates
from ragkit.corpus.headings import BOM, LONGEST_HEADING, Heading, sections_between, with_title
from ragkit.corpus.metadata import About, about, flat
from ragkit.errors import SourceError
from ragkit.text.lines import lines
from ragkit.types import MetadataValue

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["read"]

_DEEPEST = 32
"""So deep values in front matter may be nested: PyYAML's time grows with the square of that."""

_FRONT = re.compile(r"\ufeff?---[ \t]*(?:\r\n|\r|\n)")
_FRONT_END = re.compile(r"(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n)?\Z")
_KEY = re.compile(r"""\s*(?:#[^\r\n]*[\r\n]\s*)*[\w"'][\w "'.-]*:(?:\s|\Z)""")


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    text = decode(read_whole(file, str(path)), str(path))
    said, start = _front_matter(text, path)
    headings, title = with_title(list(_headings(text, start)))
    yield Read(
        text,
        sections_between(text, headings, start),
        title=said.title or title,
        url=said.url,
        id=said.id,
        metadata=said.metadata,
    )


def _front_matter(text: str, path: Path) -> tuple[About, int]:
    """What it says, and where it ends. Nested values are for other programs, and left out."""
    opened = _FRONT.match(text)
    if opened is None:
        return About(), 0
    for line in lines(text, opened.end()):
        if _FRONT_END.match(text, line.start, line.end):
            content = _mapping(text[opened.end() : line.start], path)
            if content is None:
                break
            return about({k: v for k, v in content.items() if v is not None}), line.end
    return About(), 0


def _mapping(source: str, path: Path) -> dict[str, MetadataValue | None] | None:
    """YAML keys and flat values, or None where ``---`` was only a line across the page."""
    import yaml

    if source.strip() and not _KEY.match(source):
        return None
    try:
        _refuse_costly(source)
        content = yaml.safe_load(source) or {}
        if not isinstance(content, dict):
            return None
        return {without_surrogates(str(key)): flat(value) for key, value in content.items()}
    except Exception as error:  # a value that is not what its tag says makes YAML raise anything
        said = " ".join(str(error).split())
        raise SourceError(
            f"the front matter of {path}, between its --- lines, is no YAML: {said}. Mend it (a "
            f'value with a colon needs quotes: title: "A: B"), or remove it.'
        ) from error


def _refuse_costly(source: str) -> None:
    """Raises ValueError for YAML that would take minutes or gigabytes."""
    import yaml

    depth = 0
    for event in yaml.parse(source):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("an alias, by which a few lines stand for gigabytes")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"values nested more than {_DEEPEST} deep")


def _headings(text: str, start: int) -> Iterator[Heading]:
    body = text[start:]
    spans = list(lines(text, start))
    # As many characters, so that a first heading behind a byte order mark is one.
    source = " " + body[1:] if body.startswith(BOM) else body
    tokens = _blocks().parse(source)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            first, last = spans[opening.map[0]], spans[opening.map[1] - 1]
            title = _title(inline.content)
            if 0 < len(title) <= LONGEST_HEADING:
                yield Heading(int(opening.tag[1:]), title, first.start, last.end)


def _title(source: str) -> str:
    """A heading's text without marks: ``*A* `b` [c](d)`` → ``A b c``."""
    if len(source) <= LONGEST_HEADING:
        [inline] = _inlines().parseInline(source)
        breaks = ("softbreak", "hardbreak")
        source = "".join(
            " " if part.type in breaks else part.content
            for part in inline.children or ()
            if part.type != "html_inline"
        )
    return " ".join(source.split())


@cache
def _blocks() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Only blocks are wanted, and inlines are most of the work.
    return MarkdownIt("commonmark").disable("inline")


@cache
def _inlines() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
