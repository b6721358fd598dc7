"""Read what was found: little while it is clear, more while it is not; order by both.

The best window of the first chunk is read. If it rather does not answer, the next window of that
chunk and the best windows of the four chunks behind it are read as well. What was read is ordered
by the reader's logit plus the score of late interaction, weighted as was fitted; the rest stays
behind it, in its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ragkit.index import IndexData
from ragkit.reading.reader import Calibration, Kind, Reader, Reading, Window, is_readable
from ragkit.reading.rows import NamedRow, column_names
from ragkit.reading.windows import windows_by_promise
from ragkit.retrieval import Query, Retrieved, ScoredChunk
from ragkit.text.blocks import is_question
from ragkit.text.languages import sample_around
from ragkit.text.spans import Span

__all__ = ["ChunkReading", "Result", "read_result"]

FIRST = 1
"""Chunks of which the best window is read for every question."""

DEEP = 5
"""Chunks of which something is read at most."""

SURE = 0.5
"""Chance that the first chunk answers from which on nothing more is read."""

_KEYWORDS = 2
"""Words of a question without a question mark up to which it is not read, only found."""

_NUMBER = re.compile(r"\d{1,3}(?:[.,]\d{3})+(?!\d)|(?<![\d,])\d+,\d{1,2}(?![\d,])|\d+\.\d+|\d+")
_LONGEST_NUMBER = 24

_MORE_WINDOWS = 1  # of each of the first chunks, besides its best


@dataclass(frozen=True, slots=True)
class ChunkReading:
    """What was read in the windows of a chunk: the best of them.

    Attributes:
        logit: of the chance that the window answers; higher is better.
        answers: the same as a chance, 0–1, as calibrated.
        span: the words that answer best, in the document.
        kinds: probability of each kind of window; they sum to 1.

    """

    logit: float
    answers: float
    span: Span
    kinds: Mapping[Kind, float]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found for a question, and what was read of it.

    Attributes:
        query: the question.
        retrieved: ranked chunks; ``ranking`` in the order of reading and finding together.
        readings: by the number of a chunk; empty without a reader.
        calibration: of the reader; None without one.

    """

    query: Query
    retrieved: Retrieved
    readings: Mapping[int, ChunkReading] = field(default_factory=dict)
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    """A window of a chunk that is to be read.

    Attributes:
        chunk: its number.
        text: the document's.
        start: where the window begins in it.
        window: what is read.
        row: the row that it is, if it is one.
        units: in the document, sentences that stand in one paragraph or on one line.

    """

    chunk: int
    text: str
    start: int
    window: Window
    row: NamedRow | None
    units: Sequence[Span]

    def in_document(self, words: Span) -> Span:
        """Return where words of the window stand; words that run over several units are cut to one.

        No model reads the end of a line, so that it takes the next one for the same sentence.
        """
        if self.row:
            return _with_whole_numbers(self.text, self.row.in_document(words))
        span = Span(words.start + self.start, words.end + self.start)
        unit = max(self.units, key=span.overlap)
        if not span.overlap(unit):  # words between the units, such as a rule
            return span
        cut = Span(max(span.start, unit.start), min(span.end, unit.end))
        return _with_whole_numbers(self.text, cut)


class _Book:
    """The windows of one chunk, the most promising first, each taken once."""

    def __init__(self, data: IndexData, scored: ScoredChunk, reader: Reader) -> None:
        [chunk] = data.chunks([scored.chunk])
        document = data.document(chunk.document_id)
        self.text, self.chunk = document.text, scored.chunk
        self._sentences = frozenset(chunk.sentences)
        self._units = _units(self.text, chunk.sentences)
        self._names = column_names(self.text, chunk.lead, chunk.sentences) if chunk.lead else ()
        # The question of an answer says more of a window than the title; the names of columns
        # are read in each row.
        lead = None if self._names else chunk.lead
        heading = next(reversed(document.sections[chunk.section].path), "")
        asked = heading if is_question(heading) else document.title
        self.title = self.text[slice(*lead)] if lead else asked
        text = self.text[chunk.start : chunk.end]
        [tokens] = reader.token_spans([text])
        shifted = [Span(a + chunk.start, b + chunk.start) for a, b in tokens]
        self._reader = reader
        self._left = windows_by_promise(
            chunk.sentences, scored.sentences, shifted, reader.window_tokens,
            alone=bool(self._names),
        )  # fmt: skip

    def take(self, most: int) -> Iterator[_Page]:
        for span in islice(self._left, most):
            row = self._row(span)
            text = row.text if row else self.text[span.start : span.end]
            yield _Page(
                self.chunk, self.text, span.start, Window(self.title, text), row, self._units
            )

    def _row(self, span: Span) -> NamedRow | None:
        """The row that a window is, if it is a whole one and fits with the names of its columns."""
        if not self._names or span not in self._sentences:
            return None
        row = NamedRow.of(self.text, self._names, span)
        [tokens] = self._reader.token_spans([row.text])
        return row if row.places and len(tokens) <= self._reader.window_tokens else None


