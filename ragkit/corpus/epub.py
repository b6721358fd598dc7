"""EPUB (https://www.w3.org/TR/epub-33/): the pages of the book's spine, in order.

Sections come from the headings in the pages. No section continues from one page to the next.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from ragkit.corpus.archive import Archive
from ragkit.corpus.decoding import decode_html, refuse_unusable
from ragkit.corpus.headings import sections_between
from ragkit.corpus.html import html_tokens
from ragkit.corpus.html_text import add_page
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.text_builder import TextBuilder
from ragkit.corpus.xml_elements import Element, parse_elements
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["parse"]

_PAGE_TYPES = ("application/xhtml+xml", "text/html")
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document, the book."""
    archive = Archive(file, path, "EPUB")
    package_name = _package_name(archive)
    package = _parse_member(archive, package_name)
    builder = TextBuilder()
    for name in _page_names(package, package_name, archive):
        builder.close_sections()
        page = decode_html(archive.unpack(name), f"{path} ({name})")
        add_page(builder, html_tokens(page, path, xml=True, extra="documents"))
    text = builder.text()
    refuse_unusable(text, f"{path}, without its markup,")
    titles = _texts(package, "title")
    yield ParsedDocument(
        text,
        sections_between(text, builder.headings),
        title=titles[0] if titles else None,
        metadata=_metadata(package),
    )


def _parse_member(archive: Archive, name: str) -> list[Element]:
    return parse_elements(archive.unpack(name), f"{archive.path} ({name})")


def _package_name(archive: Archive) -> str:
    """Return the member that lists all others, which the container names."""
    for element in _parse_member(archive, _CONTAINER):
        if element.name == "rootfile" and element.attributes.get("full-path"):
            return element.attributes["full-path"]
    raise archive.damaged(f"{_CONTAINER} names no package")


def _page_names(package: list[Element], package_name: str, archive: Archive) -> list[str]:
    """Return the members in the spine that are pages, each once, without the navigation page."""
    folder = posixpath.dirname(package_name)
    encrypted = _encrypted_names(archive)
    names: dict[str, None] = {}
    for item in _spine_items(package):
        if item.get("media-type") not in _PAGE_TYPES:
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        if name in encrypted:
            raise SourceError(
                f"{archive.path} is copy-protected: {name} is encrypted. Use a copy that is not."
            )
        if "nav" not in item.get("properties", "").split():
            names[name] = None
    if not names:
        raise archive.damaged(f"{package_name} lists no pages")
    return list(names)


def _spine_items(package: list[Element]) -> Iterator[Mapping[str, str]]:
    """Yield the attributes of the manifest's items that the spine refers to, in its order."""
    manifest = {
        element.attributes.get("id"): element.attributes
        for element in package
        if element.name == "item"
    }
    for element in package:
        if element.name == "itemref" and element.attributes.get("idref") in manifest:
            yield manifest[element.attributes.get("idref")]


def _encrypted_names(archive: Archive) -> frozenset[str]:
    """Return the encrypted members; often these are only fonts, and the book can be parsed."""
    if _ENCRYPTION not in archive.names:
        return frozenset()
    elements = _parse_member(archive, _ENCRYPTION)
    return frozenset(unquote(element.attributes.get("URI", "")) for element in elements)


def _texts(package: list[Element], name: str) -> tuple[str, ...]:
    return tuple(element.text for element in package if element.name == name and element.text)


def _metadata(package: list[Element]) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {}
    dates, tags = _texts(package, "date"), _texts(package, "subject")
    if dates:
        metadata["date"] = dates[0]
    if tags:
        metadata["tags"] = tags
    return metadata
