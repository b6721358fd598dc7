"""DOCX (Office Open XML, ECMA-376): converted to HTML by mammoth, then read as a page.

Headings are the paragraphs in the styles "Heading 1" to "Heading 6"; pictures are left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.archive import Archive
from ragkit.corpus.base import Read, extra
from ragkit.corpus.blocks import Blocks
from ragkit.corpus.decoding import refuse_unusable
from ragkit.corpus.elements import elements
from ragkit.corpus.headings import sections_between, with_title
from ragkit.corpus.html import tokens, write_page
from ragkit.types import MetadataValue

__all__ = ["read"]

_PROPERTIES = "docProps/core.xml"


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    data = file.read()
    archive = Archive(io.BytesIO(data), path, "DOCX")
    _refuse_hostile(archive)
    written = Blocks()
    write_page(written, tokens(_to_html(data, archive), path, xml=False, extra_name="documents"))
    text = written.text()
    refuse_unusable(text, f"{path}, without its markup,")
    headings, main = with_title(written.headings)
    title, metadata = _properties(archive)
    yield Read(text, sections_between(text, headings), title=title or main, metadata=metadata)


def _refuse_hostile(archive: Archive) -> None:
    """Unpack, within the bound, what the converter will; no part of a DOCX has a document type."""
    for name in sorted(archive.names):
        if not name.lower().endswith((".xml", ".rels")):
            continue
        # Without NULs, so that UTF-16 hides nothing.
        if b"<!DOCTYPE" in archive.read(name).replace(b"\0", b""):
            raise archive.damaged(f"{name} has a DOCTYPE, which no DOCX has")


def _to_html(data: bytes, archive: Archive) -> str:
    with extra("documents", archive.path):
        import mammoth

    try:
        done = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map="p[style-name='Title'] => h1:fresh",
            convert_image=lambda _: [],
        )
    except Exception as error:  # a damaged file makes the converter raise anything
        raise archive.damaged(f"{type(error).__name__}: {error}") from error
    return str(done.value)


def _properties(archive: Archive) -> tuple[str | None, dict[str, MetadataValue]]:
    if _PROPERTIES not in archive.names:
        return None, {}
    said: dict[str, str] = {}
    for element in elements(archive.read(_PROPERTIES), f"{archive.path} ({_PROPERTIES})"):
        said.setdefault(element.name, element.text)
    found: dict[str, MetadataValue] = {}
    if said.get("created"):
        found["date"] = said["created"]
    tags = tuple(word.strip() for word in said.get("keywords", "").split(",") if word.strip())
    if tags:
        found["tags"] = tags
    return said.get("title") or None, found
