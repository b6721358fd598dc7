"""Questions whose answer would have to be counted or computed from the rows of a table or list.

"How many treaties are listed?" about a table of treaties: no row answers, however similar it is,
and the number of rows that a chunk happens to hold would be a guess. Such a question is told as
one (``Abstention.COUNTING``), with the table cited, unless the number is stated somewhere near, or
one row alone is asked for. English; whatever else is asked is answered as always.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ragkit.answering.answer import Passage
from ragkit.text.blocks import Block, BlockKind, cells, pieces
from ragkit.text.line_units import is_item
from ragkit.text.spans import Span, filled_lines, lines, trim
from ragkit.text.words import stems_of, words_of
from ragkit.types import Document

__all__ = ["has_to_be_counted"]

_STOP = (
    "is are was were be been do does did has have had can could will would should may might must "
    "there in on at of from to with by for that which who whose per and or between during under "
    "over after before since until within without"
).replace(" ", "|")
_THINGS = rf"(?P<things>[\w'’-]+(?: (?!(?:{_STOP})\b)[\w'’-]+){{0,3}})"
_COUNT = re.compile(
    rf"\b(?:how many|number of|count)(?: of)?(?: (?:all|the|these|those|different|distinct))* "
    rf"{_THINGS}",
    re.IGNORECASE,
)
_AGGREGATE = re.compile(
    rf"\b(?:what|how much)\b.*\b(?P<how>average|mean|median|total|combined|sum)(?: of)?(?: the)? "
    rf"{_THINGS}",
    re.IGNORECASE,
)
_UNITS = frozenset(
    "time times year years month months week weeks day days hour hours minute minutes second "
    "seconds km kilometres kilometers miles metres meters feet tons tonnes kg dollars euros pounds "
    "marks percent per cent degrees".split()
)
"""What is measured, not counted."""
_COMPARED = re.compile(
    r"\b(?:more|less|fewer|longer|shorter|larger|smaller|higher|lower|older|newer|bigger) than\b"
    r"|\b(?:after|before|since|over|under|above|below|at least|at most|between|until) \W*\d",
    re.IGNORECASE,
)
_NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "dozen hundred thousand million"
).replace(" ", "|")
_NUMBER = re.compile(rf"\b(?:\d[\d.,]*|{_NUMBER_WORDS})\b", re.IGNORECASE)
_YEAR = re.compile(r"(?:1\d{3}|20\d{2})\Z")
_TOTAL = re.compile(
    r"[\W_]*(?:total|totals|sum|all|overall|altogether|average|mean)\b", re.IGNORECASE
)
_WORDS_BETWEEN = 3
"""Words that may stand between a number and what is counted: "12 large urban districts"."""
_FEWEST_ROWS = 2
_LIKE = 0.5
"""Similarity from which on a word of the question counts as met by the passage."""


class _Asked(NamedTuple):
    """What a question asks the number of, in lower case; ``how``: "average" and the like, or ""."""

    things: frozenset[str]
    how: str


class _Rows(NamedTuple):
    """The rows of a table, or the items of a list; a table's names of columns."""

    whole: Span
    rows: list[Span]
    names: Span | None = None


def has_to_be_counted(question: str, passages: Sequence[Passage], document: Document) -> bool:
    """Return whether the answer would have to be computed from the first passage's table or list.

    Args:
        question: the question by itself.
        passages: what was retrieved for it, best first.
        document: that of the first passage.

    """
    asked = _asked(question)
    first = passages[0]
    if asked is None or not first.highlights:
        return False
    highlight = first.highlights[0]
    section = _section_around(document, highlight)
    structure = section and _rows_around(document.text, highlight, section)
    if not section or not structure or len(structure.rows) < _FEWEST_ROWS:
        return False
    rows = [document.text[slice(*row)] for row in structure.rows]
    own = next((row for row in structure.rows if row.overlap(highlight)), structure.rows[0])
    return (
        _is_about(asked, first, document.text[slice(*structure.whole)])
        and not any(map(_TOTAL.match, rows))
        and sum(_counts(row, asked.things) for row in rows) != 1
        and not (
            _holds_a_number(asked, document.text, own, structure.names)
            and _is_row_alone(question, asked, document.text[slice(*own)], rows)
        )
        and not any(
            _states(text, asked) for text in _around(document, section, structure, passages)
        )
    )


