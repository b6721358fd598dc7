"""The headings of a PDF: lines that its outline names, or else lines in a larger or bolder font.

An entry of the outline and its line may differ in case, accents, punctuation, number, line ends
and a few characters. Where an entry has no line, no section is claimed for what follows.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import groupby
from typing import NamedTuple

from ragkit.corpus.headings import MAX_HEADING_LENGTH
from ragkit.corpus.pdf_lines import Line
from ragkit.corpus.pdf_pages import OutlineEntry

__all__ = ["PageLine", "PdfHeading", "body_style", "headings_by_font", "headings_by_outline"]

_SECTION_NUMBER = re.compile(
    r"(?:(?:chapter|section|part|appendix|annex)\s+)?"
    r"(?:\d{1,3}(?:\.\d{1,3}){0,5}|[A-Z](?:\.\d{1,3}){1,5}|(?<=[a-z]\s)[A-Z]|[IVX]{1,5}(?=[.:]))"
    r"\s?[.):–—-]?\s(?=\S)",
    re.IGNORECASE,
)
_SIGN = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\D+")
_MAX_LINES = 4
_MAX_KEY = 300
"""Lines, and characters, of a heading that is compared."""
_MIN_LIKE = 8
_LIKE = 0.88
"""Characters that two headings must have to be compared approximately, and how alike they are."""
_MAX_COMPARED = 200
_MAX_COMPARISONS = 2_000
"""Lines of a page, and entries of an outline, that are compared approximately: it takes long."""
_PLACE = 60.0
"""Points between a heading and the height that its entry refers to."""

_LARGER = 1.12
_LONG_LINE = 40
_TEXT_WEIGHT = 4
_MAX_WORDS = 20
_MAX_SHARE = 0.25
"""Of all lines: where more are in other fonts, the fonts mean something else."""
_SENTENCE_ENDS = (".", ",", ";", "…")


class PageLine(NamedTuple):
    """A line, and its page from 0."""

    page: int
    line: Line


class PdfHeading(NamedTuple):
    """Lines ``first`` to ``last`` are a heading of ``level`` from 1.

    Without a title it only ends the sections of its level, before line ``first``.
    """

    level: int
    title: str
    first: int
    last: int


def body_style(lines: Sequence[Line]) -> tuple[float, bool]:
    """Return the size in which most of the text is, and whether that is bold."""
    characters: Counter[tuple[float, bool]] = Counter()
    for line in lines:
        # In a short document, most of the characters may be in headings.
        is_text = line.text.endswith(_SENTENCE_ENDS) or len(line.text) > _LONG_LINE
        characters[line.size, line.is_bold] += len(line.text) * (_TEXT_WEIGHT if is_text else 1)
    return characters.most_common(1)[0][0] if characters else (0.0, False)


# --- By outline


def headings_by_outline(
    lines: Sequence[PageLine], outline: Sequence[OutlineEntry]
) -> list[PdfHeading]:
    """Return a heading for each entry of the outline, in order; empty if none is a line."""
    page_starts: dict[int, int] = {}
    for number, (page, _) in enumerate(lines):
        page_starts.setdefault(page, number)
    finder = _Finder(lines, page_starts)
    matches: list[tuple[int, int] | None] = []
    next_line = 0
    for entry in outline:
        match = finder.find(entry, next_line)
        next_line = match[1] + 1 if match else next_line
        matches.append(match)
    if not any(matches):
        return []
    return list(_in_order(lines, page_starts, outline, matches))


def _in_order(
    lines: Sequence[PageLine],
    page_starts: dict[int, int],
    outline: Sequence[OutlineEntry],
    matches: Sequence[tuple[int, int] | None],
) -> Iterator[PdfHeading]:
    has_heights = _has_heights(lines, outline, matches)
    next_line = 0
    for entry, match in zip(outline, matches, strict=True):
        if match:
            yield PdfHeading(entry.level, entry.title, *match)
            next_line = match[1] + 1
            continue
        start = page_starts.get(entry.page)
        if start is None:
            start = min((s for page, s in page_starts.items() if page > entry.page), default=None)
        elif has_heights and entry.height is not None:
            start = _line_at(lines, start, entry)
        if start is not None:
            next_line = max(next_line, start)
            yield PdfHeading(entry.level, "", next_line, next_line)


def _has_heights(
    lines: Sequence[PageLine],
    outline: Sequence[OutlineEntry],
    matches: Sequence[tuple[int, int] | None],
) -> bool:
    """Return whether the heights of most entries agree with their lines."""
    agrees = [
        entry.height is not None
        and -_PLACE / 4 <= entry.height - lines[match[0]].line.baseline <= _PLACE
        for entry, match in zip(outline, matches, strict=True)
        if match
    ]
    return sum(agrees) >= 0.8 * len(agrees)


def _line_at(lines: Sequence[PageLine], start: int, entry: OutlineEntry) -> int:
    """Return the first line of the entry's page that is not above its height."""
    number = start
    while number < len(lines) and lines[number].page == entry.page:
        if entry.height is None or lines[number].line.baseline <= entry.height:
            return number
        number += 1
    return number


