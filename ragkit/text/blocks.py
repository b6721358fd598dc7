r"""The structure of a text: which lines belong together, what introduces them, what answers.

It is taken from the text itself, which is what citations point to, so that a document made in
memory and one that a reader parsed are treated alike. A *lead* introduces what follows it: the
question before an answer, "The lengths are:" before a list, the names of columns before rows, the
opening fence of code. It is embedded with every sentence behind it and is no answer itself.

Lines are units where someone broke them on purpose: rows of tables, code, verse, addresses. A text
wrapped by a program is told from them by this: there, the next line's first word never fitted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from ragkit.text.line_units import is_conversation, is_item
from ragkit.text.sentences import paragraphs, split_sentences
from ragkit.text.spans import Span, lines, trim

__all__ = ["Block", "blocks", "introduces"]

MAX_LEAD = 400
"""Characters. A longer question or introduction is a text of its own."""

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_INTRODUCES = re.compile(r"[?:？：؟][\"'”’»)\]*_]*\s*\Z")
_QUESTION = re.compile(r"[?？؟][\"'”’»)\]*_]*\s*\Z")
_OPEN_END = re.compile(r"[,;(\[&–—-]\s*\Z")
_CODE_LINE = re.compile(r"\s{2,}\S|.*[;{}()\[\]\\=,][ \t]*\Z|\s*(?:#|//|\$ |>>> |<[\w/!])")
_BAR, _TAB = re.compile(r"(?<!\\)\|"), re.compile(r"(?<=\S)\t+(?=\S)")
_FEWEST_ROWS, _FEWEST_COLUMNS, _MOST_CAPTIONS = 2, 3, 2
_ALIKE = 0.8
"""Share of a table's rows that have the same number of columns, or numbers in one of them."""

_MOST_MARKS = 12
"""Characters. A paragraph without letters that is no longer is a number or an ornament."""

_WRAPPED_AT = 0.8
"""Quantile of the lengths of a paragraph's lines that counts as the width it was wrapped at."""

_NARROWEST = 40
"""Characters. No program wraps text at fewer."""

_MOSTLY = 0.5
"""Share of lines from which on a paragraph counts as broken on purpose, or as code."""

_FIRST_ROWS = 20
"""Rows of a table that are compared with its first one, to tell whether that names columns."""


class Block(NamedTuple):
    """Lines or sentences that belong together.

    Attributes:
        span: all of it, with a lead that stands directly in front of it.
        lead: what introduces it, in its span or before; None if nothing does.
        sentences: in order, what may answer; never empty.

    """

    span: Span
    lead: Span | None
    sentences: tuple[Span, ...]


def blocks(text: str, span: Span) -> list[Block]:
    r"""Split ``span`` into blocks, in order, that together hold all its visible characters.

    Args:
        text: the whole text.
        span: the part to split, such as the body of a section.

    Example:
        >>> text = "Is it free?\n\nYes, for all.\n\nCity | Opened | Stops\nBari | 2006 | 12"
        >>> for block in blocks(text, Span(0, len(text))):
        ...     print(text[slice(*block.lead)], "→", text[slice(*block.sentences[0])])
        Is it free? → Yes, for all.
        City | Opened | Stops → Bari | 2006 | 12

    """
    return list(_introduced(text, list(_parts(text, span))))


def introduces(sentence: str) -> bool:
    """Return whether a sentence asks or announces something, so that what follows it answers."""
    return bool(_INTRODUCES.search(sentence))


def _parts(text: str, span: Span) -> Iterator[Block]:
    """Yield the blocks of each paragraph, table and fenced code block."""
    start = span.start
    for code in _fenced(text, span):
        yield from _unfenced(text, Span(start, code.span.start))
        yield code
        start = code.span.end
    yield from _unfenced(text, Span(start, span.end))


def _unfenced(text: str, span: Span) -> Iterator[Block]:
    for stanza in _stanzas(text, span):
        table = _table(text, stanza)
        if table:
            yield table
            continue
        for paragraph in paragraphs(text, stanza):
            yield from _paragraph(text, paragraph)


def _stanzas(text: str, span: Span) -> Iterator[Span]:
    """Yield the runs of lines between blank lines."""
    start = span.start
    for line in lines(text, *span):
        if trim(text, line) is None:
            if line.start > start:
                yield Span(start, line.start)
            start = line.end
    if span.end > start:
        yield Span(start, span.end)


