"""Rerank the best chunks by a cross-encoder, which encodes question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragkit.chunking import context
from ragkit.encoding import Reranker
from ragkit.index import IndexData
from ragkit.retrieval.query import Query
from ragkit.retrieval.scoring import ScoredChunk

__all__ = ["RERANKED", "rerank"]

RERANKED = 50
"""Number of the best chunks that are reranked."""


def rerank(
    data: IndexData, query: Query, ranking: Sequence[ScoredChunk], reranker: Reranker
) -> list[ScoredChunk]:
    """Return the same chunks, scored by the reranker alone, best first."""
    scores = map(float, reranker.scores(query.text, _texts(data, [one.chunk for one in ranking])))
    scored = [
        replace(one, score=score, signals={"reranker": score})
        for one, score in zip(ranking, scores, strict=True)
    ]
    return sorted(scored, key=lambda one: -one.score)


def _texts(data: IndexData, numbers: Sequence[int]) -> list[str]:
    """The text of each chunk with title, headings and lead in front, as it was encoded."""
    texts = []
    for chunk in data.chunks(numbers):
        document = data.document(chunk.document_id)
        front = context(document, chunk.section, chunk.lead)
        texts.append(front + document.text[slice(*chunk.body)])
    return texts
