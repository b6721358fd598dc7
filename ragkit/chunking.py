"""Document → Chunks: paragraphs, never across a section, never over the encoder's window.

Pure: the tokenizer comes in as a counting function. Every visible character of a section's body is
in exactly one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ragkit.errors import InputError
from ragkit.text.sentences import paragraphs, split_sentences
from ragkit.text.spans import Span, trim
from ragkit.types import Chunk, Document, Section

__all__ = ["Chunker", "CountTokens", "context"]

_WIDEST = 40
"""Code points a token. What is wider is taken not to fit, blanks and all."""

CountTokens = Callable[[Sequence[str]], list[int]]
"""Texts → how many tokens each has, without the special ones around it."""


def context(title: str, path: Sequence[str]) -> str:
    """What stands in front of a text when it is embedded: title and heading path."""
    return ". ".join([title, *path]) + ". "


@dataclass(frozen=True, slots=True)
class Chunker:
    """Settings of the chunker, recorded in the manifest.

    ``min_chars``: a paragraph shorter than this joins a neighbour of the same section.
    ``max_tokens``: the most tokens of a chunk with its context; None means the encoder's window.
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
        return asdict(self)

    def chunks(self, document: Document, *, count: CountTokens, window: int) -> list[Chunk]:
        """The chunks of ``document`` in reading order.

        ``count`` counts tokens; ``window`` is how many the encoder takes at once.
        """
        return [
            Chunk(document.id, number, piece[0].start, piece[-1].end, piece)
            for number, section in enumerate(document.sections)
            for piece in self._pieces(document, section, count, window)
        ]

    def _pieces(
        self, document: Document, section: Section, count: CountTokens, window: int
    ) -> list[tuple[Span, ...]]:
        """One section → groups of sentences, each group a chunk."""
        most = min(window, self.max_tokens or window)
        # A context as long as the window leaves half of it to the text; the encoder reads on.
        budget = max(most // 2, most - count([context(document.title, section.path)])[0])
        text = document.text
        pieces: list[tuple[Span, ...]] = []
        for paragraph in paragraphs(text, Span(section.start, section.end)):
            sentences = split_sentences(text, paragraph)
            pieces += _split(text, sentences, count, budget)
        return _join_tiny(text, pieces, self.min_chars, count, budget)


def _split(
    text: str, sentences: Sequence[Span], count: CountTokens, budget: int
) -> list[tuple[Span, ...]]:
    """Group a paragraph's sentences into as few, about equal, pieces as fit the budget."""
    sizes = _sizes(text, sentences, count, budget)
    widest = _WIDEST * budget
    if sum(sizes) <= budget and sentences[-1].end - sentences[0].start <= widest:
        return [tuple(sentences)]
    units: list[tuple[Span, int]] = []
    for sentence, size in zip(sentences, sizes, strict=True):
        parts = [sentence] if size <= budget else _cut(text, sentence, count, budget)
        part_sizes = _sizes(text, parts, count, budget) if len(parts) > 1 else [size]
        units += zip(parts, part_sizes, strict=True)
    total = sum(size for _, size in units)
    target = total / max(1, -(-total // budget))
    groups: list[list[Span]] = [[]]
    filled = 0
    for unit, size in units:
        is_full = filled + size > budget or filled + size / 2 > target
        if groups[-1] and (is_full or unit.end - groups[-1][0].start > widest):
            groups.append([])
            filled = 0
        groups[-1].append(unit)
        filled += size
    return [tuple(group) for group in groups]


def _sizes(text: str, spans: Sequence[Span], count: CountTokens, budget: int) -> list[int]:
    """How many tokens each has; of one too wide to fit that is not counted, it may be millions."""
    fits = [span.end - span.start <= _WIDEST * budget for span in spans]
    counted = iter(
        count([text[s.start : s.end] for s, fine in zip(spans, fits, strict=True) if fine])
    )
    return [next(counted) if fine else budget + 1 for fine in fits]


def _cut(text: str, sentence: Span, count: CountTokens, budget: int) -> list[Span]:
    """Cut one over-long sentence at white space, or anywhere if there is none, until all fit."""
    done: list[Span] = []
    todo = [sentence]
    while todo:
        span = trim(text, todo.pop())
        if span is None:
            continue
        length = span.end - span.start
        if length == 1 or _sizes(text, [span], count, budget)[0] <= budget:
            done.append(span)
            continue
        middle = span.start + length // 2
        left = text.rfind(" ", span.start + 1, middle + 1)
        if left < 0:
            left = text.find(" ", middle, span.end - 1)
        cut = left if left > 0 else middle
        rest = cut + 1 if text[cut] == " " else cut
        todo += [Span(rest, span.end), Span(span.start, cut)]
    return done


def _join_tiny(
    text: str, pieces: list[tuple[Span, ...]], min_chars: int, count: CountTokens, budget: int
) -> list[tuple[Span, ...]]:
    """Join a piece under ``min_chars`` with the one before, else the one after, where both fit."""
    joined: list[tuple[Span, ...]] = []
    for piece in pieces:
        if joined and (_is_tiny(piece, min_chars) or _is_tiny(joined[-1], min_chars)):
            both = joined[-1] + piece
            if _sizes(text, [Span(both[0].start, both[-1].end)], count, budget)[0] <= budget:
                joined[-1] = both
                continue
        joined.append(piece)
    return joined


def _is_tiny(piece: tuple[Span, ...], min_chars: int) -> bool:
    return piece[-1].end - piece[0].start < min_chars
