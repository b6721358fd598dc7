"""EPUB (https://www.w3.org/TR/epub-33/): the pages of the book's spine, in its order.

Sections are the pages' own headings; a page begins outside of those before it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from ragkit.corpus.archive import Archive
from ragkit.corpus.base import Read
from ragkit.corpus.blocks import Blocks
from ragkit.corpus.decoding import decode_html, refuse_unusable
from ragkit.corpus.elements import Element, elements
from ragkit.corpus.headings import sections_between
from ragkit.corpus.html import tokens, write_page
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["read"]

_PAGES = ("application/xhtml+xml", "text/html")


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document, the book."""
    archive = Archive(file, path, "EPUB")
    package = _package(archive, path)
    described = elements(archive.read(package), f"{path} ({package})")
    written = Blocks()
    for name in _spine(described, package, archive):
        written.border()
        page = decode_html(archive.read(name), f"{path} ({name})")
        write_page(written, tokens(page, path, xml=True, extra_name="documents"))
    text = written.text()
    refuse_unusable(text, f"{path}, without its markup,")
    titles = _texts(described, "title")
    yield Read(
        text,
        sections_between(text, written.headings),
        title=titles[0] if titles else None,
        metadata=_metadata(described),
    )


def _package(archive: Archive, path: Path) -> str:
    """The file that lists all others, as ``META-INF/container.xml`` says."""
    container = "META-INF/container.xml"
    for element in elements(archive.read(container), f"{path} ({container})"):
        if element.name == "rootfile" and element.attributes.get("full-path"):
            return element.attributes["full-path"]
    raise archive.damaged(f"{container} names no package")


def _spine(described: list[Element], package: str, archive: Archive) -> list[str]:
    folder = posixpath.dirname(package)
    manifest = {
        element.attributes.get("id"): element.attributes
        for element in described
        if element.name == "item"
    }
    protected = _protected(archive)
    found: dict[str, None] = {}
    for element in described:
        item = manifest.get(element.attributes.get("idref")) if element.name == "itemref" else None
        if item is None or item.get("media-type") not in _PAGES:
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        if name in protected:
            raise SourceError(
                f"{archive.path} is copy-protected: {name} is encrypted. Use a copy that is not."
            )
        if "nav" not in item.get("properties", "").split():
            found[name] = None
    if not found:
        raise archive.damaged(f"{package} lists no pages")
    return list(found)


def _protected(archive: Archive) -> frozenset[str]:
    """What is encrypted; where that is fonts alone, the book can be read."""
    listed = "META-INF/encryption.xml"
    if listed not in archive.names:
        return frozenset()
    found = elements(archive.read(listed), f"{archive.path} ({listed})")
    return frozenset(unquote(element.attributes.get("URI", "")) for element in found)


def _texts(described: list[Element], name: str) -> tuple[str, ...]:
    return tuple(element.text for element in described if element.name == name and element.text)


def _metadata(described: list[Element]) -> dict[str, MetadataValue]:
    found: dict[str, MetadataValue] = {}
    dates, tags = _texts(described, "date"), _texts(described, "subject")
    if dates:
        found["date"] = dates[0]
    if tags:
        found["tags"] = tags
    return found
