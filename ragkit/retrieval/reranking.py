"""Reorder the best chunks by a cross-encoder's reading of question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragkit.chunking import context
from ragkit.encoding import Reranker
from ragkit.index import IndexData
from ragkit.retrieval.retriever import Query, Ranked

__all__ = ["RERANKED", "rerank"]

RERANKED = 50
"""How many of the best chunks are read again."""


def rerank(
    data: IndexData, query: Query, ranking: Sequence[Ranked], reranker: Reranker
) -> list[Ranked]:
    """The same chunks, scored by the reranker alone, best first."""
    texts = [_text(data, ranked.chunk) for ranked in ranking]
    scores = map(float, reranker.scores(query.text, texts))
    scored = [
        replace(ranked, score=score, signals={"reranker": score})
        for ranked, score in zip(ranking, scores, strict=True)
    ]
    return sorted(scored, key=lambda ranked: -ranked.score)


def _text(data: IndexData, chunk: int) -> str:
    document, (start, end) = data.document_of(chunk), data.span_of(chunk)
    return context(document.title, data.section_of(chunk)) + document.text[start:end]
