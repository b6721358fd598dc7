"""DOCX (Office Open XML, ECMA-376): converted to HTML by mammoth, then read as a page.

Headings are the paragraphs in the styles "Heading 1" to "Heading 6"; pictures are left out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.archive import Archive
from ragkit.corpus.base import Read, extra
from ragkit.corpus.blocks import Blocks
from ragkit.corpus.decoding import read_whole, refuse_unusable
from ragkit.corpus.elements import elements
from ragkit.corpus.headings import sections_between, with_title
from ragkit.corpus.html import tokens, write_page
from ragkit.types import MetadataValue

__all__ = ["read"]

_PROPERTIES = "docProps/core.xml"
_MOST_TAGS = 1_000_000
"""The converter holds all at once, a kilobyte each; a book of a thousand pages has half of it."""


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    archive = Archive(io.BytesIO(read_whole(file, str(path))), path, "DOCX")
    written = Blocks()
    write_page(written, tokens(_to_html(archive), path, xml=False, extra_name="documents"))
    text = written.text()
    refuse_unusable(text, f"{path}, without its markup,")
    headings, main = with_title(written.headings)
    title, metadata = _properties(archive)
    yield Read(text, sections_between(text, headings), title=title or main, metadata=metadata)


def _parts(archive: Archive) -> BinaryIO:
    """The archive's XML alone, unpacked within the bound: the converter can reach nothing else."""
    found, tags = io.BytesIO(), 0
    with zipfile.ZipFile(found, "w") as parts:
        for name in sorted(archive.names):
            if not name.lower().endswith((".xml", ".rels")):
                continue
            content = archive.read(name)
            # Without NULs, so that UTF-16 hides nothing.
            if b"<!DOCTYPE" in content.replace(b"\0", b""):
                raise archive.damaged(f"{name} has a DOCTYPE, which no DOCX has")
            tags += content.count(b"<")
            if tags > _MOST_TAGS:
                raise archive.damaged(f"it has more than {_MOST_TAGS:,} tags")
            parts.writestr(name, content)
    return found


def _to_html(archive: Archive) -> str:
    with extra("documents", archive.path):
        import mammoth

    parts = _parts(archive)
    try:
        done = mammoth.convert_to_html(
            parts,
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
