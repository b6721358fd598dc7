"""PDF (ISO 32000-2), parsed by pypdf: the text of each page, and where each page begins.

Lines stay as the page breaks them, hyphens included. Sections come from the entries of the outline
whose title is a line of the page that they refer to; without any, the text is one section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ragkit.corpus.decoding import replace_surrogates
from ragkit.corpus.headings import MAX_HEADING_LENGTH, Heading, is_visible, sections_between
from ragkit.corpus.parser import ParsedDocument, requires_extra
from ragkit.errors import MissingExtraError, SourceError
from ragkit.text.spans import Span, lines
from ragkit.types import MetadataValue

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["parse"]

_SECTION_NUMBER = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){0,5}|[A-Z](?:\.\d{1,3}){1,5})[.)]? (?=\S)")
_BETWEEN_PAGES = "\n\n"


class _OutlineEntry(NamedTuple):
    """``level`` counts from 1, ``page`` from 0."""

    level: int
    title: str
    page: int


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    with requires_extra("documents", path):
        from pypdf import PdfReader
    try:
        document = _parse(PdfReader(file), path)
    except (SourceError, MissingExtraError):
        raise
    except Exception as error:  # a damaged file makes pypdf raise anything
        raise SourceError(
            f"{path} is not a readable PDF: {type(error).__name__}: {error}. Save it again with "
            f"the program that created it, or convert it to text."
        ) from error
    yield document


def _parse(reader: PdfReader, path: Path) -> ParsedDocument:
    if reader.is_encrypted:
        _decrypt(reader, path)
    pages = [_page_text(page) for page in reader.pages]
    text = _BETWEEN_PAGES.join(pages)
    if not is_visible(text):
        raise SourceError(
            f"{path} has no text on its {len(pages)} pages: it may be scanned. Recognise its text "
            f"first, e.g.: ocrmypdf IN.pdf OUT.pdf"
        )
    ends = accumulate((len(page) + len(_BETWEEN_PAGES) for page in pages), initial=0)
    # An empty last page begins at the end of the text.
    page_starts = tuple(min(start, len(text)) for start in list(ends)[:-1])
    title, metadata = _properties(reader)
    sections = sections_between(text, _headings(text, page_starts, _outline(reader)))
    return ParsedDocument(text, sections, title=title, metadata=metadata, pages=page_starts)


def _decrypt(reader: PdfReader, path: Path) -> None:
    """Open an encrypted file with the empty password, as files are that only forbid printing."""
    from pypdf.errors import DependencyError

    try:
        is_open = bool(reader.decrypt(""))
    except DependencyError as error:
        raise SourceError(
            f"{path} is encrypted: {error}. Install it: pip install cryptography"
        ) from error
    if not is_open:
        raise SourceError(f"{path} is encrypted with a password. Save a copy without one.")


def _page_text(page: Any) -> str:
    text = replace_surrogates(page.extract_text()).replace("\0", "\ufffd")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _properties(reader: PdfReader) -> tuple[str | None, dict[str, MetadataValue]]:
    """Return title, and date and tags, from the document's properties."""
    properties = reader.metadata
    if properties is None:
        return None, {}
    metadata: dict[str, MetadataValue] = {}
    if properties.creation_date:
        metadata["date"] = properties.creation_date.isoformat()
    keywords = replace_surrogates(properties.keywords or "").split(",")
    tags = tuple(keyword.strip() for keyword in keywords if keyword.strip())
    if tags:
        metadata["tags"] = tags
    title = replace_surrogates(properties.title or "").replace("\0", "")
    return " ".join(title.split()) or None, metadata


def _outline(reader: PdfReader) -> list[_OutlineEntry]:
    """Return the outline's entries that refer to a page; empty if the outline is damaged."""
    entries: list[_OutlineEntry] = []
    try:
        pending: list[tuple[int, Any]] = [(0, reader.outline)]
        while pending:
            level, item = pending.pop()
            if isinstance(item, list):
                pending += [(level + 1, child) for child in reversed(item)]
                continue
            page = reader.get_destination_page_number(item)
            title = " ".join(replace_surrogates(str(item.title)).split())
            if page is not None and page >= 0 and 0 < len(title) <= MAX_HEADING_LENGTH:
                entries.append(_OutlineEntry(min(level, 6), title, page))
    except Exception:  # pypdf raises anything; the pages can be parsed all the same
        return []
    return entries


def _headings(
    text: str, page_starts: tuple[int, ...], outline: list[_OutlineEntry]
) -> list[Heading]:
    """Return the outline's entries that are lines of their page, in order."""
    headings: list[Heading] = []
    lines_of_page: dict[int, dict[str, list[Span]]] = {}
    for level, title, page in outline:
        if page not in lines_of_page:
            end = page_starts[page + 1] if page + 1 < len(page_starts) else len(text)
            lines_of_page[page] = _lines_by_content(text, page_starts[page], end)
        candidates = lines_of_page[page].get(_without_number(title), [])
        previous_end = headings[-1].end if headings else 0
        if candidates and candidates[0].start >= previous_end:
            headings.append(Heading(level, title, *candidates.pop(0)))
    return headings


def _lines_by_content(text: str, start: int, end: int) -> dict[str, list[Span]]:
    by_content: dict[str, list[Span]] = {}
    for line in lines(text, start, end):
        content = " ".join(text[line.start : line.end].split())
        by_content.setdefault(_without_number(content), []).append(line)
    return by_content


def _without_number(title: str) -> str:
    """``2.1 Syntax`` → ``Syntax``, since often only one of page and outline has the number."""
    return _SECTION_NUMBER.sub("", title)
