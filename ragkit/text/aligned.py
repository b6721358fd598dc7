"""Tables whose columns are held apart by blanks alone, as in text for a typewriter's font.

A column begins at the same place in every row, so between two columns there is a strip that is
blank in all of them. Justified prose has wide blanks too, but not in the same places. Items of a
list, turns of a conversation and sentences may have them at one place, which makes no columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, groupby

from ragkit.text.spans import Span, split_at, trim

__all__ = ["aligned_rows", "gap_cells"]

_FILLED = re.compile(r"[^ \u00a0]+")
_GAP = re.compile(r"(?<=\S)(?: {2,}|\u00a0{2,})(?=\S)")
_RULE = re.compile(r"\s*([=-])\1+(?: +\1\1+)+\s*\Z")
"""``=====  ===``: the rule of a table in reStructuredText, or one below the names of columns."""

_FEWEST_ROWS = 3
_ALIKE = 0.8
"""Share of the rows that have a gap, and none besides those between the columns."""

_NARROWEST_STRIP = 2
_MOST_STRIPS = 60
_NO_CELL = re.compile(r"(?:.*[.!?:;…。]|[^\w\s]+|\(?\w{1,3}\))\Z")
"""The mark of an item, who speaks, or a whole sentence, before a wide blank."""

_MOST_ROWS = 2000
"""Rows that are compared with each other."""


def aligned_rows(text: str, own: Sequence[Span]) -> list[Span] | None:
    r"""Return the rows of a table that lines are, trimmed; None if they are none.

    A line that goes on in one column belongs to the row above it. Rules are rows as well.

    Args:
        text: the whole text.
        own: lines in order, none of them blank.

    Example:
        >>> from ragkit.text.spans import lines
        >>> text = "Route   Adult  Child\nLeith   4.10   2.00\nFife    6.40   3.20\n"
        >>> [text[slice(*row)] for row in aligned_rows(text, lines(text))][1:]
        ['Leith   4.10   2.00', 'Fife    6.40   3.20']

    """
    whole = [Span(text.rfind("\n", 0, line.start) + 1, line.end) for line in own]
    contents = [text[slice(*line)].rstrip() for line in whole[:_MOST_ROWS]]
    rules = [bool(_RULE.match(content)) for content in contents]
    rows = [content for content, is_rule in zip(contents, rules, strict=True) if not is_rule]
    if len(rows) + (2 if any(rules) else 0) < _FEWEST_ROWS:
        return None
    strips = _ruled_strips(contents, rules) if any(rules) else _strips(rows)
    if not 0 < len(strips) <= _MOST_STRIPS or any("\t" in content for content in contents):
        return None
    if not (_fit(rows, strips) if any(rules) else _have_columns(rows, strips)):
        return None
    merged: list[Span] = []
    for line in whole:
        content = trim(text, line)
        if content is None:
            continue
        if merged and _goes_on(text[slice(*line)], strips):
            merged[-1] = Span(merged[-1].start, content.end)
        else:
            merged.append(content)
    return merged if len(merged) > 1 else None


def gap_cells(text: str, line: Span) -> list[Span]:
    """Return the cells of a row, trimmed; the first is empty if the row begins far to the right.

    >>> gap_cells("a  b", Span(0, 4))
    [Span(start=0, end=1), Span(start=3, end=4)]
    """
    spans = split_at(text, line, _GAP)
    is_far = line.start - (text.rfind("\n", 0, line.start) + 1) > 1
    return [Span(line.start, line.start), *spans] if is_far and len(spans) > 1 else spans


def _strips(rows: Sequence[str]) -> list[tuple[int, int]]:
    """Return the columns of characters that are blank in every row, inside the table."""
    width = max(map(len, rows))
    changes = [0] * (width + 1)  # by how many more rows a column is filled than the one before it
    for row in rows:
        for filled in _FILLED.finditer(row):
            changes[filled.start()] += 1
            changes[filled.end()] -= 1
    is_blank = [not number for number in accumulate(changes[:-1])]
    strips = []
    for blank, places in groupby(range(width), key=is_blank.__getitem__):
        inside = list(places)
        if blank and inside[0] > 0 and len(inside) >= _NARROWEST_STRIP:
            strips.append((inside[0], inside[-1] + 1))
    return strips


def _fit(rows: Sequence[str], strips: Sequence[tuple[int, int]]) -> bool:
    """Return whether most rows are blank where a rule is."""
    blank = sum(not any(row[slice(*strip)].strip() for strip in strips) for row in rows)
    return blank >= _ALIKE * len(rows)


def _have_columns(rows: Sequence[str], strips: Sequence[tuple[int, int]]) -> bool:
    """Return whether rows without a rule have cells: no wide blanks but those between columns."""
    whole = [row for row in rows if not _goes_on(row, strips)]
    gaps = [len(_GAP.findall(row)) for row in whole]
    if sum(0 < gap <= len(strips) for gap in gaps) < _ALIKE * len(gaps):
        return False
    firsts = [row[: strips[0][0]].strip() for row in whole]
    return len(strips) > 1 or 2 * sum(bool(_NO_CELL.match(one)) for one in firsts) < len(firsts)


def _ruled_strips(contents: Sequence[str], rules: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the blanks of the first rule."""
    rule = next((one for one, is_rule in zip(contents, rules, strict=True) if is_rule), "")
    return [match.span() for match in re.finditer(r"(?<=\S) +(?=\S)", rule)]


def _goes_on(line: str, strips: Sequence[tuple[int, int]]) -> bool:
    """Return whether a line has text in one column only, and not in the first."""
    starts = [0, *[end for _, end in strips]]
    ends = [*[start for start, _ in strips], len(line)]
    filled = [bool(line[start:end].strip()) for start, end in zip(starts, ends, strict=True)]
    return sum(filled) == 1 and not filled[0] and any(map(str.isalpha, line))
