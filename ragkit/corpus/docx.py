"""DOCX (Office Open XML, ECMA-376), converted to HTML by mammoth and then parsed as HTML.

Paragraphs in the styles "Heading 1" to "Heading 6" are headings. Pictures are left out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.archive import Archive
from ragkit.corpus.decoding import read_all, refuse_unusable
from ragkit.corpus.headings import sections_between, split_title
from ragkit.corpus.html import html_tokens
from ragkit.corpus.html_text import add_page
from ragkit.corpus.parser import ParsedDocument, requires_extra
from ragkit.corpus.text_builder import TextBuilder
from ragkit.corpus.xml_elements import parse_elements
from ragkit.types import MetadataValue

__all__ = ["parse"]

_PROPERTIES = "docProps/core.xml"
_MAX_TAGS = 1_000_000
"""Size limit, since mammoth takes a kilobyte of memory each; a 1,000-page book uses half of it."""


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    archive = Archive(io.BytesIO(read_all(file, str(path))), path, "DOCX")
    builder = TextBuilder()
    add_page(builder, html_tokens(_to_html(archive), path, xml=False, extra="documents"))
    text = builder.text()
    refuse_unusable(text, f"{path}, without its markup,")
    headings, heading_title = split_title(builder.headings)
    title, metadata = _properties(archive)
    yield ParsedDocument(
        text, sections_between(text, headings), title=title or heading_title, metadata=metadata
    )


def _xml_parts(archive: Archive) -> BinaryIO:
    """Copy the archive's XML, unpacked within the limit: mammoth gets nothing else."""
    copy, tags = io.BytesIO(), 0
    with zipfile.ZipFile(copy, "w") as parts:
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
            parts.writestr(name, content)
    return copy


def _to_html(archive: Archive) -> str:
    with requires_extra("documents", archive.path):
        import mammoth

    parts = _xml_parts(archive)
    try:
        result = mammoth.convert_to_html(
            parts,
            style_map="p[style-name='Title'] => h1:fresh",
            convert_image=lambda _: [],
        )
    except Exception as error:  # a damaged file makes mammoth raise anything
        raise archive.damaged(f"{type(error).__name__}: {error}") from error
    return str(result.value)


def _properties(archive: Archive) -> tuple[str | None, dict[str, MetadataValue]]:
    """Return title, and date and tags, from the document's properties."""
    if _PROPERTIES not in archive.names:
        return None, {}
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
    return properties.get("title") or None, metadata
