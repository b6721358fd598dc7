"""MediaWiki XML dumps, plain, .bz2 (also of several streams) or .gz, parsed as a stream.

Memory does not grow with the dump, since one page is held at a time. Only articles are documents:
namespace 0, the last revision in the dump, no redirects, and only wikitext that has visible text.
Schema: https://www.mediawiki.org/xml/export-0.11.xsd
"""

from __future__ import annotations

import bz2
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote
from xml.parsers import expat

from ragkit.corpus.headings import is_visible, page_sections
from ragkit.corpus.ids import slug
from ragkit.corpus.mediawiki import page_text
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.wiki_namespaces import MEDIA_NAMESPACES
from ragkit.errors import SourceError
from ragkit.text.languages import primary_language
from ragkit.types import MetadataValue

__all__ = ["is_dump", "parse"]

_STEP_BYTES = 2**16
_ROOT = "mediawiki"
# MediaWiki limits pages to 2 MiB ($wgMaxArticleSize), so it writes none a few times longer.
_MAX_TEXT_CHARS, _MAX_TAG_BYTES = 2**24, 2**20
# A dump has forty element names, nested six deep, and a wiki has some dozens of namespaces.
_MAX_DEPTH, _MAX_NAMES = 100, 1000
_MEDIA_NAMESPACE_KEYS = ("-2", "6", "14")
_TEXT_ELEMENTS = frozenset("title ns id timestamp model text base namespace".split())
_MAIN_PAGE_URL = re.compile(r"(https?://.{1,500}(?:/|title=))[^/]{1,500}\Z")


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield every article, in the dump's order."""
    site, ids = _Site(), set[str]()
    for page in _pages(file, path, site):
        text, headings = page_text(page.text, site.media_namespaces)
        if not is_visible(text):
            continue
        document_id = slug(page.title)
        if not document_id or document_id in ids:
            document_id = f"{document_id or 'page'}-{page.id}"
        ids.add(document_id)
        metadata: dict[str, MetadataValue] = {"page_id": page.id}
        if page.timestamp:
            metadata["date"] = page.timestamp
        sections, _ = page_sections(text, headings)
        yield ParsedDocument(
            text, sections, page.title, site.url(page.title), document_id, metadata,
            language=site.language,
        )  # fmt: skip


def is_dump(path: Path) -> bool:
    """Return whether a file begins as a dump does, unlike other XML."""
    try:
        with path.open("rb") as file:
            return b"<" + _ROOT.encode() in _decompressed(file, path).read(4096)
    except PermissionError:
        return True  # it may be a dump, so it must not be skipped silently
    except (OSError, EOFError, zlib.error):
        return False


@dataclass(slots=True)
class _Site:
    """What the head of a dump says about its wiki."""

    base_url: str | None = None
    language: str | None = None
    media_namespaces: set[str] = field(default_factory=lambda: set(MEDIA_NAMESPACES))

    def url(self, title: str) -> str | None:
        if self.base_url is None:
            return None
        return self.base_url + quote(title.replace(" ", "_"), safe=";@$!*(),/~:")


@dataclass(slots=True)
class _Page:
    title: str = ""
    namespace: str = ""
    id: str = ""
    timestamp: str = ""
    model: str = "wikitext"
    text: str = ""
    redirect: bool = False

    @property
    def is_article(self) -> bool:
        return self.namespace == "0" and self.model == "wikitext" and not self.redirect


def _pages(file: BinaryIO, path: Path, site: _Site) -> Iterator[_Page]:
    parser = _DumpParser(path, site)
    stream = _decompressed(file, path)
    while True:
        try:
            data = stream.read(_STEP_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"{path} is damaged after {parser.bytes_parsed} bytes of its XML ({error}). "
                f"Download it again."
            ) from error
        yield from parser.feed(data)
        if not data:
            return


def _decompressed(file: BinaryIO, path: Path) -> BinaryIO:
    name = path.name.lower()
    if name.endswith(".bz2"):
        return cast(BinaryIO, bz2.open(file))
    return cast(BinaryIO, gzip.open(file)) if name.endswith(".gz") else file