def _with_whole_numbers(text: str, words: Span) -> Span:
    """The words with the rest of a number that they begin or end inside: 1,750 for 750."""
    start, end = words
    around = Span(max(0, start - _LONGEST_NUMBER), min(len(text), end + _LONGEST_NUMBER))
    for number in _NUMBER.finditer(text, *around):
        start = number.start() if number.start() < start < number.end() else start
        end = number.end() if number.start() < end < number.end() else end
    return Span(start, end)


def _units(text: str, sentences: Sequence[Span]) -> list[Span]:
    """Join sentences that no end of a line parts, and an indented line to the one above it."""
    units: list[Span] = []
    for sentence in sentences:
        if units and _goes_on(text[units[-1].end : sentence.start], text[sentence.start]):
            units[-1] = Span(units[-1].start, sentence.end)
        else:
            units.append(sentence)
    return units


def _goes_on(between: str, first: str) -> bool:
    """Whether what follows belongs to the same unit; a line of code goes on, an item does not."""
    ends = between.count("\n") or between.count("\r")
    return not ends or (
        ends == 1 and between[-1].isspace() and between[-1] not in "\r\n" and first.isidentifier()
    )


def read_result(
    data: IndexData, query: Query, retrieved: Retrieved, reader: Reader | None
) -> Result:
    """Read the most promising windows of what was found for a question, and order it anew.

    What is in no language of the reader is not read. Windows of several questions in one batch
    would be padded to the longest of all, and change the last digits of each other's readings.
    """
    if reader is None or not _is_readable(data, query, retrieved, reader):
        return Result(query, retrieved)
    readings = _read_chunks(data, query.standalone, retrieved, reader)
    if not readings:
        return Result(query, retrieved)
    calibration = reader.calibration
    return Result(query, _ordered(retrieved, readings, calibration), readings, calibration)


def _is_readable(data: IndexData, query: Query, retrieved: Retrieved, reader: Reader) -> bool:
    """Whether the question asks something, of a first passage that the reader can read."""
    if not retrieved.ranking or _is_keyword(query.standalone):
        return False
    [chunk] = data.chunks([retrieved.ranking[0].chunk])
    text = data.document(chunk.document_id).text
    passage = sample_around(text, Span(chunk.start, chunk.end))
    return is_readable(reader, query.standalone, passage)


def _is_keyword(question: str) -> bool:
    """Whether a question only names what is sought, as to a search engine: it asks nothing."""
    words = question.split()
    return len(words) <= _KEYWORDS and not question.rstrip().endswith(("?", "؟", "？"))


def _read_chunks(
    data: IndexData, question: str, retrieved: Retrieved, reader: Reader
) -> dict[int, ChunkReading]:
    """What was read, by the number of the chunk."""
    readings: dict[int, ChunkReading] = {}
    books = [_Book(data, one, reader) for one in retrieved.ranking[:FIRST]]
    _read(reader, question, [page for book in books for page in book.take(1)], readings)
    if not _is_sure(readings):
        more = [page for book in books for page in book.take(_MORE_WINDOWS)]
        next_books = [_Book(data, one, reader) for one in retrieved.ranking[FIRST:DEEP]]
        more += [page for book in next_books for page in book.take(1)]
        _read(reader, question, more, readings)
    return readings


def _ordered(
    retrieved: Retrieved, readings: Mapping[int, ChunkReading], calibration: Calibration
) -> Retrieved:
    """Chunks that were read in the order of reading and finding together, the rest behind."""

    def together(one: ScoredChunk) -> float:
        return readings[one.chunk].logit + calibration.similarity * one.score

    read = [one for one in retrieved.ranking if one.chunk in readings]
    rest = [one for one in retrieved.ranking if one.chunk not in readings]
    return Retrieved(retrieved.scored, [*sorted(read, key=together, reverse=True), *rest])


def _is_sure(readings: Mapping[int, ChunkReading]) -> bool:
    return any(reading.answers >= SURE for reading in readings.values())


def _read(
    reader: Reader, question: str, pages: Sequence[_Page], readings: dict[int, ChunkReading]
) -> None:
    """Read pages in one batch; a chunk keeps the best of its windows."""
    window_readings = reader.read([(question, page.window) for page in pages])
    for page, reading in zip(pages, window_readings, strict=True):
        best = readings.get(page.chunk)
        if best is None or reading.logit > best.logit:
            readings[page.chunk] = _placed(reading, page, reader.calibration)


def _placed(reading: Reading, page: _Page, calibration: Calibration) -> ChunkReading:
    span = page.in_document(reading.span)
    chance = calibration.chance(reading.logit)
    return ChunkReading(reading.logit, chance, span, reading.kinds)
