"""reStructuredText: the text is the file without comments; its sections come from underlines.

A heading is a line with a line of one punctuation mark below it that is at least as long, and
perhaps the same above it. Levels are numbered in the order in which their marks appear
(https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#sections). All other markup
stays part of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all, refuse_unusable
from ragkit.corpus.headings import (
    BOM,
    MAX_HEADING_LENGTH,
    Heading,
    sections_between,
    split_title,
)
from ragkit.corpus.parser import ParsedDocument
from ragkit.text.spans import lines

__all__ = ["parse", "underlined_headings"]

_LINE_OF_MARKS = re.compile(r"([!-/:-@\[-`{-~])\1*\Z")
_MAX_LEVEL = 6
# After a blank line or an underline, two dots and what is neither a directive, a target, a footnote
# nor a substitution, with the lines that are indented below it.
_COMMENT = re.compile(
    r"(?<![^\s=~^*+#`:_-]\n)(?<![^\s=~^*+#`:_-]\r)(?<![^\s=~^*+#`:_-]\r\n)"
    r"(?:^\.\.[ \t]++(?!_|\[|\||\w[\w.+:-]*[ ]?::(?:\s|\Z))"
    r"[^\r\n]++(?:\r\n|\r|\n|\Z)"
    r"(?:(?:[ \t]*+(?:\r\n|\r|\n))*+[ \t]++\S[^\r\n]*+(?:\r\n|\r|\n|\Z))*+)+",
    re.MULTILINE,
)
"""https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#comments"""


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    text = _COMMENT.sub("", decode(read_all(file, str(path)), str(path)))
    refuse_unusable(text, f"{path}, without its comments,")
    headings, title = split_title(list(underlined_headings(text)))
    yield ParsedDocument(text, sections_between(text, headings), title=title)


def underlined_headings(text: str) -> Iterator[Heading]:
    """Yield the headings of a text, whose levels are in the order of their marks."""
    spans = lines(text)
    contents = [text[start:end].strip(BOM).rstrip() for start, end in spans]
    levels: dict[tuple[str, bool], int] = {}
    for number in range(1, len(contents)):
        title, below = contents[number - 1].strip(), contents[number]
        above = contents[number - 2] if number > 1 else ""
        if not _is_heading(contents[number - 1], above, below):
            continue
        has_overline = above == below
        level = levels.setdefault((below[0], has_overline), len(levels) + 1)
        first = number - 2 if has_overline else number - 1
        yield Heading(min(level, _MAX_LEVEL), title, spans[first].start, spans[number].end)


def _is_heading(line: str, above: str, below: str) -> bool:
    title = line.strip()
    if not 0 < len(title) <= MAX_HEADING_LENGTH or len(below) < max(2, len(line)):
        return False
    if not _LINE_OF_MARKS.match(below) or _LINE_OF_MARKS.match(title):
        return False
    # Without an overline, the title begins its line and follows a blank one.
    return above == below or (not above and line == title)