def _fenced(text: str, span: Span) -> Iterator[Block]:
    """Yield fenced code that is closed, each line a sentence; the opening fence is its lead."""
    opened: tuple[Span, str] | None = None
    inside: list[Span] = []
    for line in lines(text, *span):
        fence = _FENCE.match(text, *line)
        content = trim(text, line)
        if opened is None:
            opened = (content, fence[1]) if fence and content else None
            inside = []
        elif fence and fence[1].startswith(opened[1]) and content and fence.end() == content.end:
            if inside:
                yield Block(Span(opened[0].start, content.end), opened[0], tuple(inside))
            opened = None
        elif content:
            inside.append(content)


def _table(text: str, span: Span) -> Block | None:
    """Return the table that a stanza is: lines with the same number of bars, or of tabs."""
    own = [line for line in (trim(text, line) for line in lines(text, *span)) if line]
    for mark in (_BAR, _TAB):
        counts = [len(mark.findall(text, *line)) for line in own]
        rows = [number for number, count in enumerate(counts) if count]
        if len(rows) < _FEWEST_ROWS or rows[0] > _MOST_CAPTIONS:
            continue
        usual = Counter(counts[number] for number in rows).most_common(1)[0][1]
        if usual < _ALIKE * len(rows) or len(rows) < _MOSTLY * (len(own) - rows[0]):
            continue
        return _rows(text, own, rows[0], mark)
    return None


def _rows(text: str, own: Sequence[Span], first: int, mark: re.Pattern[str]) -> Block | None:
    """A table whose first row is the line ``first``; the lines before it are its caption."""
    rows: list[Span] = []
    is_ruled = False
    for line in own[first:]:
        if any(map(str.isalnum, text[slice(*line)])):
            rows.append(line)
        elif rows:  # a rule belongs to the row above it
            rows[-1] = Span(rows[-1].start, line.end)
            is_ruled |= len(rows) == 1
    if len(rows) < _FEWEST_ROWS:
        return None
    lead = Span(own[0].start, rows[0].end)
    cells = [[c.strip() for c in mark.split(text[slice(*row)])] for row in rows[:_FIRST_ROWS]]
    names_columns = is_ruled or _names_columns(cells)
    # Where the first row may name columns, and may as well be a row, it is both.
    return Block(Span(own[0].start, own[-1].end), lead, tuple(rows[1:] if names_columns else rows))


