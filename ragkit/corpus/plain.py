"""Plain text: the document's text is the decoded file, its sections come from ``==`` lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all
from ragkit.corpus.headings import line_headings, page_sections
from ragkit.corpus.parser import ParsedDocument

__all__ = ["parse"]


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    text = decode(read_all(file, str(path)), str(path))
    sections, title = page_sections(text, line_headings(text))
    yield ParsedDocument(text, sections, title=title)
