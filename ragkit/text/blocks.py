r"""The structure of a text: which lines belong together, what introduces them, what answers.

It is taken from the text itself, which is what citations point to, so that a document made in
memory and one that a reader parsed are treated alike. A *lead* introduces what follows it: the
question before an answer, "The lengths are:" before a list, the names of columns before rows, the
opening fence of code. It is embedded with each of the sentences that follow, and answers nothing.

A line is a sentence where someone broke it on purpose: rows of tables, code, verse, addresses. In a
text that a program wrapped, the first word of a line never had room on the line before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from math import ceil, inf
from typing import NamedTuple

from ragkit.text.aligned import aligned_rows, gap_cells
from ragkit.text.labels import has_digit, is_label, is_prose, labels_rest, states_fact
from ragkit.text.languages import DEFAULT, function_words, language_of_text
from ragkit.text.line_units import is_conversation, is_item
from ragkit.text.sentences import paragraphs, split_sentences
from ragkit.text.spans import Span, lines, split_at, trim

__all__ = [
    "Block",
    "BlockKind",
    "blocks",
    "cells",
    "code_at",
    "introduces",
    "is_code",
    "is_question",
    "pieces",
]

MAX_LEAD = 400
"""Characters. A longer question or introduction is a text of its own."""

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_CLOSED = r"[\"'”’»)\]*_]*(?:</[a-zA-Z]\w*>)*\s*\Z"
_INTRODUCES = re.compile(rf"[?:？：؟]{_CLOSED}")
_QUESTION = re.compile(rf"[?？؟]{_CLOSED}")
_TAG = r"\s*</?[a-zA-Z][^<>\n]*>\s*"
_NAMES_TABLE = re.compile(
    r"\b(?:tables?|tabelle|tableau|following (?:list|figures?|values?|amounts?|prices?)"
    r"|(?:listed|given|shown|see|are|summari[sz]ed) below|as follows)\b",
    re.IGNORECASE,
)
_HEADER_ROW = re.compile(r"\s*<tr\b[^<>]*>\s*<th\b(?!.*<td\b)")
_TAGS, _TAG_FIRST, _TAG_LAST = (
    re.compile(pattern) for pattern in (rf"(?:{_TAG})+\Z", _TAG, rf".*{_TAG}\Z")
)
_OPEN_END = re.compile(r"[,;(\[&–—-]\s*\Z")
_CODE = r".*[;{}()\[\]\\=,][ \t]*\Z|\s*(?:#|//|\$ |>>> |<[\w/!])"
_CODE_LINE = re.compile(rf"\s{{2,}}\S|{_CODE}")
_CODE_IN_LIST = re.compile(_CODE)
"""The lines of an item are indented below its first one."""
_BAR, _TAB = re.compile(r"(?<!\\)\|"), re.compile(r"(?<=\S)\t+(?=\S)")
_ONE_TAB = re.compile(r"\t")
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


class BlockKind(StrEnum):
    """What a block looks like on a page."""

    PARAGRAPH = "paragraph"
    TABLE = "table"
    CODE = "code"


class Block(NamedTuple):
    """Lines or sentences that belong together.

    Attributes:
        span: all of it, with a lead that stands directly in front of it.
        lead: what introduces it, in its span or before; None if nothing does.
        sentences: in order, what may answer; never empty.
        kind: paragraph, table or code.

    """

    span: Span
    lead: Span | None
    sentences: tuple[Span, ...]
    kind: BlockKind = BlockKind.PARAGRAPH


def blocks(text: str, span: Span, *, language: str | None = None) -> list[Block]:
    r"""Split ``span`` into blocks, in order, that together hold all its visible characters.

    Args:
        text: the whole text.
        span: the part to split, such as the body of a section.
        language: as for ``split_sentences``.

    Example:
        >>> text = "Is it free?\n\nYes, for all.\n\nCity | Opened | Stops\nBari | 2006 | 12"
        >>> for block in blocks(text, Span(0, len(text))):
        ...     print(text[slice(*block.lead)], "→", text[slice(*block.sentences[0])])
        Is it free? → Yes, for all.
        City | Opened | Stops → Bari | 2006 | 12

    """
    parts = [
        part
        for piece in pieces(text, span)
        for part in ([piece] if isinstance(piece, Block) else _paragraph(text, piece, language))
    ]
    return list(_introduced(text, parts))


def introduces(sentence: str) -> bool:
    """Return whether a sentence asks or announces something, so that what follows it answers."""
    return bool(_INTRODUCES.search(sentence))


def is_question(words: str) -> bool:
    """Return whether some words end as a question does."""
    return bool(_QUESTION.search(words))


def is_code(lines: Sequence[str], pattern: re.Pattern[str] = _CODE_IN_LIST) -> bool:
    """Return whether most of several lines look like code, however far they are indented."""
    like_code = sum(bool(pattern.match(line)) for line in lines)
    return len(lines) > 1 and like_code >= _MOSTLY * len(lines)


def code_at(text: str, span: Span, place: int) -> Span | None:
    """Return the fenced code in ``span`` that a place is in, without its fences; None if none."""
    for code in _fenced(text, span):
        inside = Span(code.sentences[0].start, code.sentences[-1].end)
        if inside.start <= place < inside.end:
            return inside
    return None


def pieces(text: str, span: Span) -> Iterator[Block | Span]:
    """Yield each table and each fenced code block as a block, and each paragraph as its span."""
    start = span.start
    for code in _fenced(text, span):
        yield from _unfenced(text, Span(start, code.span.start))
        yield code
        start = code.span.end
    yield from _unfenced(text, Span(start, span.end))


def _unfenced(text: str, span: Span) -> Iterator[Block | Span]:
    for lines_together in paragraphs(text, span, long_line=inf):
        table = _table(text, lines_together)
        if table:
            yield table
        else:
            yield from paragraphs(text, lines_together)


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
                whole = Span(opened[0].start, content.end)
                yield Block(whole, opened[0], tuple(inside), BlockKind.CODE)
            opened = None
        elif content:
            inside.append(content)


def _table(text: str, span: Span) -> Block | None:
    """Return the table that a stanza is: lines with the same number of bars, tabs or columns."""
    own = [line for line in (trim(text, line) for line in lines(text, *span)) if line]
    for mark in (_BAR, _TAB, _ONE_TAB):
        counts = [len(mark.findall(text, *line)) for line in own]
        rows = [number for number, count in enumerate(counts) if count]
        if len(rows) < _FEWEST_ROWS or rows[0] > _MOST_CAPTIONS:
            continue
        usual = Counter(counts[number] for number in rows).most_common(1)[0][1]
        if usual < _ALIKE * len(rows) or len(rows) < _MOSTLY * (len(own) - rows[0]):
            continue
        return _rows(text, own[: rows[0]], own[rows[0] :])
    for first in range(min(_MOST_CAPTIONS, len(own) - 1) + 1):
        aligned = aligned_rows(text, own[first:])
        if aligned:
            return _rows(text, own[:first], aligned)
    return None


def _rows(text: str, captions: Sequence[Span], own: Sequence[Span]) -> Block | None:
    """A table of rows and of the rules between them; the rule below the first makes it names."""
    rows: list[Span] = []
    is_ruled = False
    for line in own:
        if any(map(str.isalnum, text[slice(*line)])):
            rows.append(line)
        else:
            is_ruled |= len(rows) == 1
    if len(rows) < _FEWEST_ROWS or (captions and captions[-1].end - captions[0].start > MAX_LEAD):
        return None
    whole = Span((captions or own)[0].start, own[-1].end)
    lead = Span(whole.start, rows[0].end)
    first_cells = _cells_of(text, rows[:_FIRST_ROWS])
    names_columns = is_ruled or _names_columns(first_cells)
    # Where the first row may name columns, and may as well be a row, it is both.
    return Block(whole, lead, tuple(rows[1:] if names_columns else rows), BlockKind.TABLE)


def _cells_of(text: str, rows: Sequence[Span]) -> list[list[str]]:
    """The cells of rows; each of two tabs side by side counts if all rows have as many."""
    by_tab = [text[slice(*row)].split("\t") for row in rows]
    if len(by_tab[0]) > 1 and len(set(map(len, by_tab))) == 1:
        return [[cell.strip() for cell in row] for row in by_tab]
    return [[text[slice(*cell)] for cell in _split(text, row)] for row in rows]


def cells(text: str, line: Span) -> list[Span]:
    """Return the cells of a table's line, trimmed; bars at both of its ends are its frame.

    >>> for text in ["| a | | b |", "| a | b"]:
    ...     print([text[start:end] for start, end in cells(text, Span(0, len(text)))])
    ['a', '', 'b']
    ['', 'a', 'b']
    """
    spans = _split(text, line)
    is_framed = text[line.start] == "|" and not text[slice(*spans[-1])]
    return spans[1:-1] if is_framed and len(spans) > 2 else spans


def _split(text: str, line: Span) -> list[Span]:
    """Split a line at its bars, else at its tabs, else at its wide blanks."""
    mark = next((mark for mark in (_BAR, _TAB) if mark.search(text, *line)), None)
    if mark is None:
        return gap_cells(text, line)
    return split_at(text, line, mark)


def _names_columns(first_rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has words only, in three or more columns, above one of numbers.

    So has one that alone is empty above the first column, such as years above amounts.
    """
    names, *rows = first_rows
    if len(names) > 1 and not names[0] and all(row[0] for row in rows):
        return True
    if len(names) < _FEWEST_COLUMNS or any(map(has_digit, names)):
        return False
    return any(
        _are_numbers([row[column] for row in rows if row[column : column + 1] not in ([], [""])])
        for column in range(len(names))
    )


