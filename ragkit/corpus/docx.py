"""DOCX (Office Open XML, ECMA-376), converted to HTML by mammoth and then parsed as HTML.

Paragraphs with an outline level, of their own or of their style, are headings. A paragraph in the
style "Title" is the title. Notes stand after the paragraph that refers to them, equations are
text; hidden text and pictures are left out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.archive import Archive
from ragkit.corpus.decoding import read_all, refuse_unusable
from ragkit.corpus.docx_xml import HEADING_STYLE, prepare
from ragkit.corpus.headings import sections_between, split_title
from ragkit.corpus.html import html_tokens
from ragkit.corpus.html_text import add_page
from ragkit.corpus.parser import ParsedDocument, requires_extra
from ragkit.corpus.text_builder import TextBuilder
from ragkit.corpus.xml_elements import parse_elements
from ragkit.text.languages import primary_language
from ragkit.types import MetadataValue

__all__ = ["parse"]

_PROPERTIES = "docProps/core.xml"
_STYLE_MAP = "\n".join(f"p.{HEADING_STYLE}{level} => h{level}:fresh" for level in range(1, 7))
_MAX_TAGS = 1_000_000
"""Size limit, since mammoth takes a kilobyte of memory each; a 1,000-page book uses half of it."""


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    archive = Archive(io.BytesIO(read_all(file, str(path))), path, "DOCX")
    builder = TextBuilder()
    html, has_title = _to_html(archive)
    add_page(builder, html_tokens(html, path, xml=False, extra="documents"))
    text = builder.text()
    refuse_unusable(text, f"{path}, without its markup,")
    title, metadata, language = _properties(archive)
    headings, heading_title = split_title(builder.headings, None if has_title else title)
    # The properties often have the title of another document, whose copy was changed.
    title = heading_title or title if has_title else title or heading_title
    sections = sections_between(text, headings)
    yield ParsedDocument(text, sections, title=title, metadata=metadata, language=language)


def _xml_parts(archive: Archive) -> dict[str, bytes]:
    """Return the archive's XML, unpacked within the limit: mammoth gets nothing else."""
    parts: dict[str, bytes] = {}
    tags = 0
    for name in sorted(archive.names):
        if not name.lower().endswith((".xml", ".rels")):
            continue
        content = archive.unpack(name)
        # NULs are removed so that UTF-16 cannot hide it.
        if b"<!DOCTYPE" in content.replace(b"\0", b""):
            raise archive.damaged(f"{name} has a DOCTYPE, which DOCX does not allow")
        tags += content.count(b"<")
        if tags > _MAX_TAGS:
            raise archive.damaged(f"it has more than {_MAX_TAGS:,} tags")
        parts[name] = content
    return parts


def _packed(parts: Mapping[str, bytes]) -> BinaryIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed


def _to_html(archive: Archive) -> tuple[str, bool]:
    """Return the document as HTML, and whether its only h1 is its title."""
    with requires_extra("documents", archive.path):
        import mammoth

    parts = _xml_parts(archive)
    try:
        prepared, has_title = prepare(parts)
        result = mammoth.convert_to_html(
            _packed(prepared),
            style_map=_STYLE_MAP,
            convert_image=lambda _: [],
        )
    except Exception as error:  # a damaged file makes mammoth raise anything
        raise archive.damaged(f"{type(error).__name__}: {error}") from error
    return str(result.value), has_title


def _properties(archive: Archive) -> tuple[str | None, dict[str, MetadataValue], str | None]:
    """Return title, date and tags, and language, from the document's properties."""
    if _PROPERTIES not in archive.names:
        return None, {}, None
    properties: dict[str, str] = {}
    name = f"{archive.path} ({_PROPERTIES})"
    for element in parse_elements(archive.unpack(_PROPERTIES), name):
        properties.setdefault(element.name, element.text)
    metadata: dict[str, MetadataValue] = {}
    if properties.get("created"):
        metadata["date"] = properties["created"]
    keywords = properties.get("keywords", "").split(",")
    tags = tuple(keyword.strip() for keyword in keywords if keyword.strip())
    if tags:
        metadata["tags"] = tags
    language = primary_language(properties.get("language", ""))
    return properties.get("title") or None, metadata, language
