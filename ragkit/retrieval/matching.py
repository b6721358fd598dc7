"""Which word of a question was matched where: the sum of ``forward``, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index import IndexData
from ragkit.index.lexicon import Word
from ragkit.index.segments import ranges, row_max, segment_max, segment_mean
from ragkit.retrieval.retriever import Query, Ranked
from ragkit.types import Match, Span

__all__ = ["Partners", "matches_of", "partners_of"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Partners:
    """How a question's t tokens fare in a chunk's best sentence, or in its context.

    ``similarity``: ``(t,)``, of each token's partner. ``starts``: ``(t,)``, where in the document
    the partner begins, -1 in the context. ``explained``: the chunk's best reverse direction, 0–1.
    """

    similarity: Vectors
    starts: NDArray[np.int64]
    explained: float


def partners_of(data: IndexData, query: Query, ranked: Ranked) -> Partners:
    """The partners that ``forward`` counts, and what ``reverse`` counts."""
    rows = data.sentence_rows(ranked.chunk)
    first = ranked.chunk + 2 * rows.start
    borders = data.late.segments[first : first + 2 * len(rows) + 2]
    local = borders - borders[0]
    similarity = ranked.similarity
    best = segment_max(similarity, local)
    scores = np.maximum(best[2::2], best[0]) @ query.weights
    alone = 2 + 2 * int(scores.argmax())
    seen = ranges(local[[0, alone]], local[[1, alone + 1]])
    explained = segment_mean(row_max(similarity), local)[1::2]
    if not len(seen):
        nowhere = np.full(len(query.tokens), -1)
        return Partners(np.zeros(len(nowhere), np.float32), nowhere, float(explained.max()))
    partner = similarity[seen].argmax(axis=0)
    found = np.take_along_axis(similarity[seen], partner[None], axis=0)[0]
    starts = data.late.starts[borders[0] + seen[partner]]
    return Partners(found, starts, float(explained.max()))


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
