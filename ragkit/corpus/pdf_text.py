"""Joins the lines of a PDF's pages into one text, and says where each page begins in it.

A sentence goes on over the end of a page or column. A word that the end of a line breaks is whole;
other line ends stay. Footnotes of a page stand before a paragraph that goes on over its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from ragkit.corpus.headings import TITLE_LEVEL, Heading
from ragkit.corpus.pdf_headings import PageLine, PdfHeading

__all__ = ["JoinedText", "with_notes_moved"]

_PARAGRAPH_GAP = 1.3
"""Of the usual distance of lines."""
_USUAL_LEADING = 1.2
_SENTENCE_END = re.compile(r"[.:?!…][\"'”’»)\]]*$")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)[-\u00ad]$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CONJUNCTIONS = frozenset("and or to und oder bis et ou".split())
_SMALLER = 0.93
"""Of the usual size: footnotes."""


class JoinedText:
    """Joins lines.

    Args:
        lines: all lines in reading order.
        headings: in order.
        page_count: number of pages, with those that have no lines.

    Attributes:
        text: the text.
        headings: with their spans in the text.
        spans: of each line in the text; of a heading's lines too.
        pages: where each page begins in the text.

    """

    def __init__(
        self, lines: Sequence[PageLine], headings: Sequence[PdfHeading], page_count: int
    ) -> None:
        self._lines = lines
        self._words = {word.lower() for _, line in lines for word in _WORD.findall(line.text)}
        self._leading = _leading(lines)
        self._heading_at = {
            number: heading.first
            for heading in headings
            if heading.title
            for number in range(heading.first, heading.last + 1)
        }
        self.text = ""
        self.spans = self._joined()
        self.headings = list(_with_spans(headings, self.spans, len(self.text)))
        starts: dict[int, int] = {}
        for (page, _), (start, _) in zip(lines, self.spans, strict=True):
            starts.setdefault(page, start)
        self.pages = _page_starts(starts, page_count, len(self.text))

    def _joined(self) -> list[tuple[int, int]]:
        """Set the text; return the span of each line in it."""
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        length = 0
        for number, (_, line) in enumerate(self._lines):
            between = self._between(number) if number else ""
            if number and between in ("", "-"):
                parts[-1] = parts[-1][:-1]
                length -= 1
                spans[-1] = (spans[-1][0], length)
            content = line.text
            spans.append((length + len(between), length + len(between) + len(content)))
            parts += [between, content]
            length = spans[-1][1]
        self.text = "".join(parts).replace("\u00ad", "-")
        return spans

    def _between(self, number: int) -> str:
        r"""Return what joins a line to the one before; a hyphen in its place or nothing, or \n."""
        before, after = self._lines[number - 1], self._lines[number]
        heading = self._heading_at.get(number)
        if heading != self._heading_at.get(number - 1):
            return "\n\n"
        if before.line.table or after.line.table:
            return "\n" if before.line.table == after.line.table else "\n\n"
        if heading is None and self._is_parted(before, after):
            return "\n\n"
        broken = _BROKEN_WORD.search(before.line.text)
        word = _FIRST_WORD.match(after.line.text)
        if not broken or not word:
            return "\n"
        if word[0] in _CONJUNCTIONS:  # "Vor- und Nachteile": the hyphen stands for a word
            return "\n"
        has_hyphen = f"{broken[1]}-{word[0]}".lower() in self._words or not word[0].islower()
        return "-" if has_hyphen else ""

    def _is_parted(self, before: PageLine, after: PageLine) -> bool:
        """Return whether another paragraph begins."""
        (_, above), (_, below) = before, after
        size = max(above.size, below.size, 1.0)
        ends_sentence = bool(_SENTENCE_END.search(above.text))
        distance = above.baseline - below.baseline
        if before.page != after.page or distance <= 0:
            return ends_sentence or abs(above.size - below.size) > 0.1 * size
        if abs(above.size - below.size) > 0.15 * size:
            return distance > 0.6 * size  # nearer, it is a part of the same line
        is_indented = 0.8 * size < below.left - above.left < 4 * size
        return distance > _PARAGRAPH_GAP * self._leading * size or (is_indented and ends_sentence)


def with_notes_moved(lines: Sequence[PageLine], body_size: float) -> list[PageLine]:
    """Move the footnotes of a page before its last paragraph, where that goes on on the next."""
    moved: list[PageLine] = []
    for page in _pages(lines):
        notes = len(page)
        while notes and page[notes - 1].line.size < _SMALLER * body_size:
            notes -= 1
        last = page[max(notes - 1, 0)].line
        start = _last_paragraph(page[:notes])
        if not start or last.size > body_size / _SMALLER or _SENTENCE_END.search(last.text):
            moved += page
        else:
            moved += [*page[:start], *page[notes:], *page[start:notes]]
    return moved


def _pages(lines: Sequence[PageLine]) -> Iterator[list[PageLine]]:
    page: list[PageLine] = []
    for line in lines:
        if page and page[-1].page != line.page:
            yield page
            page = []
        page.append(line)
    if page:
        yield page


def _last_paragraph(page: Sequence[PageLine]) -> int:
    """Return the line after the last one that ends a sentence and its line, or 0."""
    right = max((line.right for _, line in page), default=0.0)
    for number in range(len(page) - 1, 0, -1):
        above, below = page[number - 1].line, page[number].line
        is_gap = above.baseline - below.baseline > 1.5 * max(above.size, below.size)
        is_short = above.right < right - 2 * above.size
        if _SENTENCE_END.search(above.text) and (is_gap or is_short):
            return number
    return 0


def _leading(lines: Sequence[PageLine]) -> float:
    """Return the usual distance of two lines, in sizes of their font."""
    distances = [
        (above.line.baseline - below.line.baseline) / below.line.size
        for above, below in pairwise(lines)
        if above.page == below.page and above.line.size == below.line.size > 0
    ]
    usual = [distance for distance in distances if 0.8 < distance < 3]
    return median(usual) if usual else _USUAL_LEADING


def _with_spans(
    headings: Sequence[PdfHeading], spans: Sequence[tuple[int, int]], length: int
) -> Iterator[Heading]:
    """Yield headings with their spans in the text.

    One without a title, which ends the sections of its level, becomes the one above it again.
    """
    above: list[tuple[int, str]] = []
    for level, title, first, last in headings:
        above = [one for one in above if one[0] < level]
        if title:
            above.append((level, title))
            yield Heading(min(level, 6), title, spans[first][0], spans[last][1])
            continue
        start = spans[first][0] if first < len(spans) else length
        outer_level, outer_title = above[-1] if above else (TITLE_LEVEL, "")
        yield Heading(min(outer_level, 6), outer_title, start, start)


def _page_starts(starts: dict[int, int], count: int, length: int) -> tuple[int, ...]:
    """Return where each page begins; one without text where the next one with text does."""
    pages: list[int] = []
    following = length
    for page in range(count - 1, -1, -1):
        following = starts.get(page, following)
        pages.append(following)
    return tuple(reversed(pages))
