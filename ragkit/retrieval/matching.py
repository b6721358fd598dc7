"""Which word of a question was matched where: the sum of ``forward``, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.retrieval.retriever import Query, Ranked
from ragkit.storage.ragged import borders_of
from ragkit.text.spans import Span
from ragkit.text.words import Word

__all__ = ["Match", "matches_of", "met_by"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Match:
    """Where a word of the question found its partner.

    ``similarity``: cosine of both as the model reads them in their places. ``contribution``: its
    part of the passage's ``forward`` signal, which is their sum. ``span``: the partner in the
    document, None where it stands in the title or a heading.
    """

    word: str
    similarity: float
    contribution: float
    partner: str
    span: Span | None


def met_by(query: Query, ranked: Ranked) -> Vectors:
    """``(t,)``: how similar each token of the question is to its partner, as ``forward`` has it."""
    return _best_sentence(query, ranked)[1]


def _best_sentence(query: Query, ranked: Ranked) -> tuple[int, Vectors]:
    """Which sentence's ``forward`` is the chunk's, and ``(t,)`` each token's best partner there."""
    met = np.maximum(ranked.best[2::2], ranked.best[0])  # read alone, or in the context
    sentence = int((met @ query.weights).argmax())
    return sentence, met[sentence]


def _partner_starts(ranked: Ranked, sentence: int) -> NDArray[np.integer]:
    """``(t,)``: where in the document each token's partner begins, -1 in the context."""
    borders = borders_of(ranked.lengths)
    alone = 2 + 2 * sentence
    seen = np.concatenate([np.arange(borders[1]), np.arange(*borders[alone : alone + 2])])
    if not len(seen):
        return np.full(ranked.similarity.shape[1], -1)
    starts: NDArray[np.integer] = ranked.starts[seen[ranked.similarity[seen].argmax(axis=0)]]
    return starts


def matches_of(text: str, query: Query, ranked: Ranked) -> tuple[Match, ...]:
    """The question's words in order, each with its partner in the chunk's best sentence.

    A word's partner is that of its best matched piece. What has no weight, such as punctuation, is
    left out. ``text``: of the chunk's document.
    """
    sentence, met = _best_sentence(query, ranked)
    similarities, starts = met.tolist(), _partner_starts(ranked, sentence).tolist()
    parts = (met * query.weights / (1 + query.reverse)).tolist()
    pieces: dict[Word, list[int]] = {}
    for i, owner in enumerate(query.words):
        if owner is not None and parts[i]:
            pieces.setdefault(owner, []).append(i)
    matches = []
    for word, own in pieces.items():
        span = _word_at(text, starts[max(own, key=similarities.__getitem__)])
        matches.append(
            Match(
                word=query.text[word.start : word.end],
                similarity=sum(similarities[i] for i in own) / len(own),
                contribution=sum(parts[i] for i in own),
                partner=text[span.start : span.end] if span else "(title or heading)",
                span=span,
            )
        )
    return tuple(matches)


def _word_at(text: str, start: int) -> Span | None:
    """The whole word around a token's start; None for a token of the context."""
    if start < 0:
        return None
    begin = start
    while begin > 0 and text[begin - 1].isalnum():
        begin -= 1
    match = _WORD.match(text, begin)
    return Span(*match.span()) if match else Span(start, start + 1)