def _asked(question: str) -> _Asked | None:
    match = _COUNT.search(question)
    aggregate = None if match else _AGGREGATE.search(question)
    match = match or aggregate
    if match is None:
        return None
    things = frozenset(match["things"].casefold().split())
    if not aggregate and things & _UNITS:
        return None
    return _Asked(things, aggregate["how"].casefold() if aggregate else "")


def _section_around(document: Document, span: Span) -> Span | None:
    inside = (Span(s.start, s.end) for s in document.sections if s.start <= span.start < s.end)
    return next(inside, None)


def _rows_around(text: str, highlight: Span, section: Span) -> _Rows | None:
    """Return the table or the list in a section that a highlight is part of."""
    for piece in pieces(text, section):
        if not isinstance(piece, Block) or not piece.span.overlap(highlight):
            continue
        if piece.kind == BlockKind.TABLE:
            names = next(reversed(filled_lines(text, piece.lead)), None) if piece.lead else None
            return _Rows(piece.span, list(piece.sentences), names)
        return None
    trimmed = (trim(text, line) for line in lines(text, *section))
    items = [line for line in trimmed if line and is_item(text, line)]
    if not any(item.overlap(highlight) for item in items):
        return None
    return _Rows(Span(items[0].start, items[-1].end), items)


def _is_about(asked: _Asked, passage: Passage, structure: str) -> bool:
    """Return whether a table or list, or what is above it, speaks of what is asked for."""
    citation = passage.citation
    lead = passage.lead.quote if passage.lead else ""
    stems = stems_of(" ".join([citation.title, *citation.section, lead, structure]))
    things = stems_of(" ".join(asked.things))
    return bool(things & stems) or any(
        match.similarity >= _LIKE and match.word.casefold() in asked.things
        for match in passage.matches
    )


def _holds_a_number(asked: _Asked, text: str, own: Span, names: Span | None) -> bool:
    """Return whether the row has a number, other than a year, where the answer may stand.

    That is in the column named after what is asked for, if there is one: "Treaty of Berlin" in the
    column "Treaty" does not say how many treaties.
    """
    parts = [own]
    if names:
        things = stems_of(" ".join(asked.things))
        columns = zip(cells(text, names), cells(text, own), strict=False)
        parts = [cell for name, cell in columns if things & stems_of(text[slice(*name)])] or [own]
    numbers = (match[0] for part in parts for match in _NUMBER.finditer(text[slice(*part)]))
    return any(not _YEAR.match(number) for number in numbers)


def _is_row_alone(question: str, asked: _Asked, own: str, rows: Sequence[str]) -> bool:
    """Return whether the question has words of a row that no other row has together."""
    if _COMPARED.search(question):
        return False
    stems = stems_of(question) - stems_of(" ".join(asked.things))
    keys = {own[word.start : word.end].casefold() for word in words_of(own) if word.stem in stems}
    return bool(keys) and sum(keys <= _surface_words(row) for row in rows) == 1


def _surface_words(text: str) -> set[str]:
    return {text[word.start : word.end].casefold() for word in words_of(text)}


def _around(
    document: Document, section: Span, structure: _Rows, passages: Iterable[Passage]
) -> list[str]:
    """Return what may state the number: the section around the rows, and other passages."""
    text, whole = document.text, structure.whole
    lead_end = structure.rows[0].start
    others = [
        passage.text
        for passage in passages
        if passage.citation.document_id != document.id or not passage.citation.span.overlap(whole)
    ]
    return [text[section.start : lead_end], text[whole.end : section.end], *others]


def _states(text: str, asked: _Asked) -> bool:
    """Return whether a text says how many, or what the total or average is."""
    if asked.how:
        return asked.how in _surface_words(text) and bool(_NUMBER.search(text))
    return _counts(text, asked.things) or _gives(text, asked.things)


def _counts(text: str, things: frozenset[str]) -> bool:
    """Return whether a number stands in front of things: "12 treaties"."""
    for match in _NUMBER.finditer(text):
        following = re.findall(r"[\w'’-]+", text[match.end() : match.end() + 80])
        if things & {word.casefold() for word in following[: _WORDS_BETWEEN + 1]}:
            return True
    return False


def _gives(text: str, things: frozenset[str]) -> bool:
    """Return whether a number follows things: "the number of treaties is 12"."""
    named = "|".join(map(re.escape, things))
    pattern = rf"\b(?:{named})\b(?:[^\w\n]+\w+){{0,2}}?[^\w\n]+({_NUMBER.pattern})"
    return any(not _YEAR.match(match[1]) for match in re.finditer(pattern, text, re.IGNORECASE))
