"""The table of contents of an EPUB: the navigation document of EPUB 3, or the NCX of EPUB 2.

https://www.w3.org/TR/epub-33/#sec-nav and https://idpf.org/epub/20/spec/OPF_2.0_latest.htm#Section2.4.1
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from ragkit.corpus.headings import TITLE_LEVEL, Heading
from ragkit.corpus.html_elements import Token, types_of
from ragkit.corpus.xml_elements import Element

__all__ = ["Chapter", "Navigation", "chapter_headings", "resolved"]

_SIGNS = re.compile(r"[\W_]+")
_LISTS = frozenset({"ol", "ul"})
_MAX_LABEL = 20
"""Characters that a page may have before the title of a chapter: "Chapter One" for "One"."""
_LEFT_OUT = frozenset({"cover", "toc", "landmarks", "page-list", "loi", "lot", "loa", "lov"})
"""What a landmark may call a page that is no text: the cover, and lists of what is elsewhere."""


class Chapter(NamedTuple):
    """An entry of the table of contents: ``level`` from 1, and the page and id that it leads to."""

    level: int
    title: str
    page: str
    anchor: str


class Navigation(NamedTuple):
    """Chapters in the order of the table of contents, and the pages that are no text."""

    chapters: tuple[Chapter, ...] = ()
    left_out: frozenset[str] = frozenset()

    @classmethod
    def of_document(cls, tokens: Iterable[Token], name: str) -> Navigation:
        """Parse the navigation document, which is the member ``name``."""
        chapters: list[Chapter] = []
        left_out: set[str] = set()
        for kind, level, title, href, types in _links(tokens):
            page, anchor = resolved(href, name)
            if "toc" in kind and title:
                chapters.append(Chapter(level, title, page, anchor))
            elif "landmarks" in kind and not anchor and types & _LEFT_OUT:
                left_out.add(page)
        return cls(tuple(chapters), frozenset(left_out))

    @classmethod
    def of_ncx(cls, elements: Iterable[Element], name: str) -> Navigation:
        """Parse an NCX, which is the member ``name``."""
        chapters: list[Chapter] = []
        title, top, depth = "", 0, 0
        for element in elements:
            if element.name in ("navPoint", "pageTarget", "navTarget"):
                title, depth = "", element.depth if element.name == "navPoint" else 0
                top = top or depth
            elif element.name == "text" and depth and not title:
                title = element.text
            elif element.name == "content" and depth and title:
                page, anchor = resolved(element.attributes.get("src", ""), name)
                chapters.append(Chapter(depth - top + 1, title, page, anchor))
        return cls(tuple(chapters))

    def without(self, guide: Iterable[Mapping[str, str]], name: str) -> Navigation:
        """Leave out what the guide of EPUB 2, in the member ``name``, calls a cover or contents."""
        more = set()
        for reference in guide:
            page, anchor = resolved(reference.get("href", ""), name)
            if reference.get("type", "").lower() in _LEFT_OUT and not anchor:
                more.add(page)
        return self._replace(left_out=self.left_out | more)

    def on_pages(self, pages: Sequence[str]) -> Navigation:
        """Return the chapters that lead to these pages, if need be to one of nearly that name."""
        alike: dict[str, list[str]] = {}
        for page in pages:
            alike.setdefault(_SIGNS.sub("", page.lower()), []).append(page)
        chapters = []
        for chapter in self.chapters:
            like = alike.get(_SIGNS.sub("", chapter.page.lower()), [])
            page = chapter.page if chapter.page in pages else like[0] if len(like) == 1 else ""
            if page:
                chapters.append(chapter._replace(page=page))
        return self._replace(chapters=tuple(chapters))


def resolved(href: str, base: str) -> tuple[str, str]:
    """Return the member and the id that a link in the member ``base`` leads to."""
    path, _, anchor = href.partition("#")
    folder = posixpath.dirname(base)
    member = posixpath.normpath(posixpath.join(folder, unquote(path))) if path else base
    return member, unquote(anchor)


def _links(
    tokens: Iterable[Token],
) -> Iterator[tuple[frozenset[str], int, str, str, frozenset[str]]]:
    """Yield for each link the types of its ``<nav>``, its depth, its text, target and types."""
    nav: frozenset[str] = frozenset()
    depth = 0
    link: Mapping[str, str | None] | None = None
    words: list[str] = []
    for kind, content, attributes in tokens:
        step = {"start": 1, "end": -1}.get(kind, 0)
        if kind == "text":
            words.append(content)
        elif content == "nav":
            nav, depth = types_of(attributes) if step > 0 else frozenset(), 0
        elif content in _LISTS:
            depth += step
        elif content in ("a", "span") and step > 0:
            link, words = attributes, []
        elif content == "a" and link is not None:
            title = " ".join("".join(words).split())
            yield nav, max(depth, 1), title, link.get("href") or "", types_of(link)
            link = None


def chapter_headings(
    text: str,
    headings: Sequence[Heading],
    starts: Sequence[tuple[Chapter, int]],
    pages: Sequence[int],
) -> list[Heading]:
    """Return the headings of a book: its chapters, with the other headings of the pages in them.

    Args:
        text: of the book.
        headings: of the pages, in order.
        starts: each chapter, and where in the text it begins.
        pages: where each page begins.

    """
    by_start = {heading.start: heading for heading in headings}
    merged: list[tuple[int, int, Heading]] = []
    chapters: set[int] = set()
    taken: set[int] = set()
    for order, (chapter, start) in enumerate(starts):
        end = start if start in taken else _title_end(text, start, chapter, by_start)
        if end > start:
            taken.add(start)
        chapters.add(order)
        merged.append((start, order, Heading(chapter.level, chapter.title, start, end)))
    merged += [
        (heading.start, len(starts) + number, heading)
        for number, heading in enumerate(headings)
        if heading.start not in taken
    ]
    return list(_nested(sorted(merged), chapters, by_start, pages))


def _title_end(text: str, start: int, chapter: Chapter, by_start: Mapping[int, Heading]) -> int:
    """Return where the title of a chapter ends that begins at ``start``; there, if it has none.

    A smaller heading at the top of a page that says something else is that of a part.
    """
    title = _key(chapter.title)
    if start in by_start:
        own = by_start[start]
        is_named = _key(own.title) in title or title in _key(own.title)
        return own.end if chapter.anchor or own.level == 1 or is_named else start
    end = text.find("\n", start)
    block = text[start : end if end >= 0 else len(text)]
    is_title = len(block) <= len(chapter.title) + _MAX_LABEL and _key(block).endswith(title)
    return start + len(block) if is_title and title else start


def _nested(
    merged: Iterable[tuple[int, int, Heading]],
    chapters: set[int],
    by_start: Mapping[int, Heading],
    pages: Sequence[int],
) -> Iterator[Heading]:
    """Give the headings that are no chapters the level that they have in their chapter.

    A first-level heading of a later page stands beside the chapter, as one of its own level does.
    """
    chapter: Heading | None = None
    own_level = 0
    for start, order, heading in merged:
        if order in chapters:
            chapter = heading
            is_marked = heading.end > start and start in by_start
            own_level = by_start[start].level if is_marked else 0
            yield heading
        elif chapter is None or heading.level == TITLE_LEVEL:
            yield heading
        else:
            is_later = any(chapter.start < page <= start for page in pages)
            outer = own_level or int(is_later)
            yield heading._replace(level=max(1, chapter.level + heading.level - outer))


def _key(title: str) -> str:
    return _SIGNS.sub("", title).casefold()
