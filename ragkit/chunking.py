"""Document → chunks: whole sentences, never across a section, never over the encoder's window.

A block (``text.blocks``) is cut only where it does not fit; each of its chunks has its lead.

The tokenizer is passed in as a function that counts tokens, so this module does no I/O and loads
no model. Every visible character of a section lies in exactly one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import compress, groupby, islice, pairwise
from typing import Any, NamedTuple

from ragkit.errors import InputError
from ragkit.text.blocks import Block, blocks
from ragkit.text.spans import Span, trim
from ragkit.types import Chunk, Document

__all__ = ["Chunker", "CountTokens", "context"]

CountTokens = Callable[[Sequence[str]], list[int]]
"""Texts → number of tokens of each, without the special tokens around it."""

_MAX_CHARS_PER_TOKEN = 40
"""A text longer than this times its token budget counts as over the budget, without a count."""

_COUNT_BLOCK = 4096
"""Texts whose tokens are counted in one call, which bounds memory for huge documents."""


def context(document: Document, section: int, lead: Span | None = None) -> str:
    """Return what precedes a text when it is embedded: ``"Title. Heading. Subheading. Lead "``."""
    headings = ". ".join([document.title, *document.sections[section].path]) + ". "
    return headings + (f"{document.text[slice(*lead)]} " if lead else "")


@dataclass(frozen=True, slots=True)
class Chunker:
    """Splits documents into chunks. Its settings are recorded in the manifest.

    Attributes:
        min_chars: a paragraph with fewer characters joins a neighbour of the same section.
        max_tokens: most tokens of a chunk with its context, at least 16; None means the encoder's
            window.

    """

    min_chars: int = 200
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.min_chars < 0 or (self.max_tokens is not None and self.max_tokens < 16):
            raise InputError(
                f"Chunker(min_chars={self.min_chars}, max_tokens={self.max_tokens}): expected "
                f"min_chars ≥ 0 and max_tokens ≥ 16 or None."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)

    def chunks(self, document: Document, *, count: CountTokens, window: int) -> list[Chunk]:
        """Split a document into chunks.

        Args:
            document: a document with its sections.
            count: counts the tokens of texts.
            window: most tokens that the encoder accepts at once.

        Returns:
            The chunks in the document's order.

        """
        text = document.text
        sections = [
            blocks(text, Span(part.start, part.end), language=document.language)
            for part in document.sections
        ]
        placed = [(number, block) for number, own in enumerate(sections) for block in own]
        budgets = self._budgets(document, [(n, block.lead) for n, block in placed], count, window)
        sizes = _sizes(text, _with_budgets(placed, budgets), count)
        chunks: list[Chunk] = []
        for (section, lead), same in groupby(placed, key=lambda one: (one[0], one[1].lead)):
            grouping = _Grouping(text, count, budgets[section, lead])
            groups = [
                group
                for _, block in same
                for group in grouping.split(block, list(islice(sizes, len(block.sentences))))
            ]
            chunks += [
                Chunk(document.id, section, *group, lead)
                for group in grouping.join_short(groups, self.min_chars)
            ]
        return chunks

    def _budgets(
        self,
        document: Document,
        contexts: Iterable[tuple[int, Span | None]],
        count: CountTokens,
        window: int,
    ) -> dict[tuple[int, Span | None], int]:
        """The most tokens that a chunk with each section and lead may have, without these."""
        limit = min(window, self.max_tokens or window)
        distinct = list(dict.fromkeys(contexts))
        budgets: dict[tuple[int, Span | None], int] = {}
        for first in range(0, len(distinct), _COUNT_BLOCK):
            some = distinct[first : first + _COUNT_BLOCK]
            sizes = count([context(document, *one) for one in some])
            # A long context leaves at least half to the text; the encoder splits what is over.
            budgets |= {one: max(limit // 2, limit - n) for one, n in zip(some, sizes, strict=True)}
        return budgets


class _Group(NamedTuple):
    """What becomes one chunk."""

    start: int
    end: int
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Groups the sentences of a section so that each group is within a budget of tokens."""

    text: str
    count: CountTokens
    budget: int

    def split(self, block: Block, sizes: Sequence[int]) -> list[_Group]:
        """Split a block into as few groups as fit the budget, of about equal size."""
        groups = self._groups(block.sentences, sizes)
        starts = [block.span.start, *[group[0].start for group in groups[1:]]]
        # What stands between two groups and is no sentence, such as a rule, ends the first.
        ends = [_trimmed_end(self.text, start, end) for start, end in pairwise(starts)]
        ends.append(block.span.end)
        return [
            _Group(start, end, group)
            for start, end, group in zip(starts, ends, groups, strict=True)
        ]

    def _groups(self, sentences: tuple[Span, ...], sizes: Sequence[int]) -> list[tuple[Span, ...]]:
        max_chars = _MAX_CHARS_PER_TOKEN * self.budget
        if sum(sizes) <= self.budget and sentences[-1].end - sentences[0].start <= max_chars:
            return [sentences]
        units = list(self._units(sentences, sizes))
        total = sum(size for _, size in units)
        target = total / max(1, -(-total // self.budget))
        groups: list[list[Span]] = [[]]
        tokens = 0
        for unit, size in units:
            is_full = tokens + size > self.budget or tokens + size / 2 > target
            if groups[-1] and (is_full or unit.end - groups[-1][0].start > max_chars):
                groups.append([])
                tokens = 0
            groups[-1].append(unit)
            tokens += size
        return [tuple(group) for group in groups]

    def join_short(self, groups: Sequence[_Group], min_chars: int) -> list[_Group]:
        """Join a group shorter than ``min_chars`` to the previous or next one, if both fit."""
        joined: list[_Group] = []
        for group in groups:
            if joined and min(_length(joined[-1]), _length(group)) < min_chars:
                sentences = joined[-1].sentences + group.sentences
                if self._fits(Span(sentences[0].start, sentences[-1].end)):
                    joined[-1] = _Group(joined[-1].start, group.end, sentences)
                    continue
            joined.append(group)
        return joined

    def _units(self, sentences: Sequence[Span], sizes: Sequence[int]) -> Iterator[tuple[Span, int]]:
        """Yield sentences, or the parts of those over the budget, with their sizes."""
        for sentence, size in zip(sentences, sizes, strict=True):
            if size <= self.budget:
                yield sentence, size
                continue
            parts = self._cut(sentence)
            yield from zip(parts, self._sizes(parts) if len(parts) > 1 else [size], strict=True)

    def _cut(self, sentence: Span) -> list[Span]:
        """Halve a sentence until its parts fit: at a space, or anywhere if there is none."""
        parts: list[Span] = []
        pending = [sentence]
        while pending:
            span = trim(self.text, pending.pop())
            if span is None:
                continue
            length = span.end - span.start
            if length == 1 or self._fits(span):
                parts.append(span)
                continue
            middle = span.start + length // 2
            space = self.text.rfind(" ", span.start + 1, middle + 1)
            if space < 0:
                space = self.text.find(" ", middle, span.end - 1)
            end = space if space > 0 else middle
            start = end + 1 if self.text[end] == " " else end
            pending += [Span(start, span.end), Span(span.start, end)]
        return parts

    def _fits(self, span: Span) -> bool:
        return self._sizes([span])[0] <= self.budget

    def _sizes(self, spans: Sequence[Span]) -> list[int]:
        return list(_sizes(self.text, [(span, self.budget) for span in spans], self.count))


def _trimmed_end(text: str, start: int, end: int) -> int:
    content = trim(text, Span(start, end))
    return content.end if content else end


def _length(group: _Group) -> int:
    return group.end - group.start


def _with_budgets(
    placed: Sequence[tuple[int, Block]], budgets: Mapping[tuple[int, Span | None], int]
) -> Iterator[tuple[Span, int]]:
    """Yield every sentence of a document, in order, with the budget of its block."""
    for section, block in placed:
        for sentence in block.sentences:
            yield sentence, budgets[section, block.lead]


def _sizes(text: str, spans: Iterable[tuple[Span, int]], count: CountTokens) -> Iterator[int]:
    """Yield the size in tokens of each span, which comes with its budget, counted in blocks.

    A span that is too long to fit is not counted: its size is given as one over its budget.
    """
    spans = iter(spans)
    while block := list(islice(spans, _COUNT_BLOCK)):
        is_counted = [s.end - s.start <= _MAX_CHARS_PER_TOKEN * budget for s, budget in block]
        counts = iter(count([text[s.start : s.end] for s, _ in compress(block, is_counted)]))
        for (_, budget), counted in zip(block, is_counted, strict=True):
            yield next(counts) if counted else budget + 1
