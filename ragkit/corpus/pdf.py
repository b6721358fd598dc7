"""PDF (ISO 32000-2) by pypdf: the text of each page, with where each page begins.

Lines are as the page sets them, nothing is dehyphenated. Sections are the entries of the outline
whose title stands on a line of the page that they lead to; without any, the text is one section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ragkit.corpus.base import Read, extra
from ragkit.corpus.decoding import without_surrogates
from ragkit.corpus.headings import LONGEST_HEADING, Heading, is_visible, sections_between
from ragkit.errors import MissingExtraError, SourceError
from ragkit.text.lines import lines
from ragkit.text.spans import Span
from ragkit.types import MetadataValue

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["read"]

_NUMBER = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){0,5}|[A-Z](?:\.\d{1,3}){1,5})[.)]? (?=\S)")
_BETWEEN_PAGES = "\n\n"


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    with extra("documents", path):
        from pypdf import PdfReader
    try:
        found = _read(PdfReader(file), path)
    except (SourceError, MissingExtraError):
        raise
    except Exception as error:  # a damaged file makes the parser raise anything
        raise SourceError(
            f"{path} is no readable PDF: {type(error).__name__}: {error}. Save it again with the "
            f"program that made it, or convert it to text."
        ) from error
    yield found


def _read(reader: PdfReader, path: Path) -> Read:
    if reader.is_encrypted:
        _decrypt(reader, path)
    pages = [_text_of(page) for page in reader.pages]
    text = _BETWEEN_PAGES.join(pages)
    if not is_visible(text):
        raise SourceError(
            f"{path} holds no text on its {len(pages)} pages: it may be scanned. Recognise its "
            f"text first, e.g.: ocrmypdf IN.pdf OUT.pdf"
        )
    starts = list(accumulate((len(page) + len(_BETWEEN_PAGES) for page in pages), initial=0))[:-1]
    # An empty last page begins where the text ends.
    begins = tuple(min(start, len(text)) for start in starts)
    title, metadata = _said(reader)
    sections = sections_between(text, _headings(text, begins, _outline(reader)))
    return Read(text, sections, title=title, metadata=metadata, pages=begins)


def _decrypt(reader: PdfReader, path: Path) -> None:
    """Many are encrypted with no password, to forbid printing; they can be read by anyone."""
    from pypdf.errors import DependencyError

    try:
        opened = bool(reader.decrypt(""))
    except DependencyError as error:
        raise SourceError(
            f"{path} is encrypted: {error}. Install it: pip install cryptography"
        ) from error
    if not opened:
        raise SourceError(f"{path} is encrypted with a password. Save a copy without one.")


def _text_of(page: Any) -> str:
    text = without_surrogates(page.extract_text()).replace("\0", "\ufffd")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _said(reader: PdfReader) -> tuple[str | None, dict[str, MetadataValue]]:
    said = reader.metadata
    if said is None:
        return None, {}
    found: dict[str, MetadataValue] = {}
    if said.creation_date:
        found["date"] = said.creation_date.isoformat()
    tags = tuple(t.strip() for t in without_surrogates(said.keywords or "").split(",") if t.strip())
    if tags:
        found["tags"] = tags
    return " ".join(without_surrogates(said.title or "").replace("\0", "").split()) or None, found


def _outline(reader: PdfReader) -> list[tuple[int, str, int]]:
    """Level from 1, title, and number of the page from 0, of each entry."""
    found: list[tuple[int, str, int]] = []
    try:
        todo: list[tuple[int, Any]] = [(0, reader.outline)]
        while todo:
            level, entry = todo.pop()
            if isinstance(entry, list):
                todo += [(level + 1, one) for one in reversed(entry)]
                continue
            page = reader.get_destination_page_number(entry)
            title = " ".join(without_surrogates(str(entry.title)).split())
            if page is not None and page >= 0 and 0 < len(title) <= LONGEST_HEADING:
                found.append((min(level, 6), title, page))
    except Exception:  # a damaged outline is no reason not to read the pages
        return []
    return found


def _headings(
    text: str, begins: tuple[int, ...], outline: list[tuple[int, str, int]]
) -> list[Heading]:
    """The outline's entries that are lines of their page, in order."""
    found: list[Heading] = []
    lines_of: dict[int, dict[str, list[Span]]] = {}
    for level, title, page in outline:
        if page not in lines_of:
            end = begins[page + 1] if page + 1 < len(begins) else len(text)
            lines_of[page] = _lines_by_content(text, begins[page], end)
        same = lines_of[page].get(_unnumbered(title), [])
        after = found[-1].end if found else 0
        if same and same[0].start >= after:
            found.append(Heading(level, title, *same.pop(0)))
    return found


def _lines_by_content(text: str, start: int, end: int) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for line in lines(text, start, end):
        content = " ".join(text[line.start : line.end].split())
        found.setdefault(_unnumbered(content), []).append(line)
    return found


def _unnumbered(title: str) -> str:
    """``2.1 Syntax`` → ``Syntax``: the number stands on the page alone, or in the outline alone."""
    return _NUMBER.sub("", title)
