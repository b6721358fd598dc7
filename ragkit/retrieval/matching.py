"""Which word of a question was matched where: the sum of ``forward``, taken apart."""

from __future__ import annotations

import re

import numpy as np

from ragkit.index import IndexData
from ragkit.retrieval.retriever import Query
from ragkit.types import Match, Span

__all__ = ["matches_of"]

_WORD = re.compile(r"\w+")


def matches_of(data: IndexData, query: Query, chunk: int) -> tuple[Match, ...]:
    """The question's words in order, each with its partner in the chunk's best sentence.

    A word's partner is that of its best matched piece. Punctuation has no weight and is left out.
    """
    row = _best_sentence(data, query, chunk)
    borders = data.late.segments
    context = chunk + 2 * data.sentence_rows(chunk).start
    alone = chunk + 2 + 2 * row
    spans = [(borders[context], borders[context + 1]), (borders[alone], borders[alone + 1])]
    tokens = np.concatenate([np.arange(start, end) for start, end in spans])
    if not len(tokens):
        return ()
    vectors = np.concatenate([data.late.vectors(int(a), int(b)) for a, b in spans])
    similarity = query.tokens @ vectors.T
    best = similarity.argmax(axis=1)
    found = similarity.max(axis=1)
    words = list(dict.fromkeys(word for word in query.words if word is not None))
    matches = []
    for word in words:
        pieces = [i for i, owner in enumerate(query.words) if owner == word]
        strongest = max(pieces, key=lambda i: found[i])
        span = _word_at(data, chunk, int(data.late.starts[tokens[best[strongest]]]))
        matches.append(
            Match(
                word=query.text[word.start : word.end],
                similarity=float(np.mean(found[pieces])),
                contribution=float(found[pieces] @ query.weights[pieces]) / (1 + query.reverse),
                partner=_text(data, chunk, span) if span else "(title or heading)",
                span=span,
            )
        )
    return tuple(matches)


def _best_sentence(data: IndexData, query: Query, chunk: int) -> int:
    """The row of the sentence whose ``forward`` is the chunk's."""
    rows = data.sentence_rows(chunk)
    borders = data.late.segments
    context = _best(data, query, chunk + 2 * rows.start, borders)
    scores = [
        query.weights @ np.maximum(_best(data, query, chunk + 2 + 2 * row, borders), context)
        for row in rows
    ]
    return rows[int(np.argmax(scores))]


def _best(data: IndexData, query: Query, segment: int, borders: np.ndarray) -> np.ndarray:
    start, end = int(borders[segment]), int(borders[segment + 1])
    if start == end:
        return np.zeros(len(query.tokens), dtype=np.float32)
    best: np.ndarray = (query.tokens @ data.late.vectors(start, end).T).max(axis=1)
    return best


def _word_at(data: IndexData, chunk: int, start: int) -> Span | None:
    """The whole word around a token's start; None for a token of the context."""
    if start < 0:
        return None
    text = data.document_of(chunk).text
    begin = start
    while begin > 0 and text[begin - 1].isalnum():
        begin -= 1
    match = _WORD.match(text, begin)
    return Span(*match.span()) if match else Span(start, start + 1)


def _text(data: IndexData, chunk: int, span: Span) -> str:
    return data.document_of(chunk).text[span.start : span.end]