def _are_numbers(column: Sequence[str]) -> bool:
    """Whether most cells of a column that are not empty have figures in them."""
    return bool(column) and sum(map(has_digit, column)) >= _ALIKE * len(column)


def _paragraph(text: str, span: Span, language: str | None) -> Iterator[Block]:
    own = lines(text, *span)
    if is_conversation(text, own):
        yield Block(span, None, split_sentences(text, span, language=language))
        return
    if labels_rest(text, own, language=language):
        label = Span(span.start, own[0].end)
        lead = trim(text, label) or label
        rest = _sentences(text, own[1:], language)
        yield Block(Span(lead.start, rest[-1].end), lead, rest)
        return
    sentences = _sentences(text, own, language)
    leads = [number for number in range(len(sentences) - 1) if _is_led(text, sentences, number)]
    for first, last in pairwise(sorted({0, *leads, len(sentences)})):
        group = sentences[first:last]
        whole = Span(group[0].start, group[-1].end)
        is_led = first in leads and len(group) > 1
        yield Block(whole, group[0], group[1:]) if is_led else Block(whole, None, group)


def _sentences(text: str, own: Sequence[Span], language: str | None) -> tuple[Span, ...]:
    return tuple(
        sentence
        for part in _broken_on_purpose(text, own, language)
        for sentence in split_sentences(text, part, language=language)
    )


