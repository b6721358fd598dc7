"""The interface of a format's parser, and what all parsers need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ragkit.errors import MissingExtraError
from ragkit.types import MetadataValue, Section

__all__ = ["ParsedDocument", "Parser", "requires_extra"]


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One document as its file describes it: its text, and what the file itself calls it.

    Attributes:
        text: the text that all offsets refer to.
        sections: as in ``Document``.
        title: the title in the file, or None.
        url: the web address in the file, or None.
        id: the id in the file, or None.
        part: a name for one of several documents in a file, unique in it, or None; the document's
            id is then the file's with this behind it.
        metadata: other properties in the file.
        pages: as in ``Document``; empty for formats without pages.
        language: the language in the file, as in ``Document``, or None.

    """

    text: str
    sections: tuple[Section, ...]
    title: str | None = None
    url: str | None = None
    id: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    pages: tuple[int, ...] = ()
    language: str | None = None
    part: str | None = None


Parser = Callable[[BinaryIO, Path], Iterator[ParsedDocument]]
"""Parses an open file; the path is for messages and tells variants of a format apart.

Yields the file's documents in order, always the same for the same bytes. Raises SourceError for
bytes that it cannot parse.
"""


@contextmanager
def requires_extra(name: str, path: Path) -> Iterator[None]:
    """Wrap the import of a parser's library: where it is missing, say which extra to install."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"parsing {path} requires {error.name or 'a library'}, which is not installed. Install "
            f"it: pip install 'ragkit-cited[{name}]'"
        ) from error