class _Finder:
    """Finds the lines of a page that an entry of the outline names."""

    def __init__(self, lines: Sequence[PageLine], page_starts: dict[int, int]) -> None:
        self._lines = lines
        self._page_starts = page_starts
        self._page = -1
        self._keys: dict[str, list[tuple[int, int]]] = {}
        self._comparisons_left = _MAX_COMPARISONS

    def find(self, entry: OutlineEntry, next_line: int) -> tuple[int, int] | None:
        """Return the first and the last line, none before ``next_line``."""
        if entry.page not in self._page_starts or not 0 < len(entry.title) <= MAX_HEADING_LENGTH:
            return None
        if entry.page != self._page:
            self._page, self._keys = entry.page, self._keys_of(entry.page)
        for key in dict.fromkeys([_key(entry.title), _key(_without_number(entry.title))]):
            matches = [match for match in self._keys.get(key, ()) if match[0] >= next_line]
            if key and matches:
                return max(matches, key=lambda match: (self._weight(match), -match[0]))
        return self._find_like(_key(entry.title), next_line)

    def _weight(self, match: tuple[int, int]) -> tuple[float, bool]:
        line = self._lines[match[0]].line
        return line.size, line.is_bold

    def _find_like(self, key: str, next_line: int) -> tuple[int, int] | None:
        if len(key) < _MIN_LIKE or not self._comparisons_left:
            return None
        self._comparisons_left -= 1
        digits = _DIGIT.sub("", key)
        candidates = [
            other
            for other, matches in self._keys.items()
            if abs(len(other) - len(key)) <= len(key) // 4
            and matches[-1][0] >= next_line
            and _DIGIT.sub("", other) == digits
        ]
        for other in get_close_matches(key, candidates[:_MAX_COMPARED], n=1, cutoff=_LIKE):
            return self._keys[other][-1]
        return None

    def _keys_of(self, page: int) -> dict[str, list[tuple[int, int]]]:
        """Return where each run of lines of one font begins and ends, by what is compared."""
        keys: dict[str, list[tuple[int, int]]] = {}
        first = self._page_starts[page]
        while first < len(self._lines) and self._lines[first].page == page:
            text = ""
            for last in range(first, min(first + _MAX_LINES, len(self._lines))):
                _, line = self._lines[last]
                if len(text) > _MAX_KEY or self._lines[last].page != page:
                    break
                text = _joined(text, line.text)
                for key in {_key(text), _key(_without_number(text))}:
                    keys.setdefault(key, []).append((first, last))
            first += 1
        return keys


def _joined(text: str, line: str) -> str:
    return f"{text.removesuffix(chr(0xAD))} {line}".strip()


def _key(title: str) -> str:
    """Return the letters and digits of a title, without case, accents and ligatures."""
    letters = unicodedata.normalize("NFKD", title[:_MAX_KEY])
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _SIGN.sub("", bare).casefold()


def _without_number(title: str) -> str:
    """``2.1 Syntax`` → ``Syntax``, since often only one of page and outline has the number."""
    return _SECTION_NUMBER.sub("", title, count=1) if _SECTION_NUMBER.match(title) else title


# --- By font


def headings_by_font(lines: Sequence[PageLine], body: tuple[float, bool]) -> list[PdfHeading]:
    """Return runs of lines in one font that is larger, or bolder, than that of the text."""
    runs: list[tuple[int, int]] = []
    for _, group in groupby(range(len(lines)), key=lambda number: _font_key(lines, number, body)):
        numbers = list(group)
        if _is_heading(lines, numbers, body):
            runs.append((numbers[0], numbers[-1]))
    in_headings = sum(last - first + 1 for first, last in runs)
    if in_headings > _MAX_SHARE * len(lines) + 2:
        return []
    styles = sorted({_style(lines[first].line) for first, _ in runs}, reverse=True)
    levels = {style: min(level, 6) for level, style in enumerate(styles, start=1)}
    return [
        PdfHeading(levels[_style(lines[first].line)], _title(lines, first, last), first, last)
        for first, last in runs
    ]


def _style(line: Line) -> tuple[float, bool]:
    return round(line.size), line.is_bold


def _font_key(
    lines: Sequence[PageLine], number: int, body: tuple[float, bool]
) -> tuple[object, ...]:
    """Return what the lines of one heading share; each gap begins another."""
    page, line = lines[number]
    if not _stands_out(line, body):
        return (False,)
    start = number
    while start and _follows(lines[start - 1], lines[start]):
        start -= 1
        if number - start >= _MAX_LINES:
            break
    return True, page, _style(line), start


def _follows(before: PageLine, after: PageLine) -> bool:
    """Return whether a line is the next of the same heading."""
    distance = before.line.baseline - after.line.baseline
    return (
        before.page == after.page
        and _style(before.line) == _style(after.line)
        and 0 < distance < 1.6 * after.line.size
    )


def _stands_out(line: Line, body: tuple[float, bool]) -> bool:
    size, is_bold = body
    is_bolder = line.is_bold and not is_bold and line.size > 0.95 * size
    return line.size >= _LARGER * size or is_bolder


def _is_heading(
    lines: Sequence[PageLine], numbers: Sequence[int], body: tuple[float, bool]
) -> bool:
    first = lines[numbers[0]].line
    title = _title(lines, numbers[0], numbers[-1])
    return (
        _stands_out(first, body)
        and not any(_is_table_row(lines[number].line) for number in numbers)
        and len(numbers) < _MAX_LINES
        and len(title.split()) <= _MAX_WORDS
        and any(map(str.isalpha, title))
        and not title.endswith(_SENTENCE_ENDS)
    )


def _is_table_row(line: Line) -> bool:
    """Return whether a line has several cells; ``2.1   Syntax`` is a heading with its number."""
    has_number = bool(_SECTION_NUMBER.match(" ".join(part.text for part in line.parts)))
    return bool(line.table) or len(line.parts) > 1 + has_number


def _title(lines: Sequence[PageLine], first: int, last: int) -> str:
    text = ""
    for number in range(first, last + 1):
        text = _joined(text, lines[number].line.text)
    return text