class _DumpParser:
    """Turns expat's events into pages, and holds no more than the current page.

    Attributes:
        bytes_parsed: number of bytes of XML so far.

    """

    def __init__(self, path: Path, site: _Site) -> None:
        self.bytes_parsed = 0
        self._path = path
        self._site = site
        self._open_elements: list[str] = []
        self._page = _Page()
        self._finished_pages: list[_Page] = []
        self._text_parts: list[str] | None = None
        self._text_length = 0
        self._namespace_key = ""
        # A dump is UTF-8, whatever its declaration says.
        self._expat = expat.ParserCreate("UTF-8")
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> list[_Page]:
        """Parse the next bytes, none at the end, and return the pages that end in them."""
        try:
            self._expat.Parse(data, not data)
        except expat.ExpatError as error:
            raise SourceError(
                f"{self._path} is not well-formed XML: {error}. Download or export it again."
            ) from error
        self.bytes_parsed += len(data)
        # Expat holds all names until the end of the file, and a tag until the end of the tag.
        if max(len(self._expat.intern), len(self._site.media_namespaces)) > _MAX_NAMES:
            raise self._invalid(f"it has more than {_MAX_NAMES:,} names")
        # Where a C long has 32 bits, expat's index wraps around.
        if (self.bytes_parsed - self._expat.CurrentByteIndex) % 2**32 > _MAX_TAG_BYTES:
            raise self._invalid(f"a tag is longer than {_MAX_TAG_BYTES:,} bytes")
        pages, self._finished_pages = self._finished_pages, []
        return pages

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open_elements and name != _ROOT:
            raise self._invalid(f"its outermost element is <{name}>, not <{_ROOT}>")
        if len(self._open_elements) == _MAX_DEPTH:
            raise self._invalid(f"more than {_MAX_DEPTH} elements are open in each other")
        if name == _ROOT:
            self._site.language = primary_language(attributes.get("xml:lang", ""))
        elif name == "page":
            self._page = _Page()
        elif name == "redirect":
            self._page.redirect = True
        elif name == "namespace":
            self._namespace_key = attributes.get("key", "")
        if name in _TEXT_ELEMENTS:
            self._text_parts, self._text_length = [], 0
        self._open_elements.append(name)

    def _end(self, name: str) -> None:
        self._open_elements.pop()
        if self._text_parts is not None and name in _TEXT_ELEMENTS:
            self._set_value(name, "".join(self._text_parts))
            self._text_parts = None
        if name == "page" and self._page.is_article:
            self._finished_pages.append(self._page)

    def _characters(self, text: str) -> None:
        if self._text_parts is None:
            return
        self._text_parts.append(text)
        self._text_length += len(text)
        if self._text_length > _MAX_TEXT_CHARS:
            name = self._open_elements[-1]
            raise self._invalid(f"a <{name}> is longer than {_MAX_TEXT_CHARS} characters")

    def _set_value(self, name: str, value: str) -> None:
        """Store the text of an element where it belongs, by the element around it."""
        parent, page = self._open_elements[-1] if self._open_elements else "", self._page
        if name == "base" and (main_page := _MAIN_PAGE_URL.match(value.strip())):
            self._site.base_url = main_page[1]
        elif name == "namespace" and self._namespace_key in _MEDIA_NAMESPACE_KEYS and value:
            self._site.media_namespaces.add(value.strip().lower())
        elif parent == "page" and name == "title":
            page.title = value.strip()
        elif parent == "page" and name == "ns":
            page.namespace = value.strip()
        elif parent == "page" and name == "id":
            page.id = value.strip()
        elif parent == "revision" and name == "timestamp":
            page.timestamp = value.strip()
        elif parent == "revision" and name == "model":
            page.model = value.strip()
        elif parent == "revision" and name == "text":
            page.text = value

    def _doctype(self, *_: object) -> None:
        raise self._invalid("it has a DOCTYPE, which dumps do not have")

    def _invalid(self, reason: str) -> SourceError:
        line, column = self._expat.CurrentLineNumber, self._expat.CurrentColumnNumber
        return SourceError(
            f"{self._path} is not a MediaWiki dump: {reason} (line {line}, column {column}). "
            f"Expected a file from Special:Export or dumps.wikimedia.org."
        )
