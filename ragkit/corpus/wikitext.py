"""Section structure of text with ``=`` headings, as MediaWiki writes them.

Not a wikitext parser (that is ``mediawiki``): whatever else stands in the text is left, since every
offset refers to the text exactly as given. Source of the heading rule (``min`` of both runs of
``=``, at most 6): https://www.mediawiki.org/wiki/Help:Formatting#Section_headings
"""

from __future__ import annotations

from collections.abc import Iterator

from ragkit.corpus.headings import (
    BOM,
    LONGEST_HEADING,
    TITLE,
    Heading,
    is_visible,
    sections_between,
)
from ragkit.text.lines import lines
from ragkit.text.spans import Span
from ragkit.types import Section

__all__ = ["BOM", "heading_in", "parse_sections", "parse_title"]


def parse_title(text: str) -> str | None:
    """The title that a first ``= Title =`` line gives, or None."""
    for line in lines(text):
        content = text[line.start : line.end].strip().strip(BOM).strip()
        if content:
            heading = heading_in(content, line)
            return heading.title if heading and heading.level == 1 else None
    return None


def parse_sections(text: str) -> tuple[Section, ...]:
    """The sections of ``text`` in order, the lead first, those without body text left out.

    Every character outside heading lines lies in exactly one section's body, except that white
    space between headings belongs to none.
    """
    headings = list(_headings(text))
    if headings and headings[0].level == 1 and not is_visible(text[: headings[0].start]):
        headings[0] = headings[0]._replace(level=TITLE)
    return sections_between(text, headings)


def _headings(text: str) -> Iterator[Heading]:
    for line in lines(text):
        if text.startswith(("=", BOM, " ", "\t"), line.start):
            heading = heading_in(text[line.start : line.end].strip().strip(BOM).strip(), line)
            if heading:
                yield heading


def heading_in(content: str, line: Span) -> Heading | None:
    """``==A==`` is level 2 titled A; the shorter run of ``=`` decides, the rest is title."""
    left = len(content) - len(content.lstrip("="))
    right = len(content) - len(content.rstrip("="))
    level = min(left, right, 6)
    title = content[level : len(content) - level].strip()
    if level == 0 or left == len(content) or not 0 < len(title) <= LONGEST_HEADING:
        return None
    return Heading(level, title, line.start, line.end)