def _names_columns(cells: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has words only, in three or more columns, above one of numbers."""
    names, *rows = cells
    if len(names) < _FEWEST_COLUMNS or any(map(_has_digit, names)):
        return False
    return any(
        sum(_has_digit(row[column]) for row in rows if column < len(row)) >= _ALIKE * len(rows)
        for column in range(len(names))
    )


def _has_digit(cell: str) -> bool:
    return any(map(str.isdigit, cell))


def _paragraph(text: str, span: Span) -> Iterator[Block]:
    own = lines(text, *span)
    if is_conversation(text, own):
        yield Block(span, None, split_sentences(text, span))
        return
    sentences = [
        sentence
        for part in _broken_on_purpose(text, own)
        for sentence in split_sentences(text, part)
    ]
    asked = [
        number
        for number, sentence in enumerate(sentences[:-1])
        if _QUESTION.search(text[slice(*sentence)]) and _is_line(text, span, sentence)
    ]
    for first, last in pairwise(sorted({0, *asked, len(sentences)})):
        yield _asked_or_announced(text, span, sentences[first:last], is_first=first == 0)


def _asked_or_announced(
    text: str, paragraph: Span, sentences: Sequence[Span], *, is_first: bool
) -> Block:
    """Some sentences of a paragraph; one that stands on a line of its own leads to the others."""
    span = Span(sentences[0].start, sentences[-1].end)
    lead, words = sentences[0], text[slice(*sentences[0])]
    leads = _QUESTION.search(words) or (is_first and introduces(words))
    if len(sentences) == 1 or not leads or len(words) > MAX_LEAD:
        return Block(span, None, tuple(sentences))
    are_items = is_item(text, lead) and is_item(text, sentences[1])
    if are_items or not _is_line(text, paragraph, lead):
        return Block(span, None, tuple(sentences))
    return Block(span, lead, tuple(sentences[1:]))


def _is_line(text: str, paragraph: Span, sentence: Span) -> bool:
    """Whether a sentence begins at the beginning of a line and ends at the end of one."""
    before = text[paragraph.start : sentence.start].rstrip(" \t")
    after = text[sentence.end : paragraph.end].lstrip(" \t")
    return before[-1:] in ("", "\n", "\r") and after[:1] in ("", "\n", "\r")


def _broken_on_purpose(text: str, own: Sequence[Span]) -> list[Span]:
    """Cut the lines of a paragraph where the first word of a line had room on the one before."""
    whole = Span(own[0].start, own[-1].end)
    if len(own) <= _FEWEST_ROWS:
        return [whole]
    contents = [text[slice(*line)].rstrip() for line in own]
    lengths = sorted(map(len, contents[:-1]))
    width = max(_NARROWEST, lengths[ceil(_WRAPPED_AT * (len(lengths) - 1))])
    had_room = [
        len(before) + 1 + len(line.split(maxsplit=1)[0]) <= width
        for before, line in pairwise(contents)
    ]
    if sum(had_room) < _MOSTLY * len(had_room):
        return [whole]
    margin = min(len(line) - len(line.lstrip()) for line in contents)
    is_code = sum(bool(_CODE_LINE.match(line[margin:])) for line in contents) >= (
        _MOSTLY * len(contents)
    )
    starts = [
        own[number + 1].start
        for number, (room, (before, line)) in enumerate(
            zip(had_room, pairwise(contents), strict=True)
        )
        if is_code or (room and _begins(before, line))
    ]
    return [Span(*both) for both in pairwise([whole.start, *starts, whole.end])]


def _begins(before: str, line: str) -> bool:
    """Whether a line is not simply how the sentence of the line before goes on."""
    letter = next(filter(str.isalnum, line), "")
    return not letter.islower() and not _OPEN_END.search(before)


def _introduced(text: str, parts: Sequence[Block]) -> Iterator[Block]:
    """Give each block the paragraph that asks or announces it, up to the next such paragraph."""
    asking = [part for part in parts if _is_alone(part) and _is_question(text, part.span)]
    lead: Span | None = None  # waits for the block that it introduces
    carried: Span | None = None  # the question that an answer of several paragraphs has
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        if following and _is_alone(part) and _announces(text, part.span, lead):
            if lead and not _goes_on(text, lead, part.span):
                yield Block(lead, None, (lead,))
                lead = None
            lead = Span(lead.start if lead else part.span.start, part.span.end)
            carried = None
            continue
        if lead:
            introduced = _with_lead(part, lead)
            if introduced is None:
                yield Block(lead, None, (lead,))
            elif len(asking) > 1 and _is_question(text, lead):
                carried = lead
            part, lead = introduced or part, None  # noqa: PLW2901
        elif carried and part.lead is None:
            part = part._replace(lead=carried)  # noqa: PLW2901
        own, lead = _without_end(text, part, following)
        if lead:
            carried = None
        yield own
    if lead:
        yield Block(lead, None, (lead,))


def _is_alone(part: Block) -> bool:
    return len(part.sentences) == 1 and part.lead is None


def _is_question(text: str, span: Span) -> bool:
    return bool(_QUESTION.search(text[slice(*span)]))


def _announces(text: str, span: Span, lead: Span | None) -> bool:
    """Whether a paragraph leads to the next: by its end, or as a number that answers nothing."""
    words = text[slice(*span)]
    if len(words) <= _MOST_MARKS and not any(map(str.isalpha, words)):
        return lead is None or not _is_question(text, lead)
    return len(words) <= MAX_LEAD and introduces(words)


def _goes_on(text: str, lead: Span, span: Span) -> bool:
    """Whether two paragraphs lead to the next together: one question does not answer another."""
    are_questions = _is_question(text, lead) and _is_question(text, span)
    return span.end - lead.start <= MAX_LEAD and not are_questions


def _with_lead(part: Block, lead: Span) -> Block | None:
    """A block with what precedes it as its lead; None if both leads together are too long."""
    whole = Span(lead.start, part.lead.end if part.lead else lead.end)
    if whole.end - whole.start > MAX_LEAD:
        return None
    return Block(Span(lead.start, part.span.end), whole, part.sentences)


def _without_end(text: str, part: Block, following: Block | None) -> tuple[Block, Span | None]:
    """Cut off a last sentence that leads to the next block."""
    last = part.sentences[-1]
    words = text[slice(*last)]
    is_end = following and len(part.sentences) > 1 and last.end == part.span.end
    if not is_end or len(words) > MAX_LEAD or not introduces(words):
        return part, None
    sentences = part.sentences[:-1]
    return Block(Span(part.span.start, sentences[-1].end), part.lead, sentences), last
