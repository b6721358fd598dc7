"""PDF (ISO 32000-2), parsed by PDFium: the text of the pages, and where each page begins.

Columns are read one after the other, rows of tables are lines, running heads and feet are left
out, and a sentence goes on over the end of a page. Sections come from the entries of the outline
that are lines of their page; without any, from the lines in a larger or bolder font.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ragkit.corpus.headings import sections_between, split_title
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.pdf_headings import (
    PageLine,
    body_style,
    headings_by_font,
    headings_by_outline,
)
from ragkit.corpus.pdf_lines import Box, Line
from ragkit.corpus.pdf_margins import without_margins
from ragkit.corpus.pdf_pages import PdfContent, parse_pages
from ragkit.corpus.pdf_text import JoinedText, with_notes_moved
from ragkit.errors import SourceError
from ragkit.text.spans import Span
from ragkit.types import MetadataValue

__all__ = ["PlacedWord", "parse", "place_words"]

_log = logging.getLogger("ragkit")
_WORD = re.compile(r"\S+")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-]\d\d)'?(\d\d)?)?")
# Titles that programs write when they know none.
_NO_TITLE = re.compile(
    r"untitled.*|microsoft (?:word|powerpoint|excel) - .*|.*\.(?:docx?|dvi|indd|odt|pdf|tex|qxd)",
    re.IGNORECASE,
)


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    content = parse_pages(file, path)
    pages, body = _pages(content)
    empty = [number for number, lines in enumerate(pages, 1) if not lines]
    if len(empty) == len(pages):
        raise SourceError(
            f"{path} has no text on its {len(pages)} pages: it may be scanned. Recognise its text "
            f"first, e.g.: ocrmypdf IN.pdf OUT.pdf"
        )
    if empty:
        _log.warning(
            "%s has no text on %d of its %d pages: %s. If these are scanned, recognise their text "
            "first, e.g.: ocrmypdf --skip-text IN.pdf OUT.pdf",
            *(path, len(empty), len(pages), _ranges(empty)),
        )
    yield _document(content, pages, body)


class PlacedWord(NamedTuple):
    """A word of a PDF's text: its span, its page from 0, its line's number, and its box there."""

    span: Span
    page: int
    line: int
    box: Box


def place_words(data: bytes, path: Path) -> tuple[str, list[PlacedWord]]:
    """Return the text of a PDF as ``parse`` does, and where each of its words is drawn.

    Both halves of a word that the end of a line breaks have a place.
    """
    content = parse_pages(BytesIO(data), path, with_boxes=True)
    lines, joined, _ = _joined(content, *_pages(content))
    words = []
    for number, ((page, line), (start, end)) in enumerate(zip(lines, joined.spans, strict=True)):
        places = zip(_WORD.finditer(line.text), line.boxes, strict=True)
        for word, box in places:
            span = Span(start + word.start(), min(start + word.end(), end))
            words.append(PlacedWord(span, page, number, box))
    return joined.text, words


def _pages(content: PdfContent) -> tuple[list[list[Line]], tuple[float, bool]]:
    """Return the lines of each page without margins, and the style of the text."""
    body = body_style(list(chain.from_iterable(content.pages)))
    return without_margins(content.pages, body[0]), body


def _joined(
    content: PdfContent, pages: Sequence[Sequence[Line]], body: tuple[float, bool]
) -> tuple[list[PageLine], JoinedText, bool]:
    """Return the lines in their final order, joined, and whether an outline names headings."""
    lines = [PageLine(number, line) for number, page in enumerate(pages) for line in page]
    lines = with_notes_moved(lines, body[0])
    outlined = headings_by_outline(lines, content.outline)
    headings = outlined or headings_by_font(lines, body)
    return lines, JoinedText(lines, headings, len(pages)), bool(outlined)


def _document(
    content: PdfContent, pages: Sequence[Sequence[Line]], body: tuple[float, bool]
) -> ParsedDocument:
    _, joined, is_outlined = _joined(content, pages, body)
    title, metadata = _properties(content.properties)
    headings, heading_title = joined.headings, None
    if not is_outlined:
        headings, heading_title = split_title(joined.headings, title)
    return ParsedDocument(
        joined.text,
        sections_between(joined.text, headings),
        title=title or heading_title,
        metadata=metadata,
        pages=joined.pages,
    )


def _properties(properties: Mapping[str, str]) -> tuple[str | None, dict[str, MetadataValue]]:
    """Return title, and date and tags, from the document's properties."""
    metadata: dict[str, MetadataValue] = {}
    date = _date(properties.get("CreationDate", ""))
    if date:
        metadata["date"] = date
    keywords = properties.get("Keywords", "").split(",")
    tags = tuple(keyword.strip() for keyword in keywords if keyword.strip())
    if tags:
        metadata["tags"] = tags
    title = properties.get("Title", "").strip()
    return None if _NO_TITLE.fullmatch(title) else title or None, metadata


def _date(text: str) -> str | None:
    """``D:20200102030405+01'00'`` → ``2020-01-02T03:04:05+01:00``."""
    match = _DATE.match(text)
    if not match:
        return None
    year, month, day, hour, minute, second, _, zone, zone_minute = match.groups()
    offset = f"{zone}:{zone_minute or '00'}" if zone else "+00:00"
    time = f"{hour or '00'}:{minute or '00'}:{second or '00'}"
    try:
        parsed = datetime.fromisoformat(f"{year}-{month or '01'}-{day or '01'}T{time}{offset}")
    except ValueError:
        return None
    return parsed.isoformat()


def _ranges(numbers: Sequence[int]) -> str:
    """``[1, 2, 3, 7]`` → ``1–3, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}–{b}" if a != b else str(a) for a, b in runs)
