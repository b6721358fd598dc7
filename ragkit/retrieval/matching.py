"""Which word of a question was matched where: the sum of ``forward``, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index import IndexData
from ragkit.index.lexicon import Word
from ragkit.retrieval.retriever import Query, Ranked
from ragkit.types import Match, Span

__all__ = ["Partners", "matches_of", "met_by", "partners_of"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Partners:
    """How a question's t tokens fare in a chunk's best sentence, or in its context.

    ``similarity``: ``(t,)``, of each token's partner. ``starts``: ``(t,)``, where in the document
    the partner begins, -1 in the context.
    """

    similarity: Vectors
    starts: NDArray[np.int64]


def met_by(query: Query, ranked: Ranked) -> Vectors:
    """``(t,)``: how similar each token of the question is to its partner, as ``forward`` has it."""
    met: Vectors = _per_sentence(ranked)[_best_sentence(query, ranked)]
    return met


def partners_of(data: IndexData, query: Query, ranked: Ranked) -> Partners:
    """The partners that ``forward`` counts."""
    sentence = _best_sentence(query, ranked)
    first = ranked.chunk + 2 * data.sentence_rows(ranked.chunk).start
    alone = first + 2 + 2 * sentence
    borders = data.late.segments[[first, first + 1, alone, alone + 1]]
    seen = np.concatenate([np.arange(*borders[:2]), np.arange(*borders[2:])])
    met = _per_sentence(ranked)[sentence]
    if not len(seen):
        return Partners(met, np.full(len(met), -1))
    partner = ranked.similarity[seen - borders[0]].argmax(axis=0)
    return Partners(met, data.late.starts[seen[partner]])


def _per_sentence(ranked: Ranked) -> Vectors:
    """``(sentences, t)``: each token's best partner in a sentence read alone or in the context."""
    found: Vectors = np.maximum(ranked.best[2::2], ranked.best[0])
    return found


def _best_sentence(query: Query, ranked: Ranked) -> int:
    """Which sentence's ``forward`` is the chunk's."""
    return int((_per_sentence(ranked) @ query.weights).argmax())


def matches_of(data: IndexData, query: Query, ranked: Ranked) -> tuple[Match, ...]:
    """The question's words in order, each with its partner in the chunk's best sentence.

    A word's partner is that of its best matched piece. What has no weight, such as punctuation, is
    left out.
    """
    partners = partners_of(data, query, ranked)
    similarities, starts = partners.similarity.tolist(), partners.starts.tolist()
    parts = (partners.similarity * query.weights / (1 + query.reverse)).tolist()
    text = data.document_of(ranked.chunk).text
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
