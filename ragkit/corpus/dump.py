"""MediaWiki XML dumps, plain, .bz2 (also of several streams) or .gz, read as a stream.

Memory does not grow with the dump: one page is held at a time. Articles alone are read (namespace
0, the newest revision given), and neither redirects nor pages that are no wikitext or have no text.
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

from ragkit.corpus.base import Read
from ragkit.corpus.headings import is_visible
from ragkit.corpus.mediawiki import MEDIA, stored_text
from ragkit.corpus.naming import slug
from ragkit.corpus.wikitext import parse_sections
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["is_dump", "read"]

_STEP = 2**16
_ROOT = "mediawiki"
# MediaWiki keeps pages under 2 MiB ($wgMaxArticleSize); one a few times longer was not made by it.
_LONGEST_TEXT, _LONGEST_TAG = 2**24, 2**20
# A dump has forty names of elements, six inside each other, and a wiki some dozens of namespaces.
_DEEPEST, _MOST_NAMES = 100, 1000
_MEDIA_NAMESPACES = ("-2", "6", "14")
_WANTED = frozenset({"title", "ns", "id", "timestamp", "model", "text", "base", "namespace"})
_TO_MAIN_PAGE = re.compile(r"(https?://.{1,500}(?:/|title=))[^/]{1,500}\Z")


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """Every article, in the dump's order."""
    site, names = _Site(), set[str]()
    for page in _pages(file, path, site):
        text = stored_text(page.text, site.media)
        if not is_visible(text):
            continue
        name = slug(page.title)
        if not name or name in names:
            name = f"{name or 'page'}-{page.id}"
        names.add(name)
        metadata: dict[str, MetadataValue] = {"page_id": page.id}
        if page.timestamp:
            metadata["date"] = page.timestamp
        yield Read(text, parse_sections(text), page.title, site.url(page.title), name, metadata)


def is_dump(path: Path) -> bool:
    """Whether a file begins as a dump does: other XML in a folder is not meant."""
    try:
        with path.open("rb") as file:
            return b"<" + _ROOT.encode() in _unpacked(file, path).read(4096)
    except PermissionError:
        return True  # it may be one, so it is not passed over
    except (OSError, EOFError, zlib.error):
        return False


@dataclass(slots=True)
class _Site:
    base: str | None = None
    media: set[str] = field(default_factory=lambda: set(MEDIA))

    def url(self, title: str) -> str | None:
        if self.base is None:
            return None
        return self.base + quote(title.replace(" ", "_"), safe=";@$!*(),/~:")


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
    parser = _Parser(path, site)
    stream = _unpacked(file, path)
    while True:
        try:
            data = stream.read(_STEP)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"{path} is damaged behind byte {parser.read} of the XML in it ({error}). Fetch it "
                f"again."
            ) from error
        yield from parser.feed(data)
        if not data:
            return


def _unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    name = path.name.lower()
    if name.endswith(".bz2"):
        return cast(BinaryIO, bz2.open(file))
    return cast(BinaryIO, gzip.open(file)) if name.endswith(".gz") else file


class _Parser:
    """Expat's events → pages. Nothing is kept but the page being read."""

    def __init__(self, path: Path, site: _Site) -> None:
        self.read = 0
        self._path = path
        self._site = site
        self._open: list[str] = []
        self._page = _Page()
        self._done: list[_Page] = []
        self._parts: list[str] | None = None
        self._length = 0
        self._key = ""
        # A dump is UTF-8 whatever its declaration says.
        self._expat = expat.ParserCreate("UTF-8")
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> list[_Page]:
        """The pages that end in ``data``; no data ends the dump."""
        try:
            self._expat.Parse(data, not data)
        except expat.ExpatError as error:
            raise SourceError(
                f"{self._path} is no whole XML: {error}. Fetch or export it again."
            ) from error
        self.read += len(data)
        # Names stay in memory as long as the parser, and so does a tag until its end.
        if len(self._expat.intern) > _MOST_NAMES or len(self._site.media) > _MOST_NAMES:
            raise self._refused(f"it has more than {_MOST_NAMES:,} names")
        # Where its long has 32 bits, the parser's index begins anew after 2 GiB.
        if (self.read - self._expat.CurrentByteIndex) % 2**32 > _LONGEST_TAG:
            raise self._refused(f"a tag is longer than {_LONGEST_TAG:,} bytes")
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != _ROOT:
            raise self._refused(f"its outermost element is <{name}>, not <{_ROOT}>")
        if len(self._open) == _DEEPEST:
            raise self._refused(f"more than {_DEEPEST} elements are open in each other")
        if name == "page":
            self._page = _Page()
        elif name == "redirect":
            self._page.redirect = True
        elif name == "namespace":
            self._key = attributes.get("key", "")
        if name in _WANTED:
            self._parts, self._length = [], 0
        self._open.append(name)

    def _end(self, name: str) -> None:
        self._open.pop()
        if self._parts is not None and name in _WANTED:
            self._take(name, "".join(self._parts))
            self._parts = None
        if name == "page" and self._page.is_article:
            self._done.append(self._page)

    def _characters(self, text: str) -> None:
        if self._parts is None:
            return
        self._parts.append(text)
        self._length += len(text)
        if self._length > _LONGEST_TEXT:
            raise self._refused(f"a <{self._open[-1]}> is longer than {_LONGEST_TEXT} characters")

    def _take(self, name: str, value: str) -> None:
        inside, page = self._open[-1] if self._open else "", self._page
        if name == "base" and (base := _TO_MAIN_PAGE.match(value.strip())):
            self._site.base = base[1]
        elif name == "namespace" and self._key in _MEDIA_NAMESPACES and value:
            self._site.media.add(value.strip().lower())
        elif inside == "page" and name == "title":
            page.title = value.strip()
        elif inside == "page" and name == "ns":
            page.namespace = value.strip()
        elif inside == "page" and name == "id":
            page.id = value.strip()
        elif inside == "revision" and name == "timestamp":
            page.timestamp = value.strip()
        elif inside == "revision" and name == "model":
            page.model = value.strip()
        elif inside == "revision" and name == "text":
            page.text = value

    def _doctype(self, *_: object) -> None:
        raise self._refused("it has a DOCTYPE, which no dump has")

    def _refused(self, why: str) -> SourceError:
        line, column = self._expat.CurrentLineNumber, self._expat.CurrentColumnNumber
        return SourceError(
            f"{self._path} is no MediaWiki dump: {why} (line {line}, column {column}). Expected "
            f"what Special:Export or dumps.wikimedia.org give."
        )