def _is_led(text: str, sentences: Sequence[Span], number: int) -> bool:
    """Whether a sentence of a paragraph, on a line of its own, leads to those below it.

    A question does, and a row of names in HTML; the first sentence may announce the others, too.
    Items of one list do not.
    """
    sentence, following = sentences[number : number + 2]
    words = text[slice(*sentence)]
    leads = (
        _QUESTION.search(words)
        or (number == 0 and introduces(words))
        or (_HEADER_ROW.match(words) and text.startswith("<tr", following.start))
    )
    if not leads or len(words) > MAX_LEAD or (is_item(text, sentence) and is_item(text, following)):
        return False
    before = text[sentences[number - 1].end : sentence.start] if number else "\n"
    after = text[sentence.end : following.start]
    return all("\n" in around or "\r" in around for around in (before, after))


def _broken_on_purpose(text: str, own: Sequence[Span], language: str | None) -> list[Span]:
    """Cut the lines of a paragraph where the first word of a line had room on the one before.

    Tags on lines of their own are cut off, too.
    """
    whole = Span(own[0].start, own[-1].end)
    contents = [text[slice(*line)].rstrip() for line in own]
    tagged = [
        line.start
        for line, (before, after) in zip(own[1:], pairwise(contents), strict=True)
        if _is_between_tags(before, after)
    ]
    if tagged:
        return [Span(*both) for both in pairwise([whole.start, *tagged, whole.end])]
    if len(own) <= _FEWEST_ROWS:
        return [whole]
    lengths = sorted(map(len, contents[:-1]))
    width = max(_NARROWEST, lengths[ceil(_WRAPPED_AT * (len(lengths) - 1))])
    had_room = [
        len(before) + 1 + len(line.split(maxsplit=1)[0]) <= width
        for before, line in pairwise(contents)
    ]
    if sum(had_room) < _MOSTLY * len(had_room):
        return [whole]
    margin = min(len(line) - len(line.lstrip()) for line in contents)
    code = _CODE_IN_LIST if is_item(text, own[0]) else _CODE_LINE
    are_code = is_code([line[margin:] for line in contents], code)
    frequent = function_words(language or language_of_text(text) or DEFAULT)
    starts = [
        own[number + 1].start
        for number, (room, (before, line)) in enumerate(
            zip(had_room, pairwise(contents), strict=True)
        )
        if are_code or (room and _begins(before, line, frequent))
    ]
    return [Span(*both) for both in pairwise([whole.start, *starts, whole.end])]


