"""Running heads and feet of pages: lines that return at the same place from page to page."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from ragkit.corpus.pdf_lines import Line

__all__ = ["without_margins"]

_MAX_LINES = 4
"""Lines of a head or foot."""
_ATTACHED = 1.7
"""Of a line's size: no more than this is between the lines of a paragraph."""
_LARGE = 1.25
"""Of the usual size of text: a larger line is a heading, though it may return."""
_NUMBER = re.compile(r"\d{1,5}")
_ROMAN = re.compile(r"(?=[ivxlc])(c{0,3})(x[cl]|l?x{0,3})(i[xv]|v?i{0,3})")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


class _Key(NamedTuple):
    """What a line has in common with those at its place on other pages.

    ``reach``: how many pages away others may be; ``witnesses``: how many there must be.
    """

    content: Hashable
    reach: int
    witnesses: int


def without_margins(pages: Sequence[Sequence[Line]], body_size: float) -> list[list[Line]]:
    """Return the lines of each page without running heads, feet and page numbers.

    Args:
        pages: the lines of each page.
        body_size: the usual size of text.

    """
    remaining = [list(page) for page in pages]
    for is_top in (True, False):
        for _ in range(_MAX_LINES):
            edges = [_edge(page, body_size, is_top=is_top) for page in remaining]
            attached = [_is_attached(*both) for both in zip(remaining, edges, strict=True)]
            running = _running(edges, attached)
            if not running:
                break
            for number in running:
                remaining[number] = [
                    line for line in remaining[number] if line not in edges[number]
                ]
    # Where nothing else would be left, the lines are the text.
    return remaining if any(remaining) else [list(page) for page in pages]


def _edge(page: Sequence[Line], body_size: float, *, is_top: bool) -> list[Line]:
    """Return the lines at the outermost height of a page, unless one is large."""
    if not page:
        return []
    heights = [line.baseline for line in page]
    height = max(heights) if is_top else min(heights)
    lines = [line for line in page if abs(line.baseline - height) < 1.0]
    return [] if any(line.size > _LARGE * body_size for line in lines) else lines


def _is_attached(page: Sequence[Line], edge: Sequence[Line]) -> bool:
    """Return whether the edge of a page is as near to the next line as lines of a paragraph."""
    if not edge:
        return False
    distances = (abs(line.baseline - edge[0].baseline) for line in page if line not in edge)
    return min(distances, default=inf) < _ATTACHED * edge[0].size


def _running(edges: Sequence[Sequence[Line]], attached: Sequence[bool]) -> list[int]:
    """Return the pages whose edge has its like on pages nearby.

    On more than one, if it may be the first or last line of a paragraph: two paragraphs may end
    in the same words.
    """
    keys = [
        [key._replace(witnesses=key.witnesses + is_attached) for key in _keys(number, lines)]
        for number, (lines, is_attached) in enumerate(zip(edges, attached, strict=True))
    ]
    seen = {(number, key.content) for number, page in enumerate(keys) for key in page}
    return [
        number
        for number, page in enumerate(keys)
        if any(_others(seen, number, key) >= key.witnesses for key in page)
    ]


def _others(seen: set[tuple[int, Hashable]], page: int, key: _Key) -> int:
    nearby = (distance for distance in range(-key.reach, key.reach + 1) if distance)
    return sum((page + distance, key.content) in seen for distance in nearby)


def _keys(page: int, lines: Sequence[Line]) -> Iterator[_Key]:
    """Yield what an edge has in common with others: its words, or a number that counts pages."""
    if not lines:
        return
    height = round(lines[0].baseline)
    text = " ".join(line.text for line in lines)
    yield _Key((height, text), 2, 1)
    for match in list(_NUMBER.finditer(text))[:4]:
        offset = int(match[0]) - page
        masked = f"{text[: match.start()]}\0{text[match.end() :]}"
        # The number of the page itself needs one witness, any other that counts needs two.
        yield _Key((height, masked, offset), 3, 1 if offset == 1 else 2)
    words = text.split()
    for word in {words[0], words[-1]}:
        number = _number(word.strip("-–—.|[]()/"))
        if number is not None:
            yield _Key((height, number - page), 4, 2)


def _number(word: str) -> int | None:
    if _NUMBER.fullmatch(word):
        return int(word)
    if not _ROMAN.fullmatch(word):
        return None
    digits = [_ROMAN_DIGITS[letter] for letter in word]
    following = [*digits[1:], 0]
    pairs = zip(digits, following, strict=True)
    return sum(-digit if digit < after else digit for digit, after in pairs)
