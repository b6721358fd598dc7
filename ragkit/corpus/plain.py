"""Plain text: the document's text is the decoded file, its sections come from ``==`` lines.

Where there are none, they come from underlined lines, as a README has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all
from ragkit.corpus.headings import BOM, Heading, line_headings, page_sections
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.rst import underlined_headings

__all__ = ["parse"]

# A rule across the page and one below the names of columns are longer than what they are under.
_UNDERLINED = re.compile(
    r"(?:\W*\n)?[ \t]*(?P<title>\w[^\r\n]*?)[ \t]*\r?\n[ \t]*(?P<rule>[=~*#^+-]{3,})\s*\Z"
)
_MOST_LONGER = 3
_COLUMNS = re.compile(r"\S(?: {3,}|\t)\S|\||[.,;:]\Z")


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    text = decode(read_all(file, str(path)), str(path))
    headings = line_headings(text) or list(_underlined(text))
    sections, title = page_sections(text, headings)
    yield ParsedDocument(text, sections, title=title)


def _underlined(text: str) -> Iterator[Heading]:
    for heading in underlined_headings(text):
        match = _UNDERLINED.match(text[heading.start : heading.end].lstrip(BOM))
        is_long = match is None or len(match["rule"]) > len(heading.title) + _MOST_LONGER
        if not is_long and not _COLUMNS.search(heading.title):
            yield heading
