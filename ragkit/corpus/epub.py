"""EPUB (https://www.w3.org/TR/epub-33/): the pages of the book's spine, in order.

Sections are the chapters of the table of contents, with the headings of the pages in them; without
one, the headings. A section goes on on the next page. Notes stand after the paragraph that refers
to them. The cover and the pages of contents are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from ragkit.corpus.archive import Archive
from ragkit.corpus.decoding import decode_html, refuse_unusable
from ragkit.corpus.epub_notes import with_notes
from ragkit.corpus.epub_toc import Chapter, Navigation, chapter_headings, resolved
from ragkit.corpus.headings import sections_between
from ragkit.corpus.html import html_tokens
from ragkit.corpus.html_elements import Token
from ragkit.corpus.html_text import add_page
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.text_builder import TextBuilder
from ragkit.corpus.xml_elements import Element, parse_elements
from ragkit.errors import SourceError
from ragkit.text.languages import primary_language
from ragkit.types import MetadataValue

__all__ = ["parse"]

_PAGE_TYPES = ("application/xhtml+xml", "text/html")
_NCX = "application/x-dtbncx+xml"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document, the book."""
    archive = Archive(file, path, "EPUB")
    package_name = _package_name(archive)
    package = _parse_member(archive, package_name)
    items = _pages(package, package_name, archive)
    navigation = _navigation(package, package_name, archive).on_pages(list(items))
    names = [name for name in items if name not in navigation.left_out] or list(items)
    pages = with_notes({name: _tokens(archive, name) for name in names})
    builder = TextBuilder()
    for name, tokens in pages.items():
        if not items[name]:
            builder.close_sections()
        builder.mark(name)
        add_page(builder, tokens, _anchors(navigation, name))
    text = builder.text()
    refuse_unusable(text, f"{path}, without its markup,")
    titles, languages = _texts(package, "title"), _texts(package, "language")
    starts = [
        (chapter, _start(builder.marks, chapter))
        for chapter in navigation.chapters
        if chapter.page in builder.marks
    ]
    headings = chapter_headings(
        text, builder.headings, starts, [builder.marks[name] for name in pages]
    )
    yield ParsedDocument(
        text,
        sections_between(text, headings),
        title=titles[0] if titles else None,
        metadata=_metadata(package),
        language=primary_language(languages[0]) if len(languages) == 1 else None,
    )


def _parse_member(archive: Archive, name: str) -> list[Element]:
    return parse_elements(archive.unpack(name), f"{archive.path} ({name})")


def _package_name(archive: Archive) -> str:
    """Return the member that lists all others, which the container names."""
    for element in _parse_member(archive, _CONTAINER):
        if element.name == "rootfile" and element.attributes.get("full-path"):
            return element.attributes["full-path"]
    raise archive.damaged(f"{_CONTAINER} names no package")


def _start(marks: Mapping[str, int], chapter: Chapter) -> int:
    return marks.get(f"{chapter.page}#{chapter.anchor}", marks[chapter.page])


def _tokens(archive: Archive, name: str) -> list[Token]:
    page = decode_html(archive.unpack(name), f"{archive.path} ({name})")
    return html_tokens(page, archive.path, xml=True, extra="documents")


def _anchors(navigation: Navigation, page: str) -> dict[str, str]:
    """Return the ids on a page that chapters begin at, each with the name of its mark."""
    return {
        chapter.anchor: f"{page}#{chapter.anchor}"
        for chapter in navigation.chapters
        if chapter.page == page and chapter.anchor
    }


def _pages(package: list[Element], package_name: str, archive: Archive) -> dict[str, bool]:
    """Return the pages of the spine, without the navigation page, and whether each is in line."""
    encrypted = _encrypted_names(archive)
    pages: dict[str, bool] = {}
    for item, is_linear in _spine_items(package):
        if item.get("media-type") not in _PAGE_TYPES:
            continue
        name, _ = resolved(item.get("href", ""), package_name)
        if name in encrypted:
            raise SourceError(
                f"{archive.path} is copy-protected: {name} is encrypted. Use a copy that is not."
            )
        if "nav" not in item.get("properties", "").split():
            pages.setdefault(name, is_linear)
    if not pages:
        raise archive.damaged(f"{package_name} lists no pages")
    return pages


def _navigation(package: list[Element], package_name: str, archive: Archive) -> Navigation:
    """Return the table of contents, of EPUB 3 or else of EPUB 2, and the pages that are no text."""
    contents = Navigation()
    for item in (one.attributes for one in package if one.name == "item"):
        name, _ = resolved(item.get("href", ""), package_name)
        if name not in archive.names:
            continue
        if "nav" in item.get("properties", "").split():
            contents = Navigation.of_document(_tokens(archive, name), name)
        elif item.get("media-type") == _NCX and not contents.chapters:
            contents = Navigation.of_ncx(_parse_member(archive, name), name)
        if contents.chapters and "nav" in item.get("properties", "").split():
            break
    guide = [one.attributes for one in package if one.name == "reference"]
    return contents.without(guide, package_name)


def _spine_items(package: list[Element]) -> Iterator[tuple[Mapping[str, str], bool]]:
    """Yield the items that the spine refers to, in its order, and whether each is in line."""
    manifest = {
        element.attributes.get("id"): element.attributes
        for element in package
        if element.name == "item"
    }
    for element in package:
        if element.name == "itemref" and element.attributes.get("idref") in manifest:
            is_linear = element.attributes.get("linear") != "no"
            yield manifest[element.attributes.get("idref")], is_linear


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
