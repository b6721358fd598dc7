"""Headings → sections, the rule that all formats share; and the ``=`` headings of plain text.

``== Title ==`` lines are found as MediaWiki defines them: the shorter run of ``=`` is the level, at
most 6 (https://www.mediawiki.org/wiki/Help:Formatting#Section_headings). All other markup stays
part of the text, since offsets refer to the text exactly as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ragkit.text.spans import Span, lines
from ragkit.types import Section

__all__ = [
    "BOM",
    "MAX_HEADING_LENGTH",
    "TITLE_LEVEL",
    "Heading",
    "is_visible",
    "line_headings",
    "page_sections",
    "parse_heading",
    "parse_sections",
    "parse_title",
    "sections_between",
    "split_title",
]

BOM = "\ufeff"
TITLE_LEVEL = 0
"""Level of a heading that closes all sections and names none: a title, or the start of a page."""

MAX_HEADING_LENGTH = 1000
"""Characters. A longer heading is treated as text, since each chunk repeats its headings."""


class Heading(NamedTuple):
    """A heading, and the span of its lines including markup. ``level``: 1–6 or TITLE_LEVEL."""

    level: int
    title: str
    start: int
    end: int


def is_visible(text: str) -> bool:
    """Return whether a text has any character but white space and byte order marks."""
    return bool(text.strip().strip(BOM).strip())


def sections_between(text: str, headings: Iterable[Heading], start: int = 0) -> tuple[Section, ...]:
    """Return the sections that headings divide a text into.

    Args:
        text: the whole text.
        headings: all headings after ``start``, in order.
        start: where the first section begins, for instance after front matter.

    Returns:
        Sections in order, without those that have no visible text. Every visible character after
        ``start`` and outside headings lies in exactly one.

    """
    sections: list[Section] = []
    open_headings: list[Heading] = []
    first = Heading(TITLE_LEVEL, "", start, start)
    last = Heading(TITLE_LEVEL, "", len(text), len(text))
    for heading, following in pairwise([first, *headings, last]):
        open_headings = [above for above in open_headings if above.level < heading.level]
        open_headings.append(heading)
        if is_visible(text[heading.end : following.start]):
            path = tuple(above.title for above in open_headings if above.level != TITLE_LEVEL)
            sections.append(Section(path, heading.end, following.start))
    return tuple(sections)


def split_title(
    headings: Sequence[Heading], title: str | None = None
) -> tuple[list[Heading], str | None]:
    """Treat the only heading of level 1, if there is exactly one, as the document's title.

    Args:
        headings: all headings of the document.
        title: the title that the document has from elsewhere. A heading that is not part of it
            names a section, since its words would otherwise be nowhere.

    Returns:
        The headings with that one at TITLE_LEVEL, so that it names no section, and its title; or
        the headings unchanged and None.

    """
    changed = list(headings)
    top = [position for position, heading in enumerate(headings) if heading.level == 1]
    if len(top) != 1 or not (title is None or _is_in(headings[top[0]].title, title)):
        return changed, None
    changed[top[0]] = changed[top[0]]._replace(level=TITLE_LEVEL)
    return changed, headings[top[0]].title


def _is_in(heading: str, title: str) -> bool:
    return " ".join(heading.casefold().split()) in " ".join(title.casefold().split())


def parse_title(text: str) -> str | None:
    """Return the title that a first line ``= Title =`` gives, or None."""
    return page_sections(text, line_headings(text))[1]


def parse_sections(text: str) -> tuple[Section, ...]:
    """Return the sections that ``=`` headings divide a text into, as ``sections_between`` does.

    The only heading of level 1 is the title and names no section, if it comes before all text.
    """
    return page_sections(text, line_headings(text))[0]


def page_sections(text: str, headings: Sequence[Heading]) -> tuple[tuple[Section, ...], str | None]:
    """Return the sections of a page with these headings, and its title if it begins with one."""
    title = None
    if headings and headings[0].level == 1 and not is_visible(text[: headings[0].start]):
        headings, title = split_title(headings)
    return sections_between(text, headings), title


def line_headings(text: str) -> list[Heading]:
    """Return the ``== Title ==`` lines of a text."""
    headings: list[Heading] = []
    for line in lines(text):
        if text.startswith(("=", BOM, " ", "\t"), line.start):
            heading = parse_heading(text[line.start : line.end].strip().strip(BOM).strip(), line)
            if heading:
                headings.append(heading)
    return headings


def parse_heading(content: str, line: Span) -> Heading | None:
    """Parse the trimmed content of a line as a ``=`` heading.

    Args:
        content: what stands on the line, trimmed. ``===A==`` has level 2 and the title ``=A``;
            ``= = A = =``, as in text that is split into words, has level 2 and the title ``A``.
        line: the span of the line, which becomes the heading's.

    Returns:
        The heading; None if the line is none, or its title is too long.

    """
    content = _joined_marks(content)
    left = len(content) - len(content.lstrip("="))
    right = len(content) - len(content.rstrip("="))
    level = min(left, right, 6)
    title = content[level : len(content) - level].strip()
    if level == 0 or left == len(content) or not 0 < len(title) <= MAX_HEADING_LENGTH:
        return None
    return Heading(level, title, line.start, line.end)


def _joined_marks(content: str) -> str:
    """``= = A = =`` → ``==A==``."""
    if not content.startswith("= =") or not content.endswith("= ="):
        return content
    title = content.strip("= ")
    left, _, right = content.partition(title) if title else ("", "", "")
    is_split = set(left.split()) == set(right.split()) == {"="} and "==" not in left + right
    return left.replace(" ", "") + title + right.replace(" ", "") if is_split else content
