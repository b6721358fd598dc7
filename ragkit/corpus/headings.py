"""Headings → sections: the one rule that every reader shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ragkit.types import Section

__all__ = [
    "BOM",
    "LONGEST_HEADING",
    "TITLE",
    "Heading",
    "is_visible",
    "sections_between",
    "with_title",
]

BOM = "\ufeff"
TITLE = 0
"""The level of a heading that begins anew and names no section: a title, or a chapter's border."""

LONGEST_HEADING = 1000
"""A longer one is none that anyone wrote: it is text. It would stand in front of every chunk."""


class Heading(NamedTuple):
    """Where a heading's own lines stand, markup included. ``level`` is 1–6, or ``TITLE``."""

    level: int
    title: str
    start: int
    end: int


def is_visible(text: str) -> bool:
    """Whether there is anything but white space and byte order marks."""
    return bool(text.strip().strip(BOM).strip())


def sections_between(text: str, headings: Iterable[Heading], start: int = 0) -> tuple[Section, ...]:
    """The bodies between headings from ``start`` on, those without visible text left out.

    Every visible character behind ``start`` and outside headings lies in exactly one section.
    """
    found: list[Section] = []
    stack: list[Heading] = []
    ends = Heading(TITLE, "", len(text), len(text))
    for heading, after in pairwise([Heading(TITLE, "", start, start), *headings, ends]):
        stack = [above for above in stack if above.level < heading.level] + [heading]
        if is_visible(text[heading.end : after.start]):
            path = tuple(above.title for above in stack if above.level != TITLE)
            found.append(Section(path, heading.end, after.start))
    return tuple(found)


def with_title(headings: Sequence[Heading]) -> tuple[list[Heading], str | None]:
    """The only heading of level 1 is the document's title, so no section is named by it."""
    first = [at for at, heading in enumerate(headings) if heading.level == 1]
    changed = list(headings)
    if len(first) != 1:
        return changed, None
    changed[first[0]] = changed[first[0]]._replace(level=TITLE)
    return changed, headings[first[0]].title