def _is_between_tags(before: str, line: str) -> bool:
    """Whether markup ends one line and begins the next, or is all that is on one of them."""
    if "<" not in before and "<" not in line:
        return False
    if _TAGS.match(before) or _TAGS.match(line):
        return True
    return bool(_TAG_LAST.match(before) and _TAG_FIRST.match(line))


def _begins(before: str, line: str, frequent: frozenset[str]) -> bool:
    """Whether a line is not simply how the sentence of the line before goes on.

    It is after an open bracket, or one of the ``frequent`` words of the language, such as "the".
    """
    letter = next(filter(str.isalnum, line), "")
    is_open = _OPEN_END.search(before) or before.rsplit(maxsplit=1)[-1] in frequent
    return not letter.islower() and not is_open


def _introduced(text: str, alone: Sequence[Block]) -> Iterator[Block]:
    """Give each block the paragraph that asks or announces it, up to the next such paragraph."""
    questions = sum(_is_alone(part) and _is_question(text, part.span) for part in alone)
    lead: Span | None = None  # waits for the block that it introduces
    carried: Span | None = None  # the question that an answer of several paragraphs has
    for number, part in enumerate(alone):
        is_last = number + 1 == len(alone)
        if lead and not _leads_to(text, lead, part):
            yield Block(lead, None, (lead,))
            lead = None
        following = None if is_last or _is_one_of_labels(text, alone, number) else alone[number + 1]
        if following and _is_alone(part) and _announces(text, part.span, lead, following):
            lead = Span(lead.start if lead else part.span.start, part.span.end)
            carried = None
            continue
        if lead:
            own = _with_lead(part, lead)
            carried = lead if questions > 1 and _is_question(text, lead) else None
        else:
            own = part._replace(lead=part.lead or carried)
        own, lead = (own, None) if is_last else _without_end(text, own)
        carried = None if lead else carried
        yield own


def _is_alone(part: Block) -> bool:
    return len(part.sentences) == 1 and part.lead is None


def _is_one_of_labels(text: str, alone: Sequence[Block], number: int) -> bool:
    """Whether a paragraph and the one before it are labels, such as those of tabs."""
    both = [part for part in alone[max(0, number - 1) : number + 1] if _is_alone(part)]
    return len(both) == 2 and all(is_label(text[slice(*part.span)]) for part in both)


def _is_question(text: str, span: Span) -> bool:
    return is_question(text[slice(*span)])


def _announces(text: str, span: Span, lead: Span | None, following: Block) -> bool:
    """Whether a paragraph leads to the next: by its end, or as a number that answers nothing.

    So does a heading without markup above a sentence, and what names a table above that table.
    """
    words = text[slice(*span)]
    if lead is None and following.kind is BlockKind.TABLE:
        is_caption = is_label(words) and not is_item(text, span)
        if is_caption or (len(words) <= MAX_LEAD and _NAMES_TABLE.search(words)):
            return True
    elif lead is None and is_label(words) and not is_item(text, span):
        if states_fact(words):
            return False
        return is_prose(text[slice(*following.span)]) and following.lead is None
    if len(words) <= _MOST_MARKS and not any(map(str.isalpha, words)):
        return lead is None or not _is_question(text, lead)
    return len(words) <= MAX_LEAD and introduces(words)


def _leads_to(text: str, lead: Span, part: Block) -> bool:
    """Whether a paragraph can be the lead of the next: no question answers another one."""
    is_asked = _is_question(text, lead) and _is_alone(part) and _is_question(text, part.span)
    end = part.lead.end if part.lead else lead.end
    if _is_alone(part) and introduces(text[slice(*part.span)]):
        end = part.span.end
    return end - lead.start <= MAX_LEAD and not is_asked


def _with_lead(part: Block, lead: Span) -> Block:
    """A block with what precedes it as its lead."""
    whole = Span(lead.start, part.lead.end if part.lead else lead.end)
    return part._replace(span=Span(lead.start, part.span.end), lead=whole)


def _without_end(text: str, part: Block) -> tuple[Block, Span | None]:
    """Cut off a last sentence that leads to the next block."""
    last = part.sentences[-1]
    words = text[slice(*last)]
    is_end = len(part.sentences) > 1 and last.end == part.span.end
    if not is_end or len(words) > MAX_LEAD or not introduces(words):
        return part, None
    sentences = part.sentences[:-1]
    own = Span(part.span.start, sentences[-1].end)
    return part._replace(span=own, sentences=sentences), last
