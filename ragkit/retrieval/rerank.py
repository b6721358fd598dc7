"""Reorder the best chunks by a cross-encoder's reading of question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragkit.chunking import context
from ragkit.encoding import Reranker
from ragkit.index import Allowed, IndexData
from ragkit.retrieval.dedupe import distinct
from ragkit.retrieval.retriever import EXACT, Query, Ranked, retrieve

__all__ = ["RERANKED", "Found", "find", "rerank"]

RERANKED = 50
"""How many of the best chunks are read again."""


@dataclass(frozen=True, slots=True)
class Found:
    """``matched``: chunks by late interaction, at least as many as were asked for, best first.

    ``ranking``: what to return; the same, or the reranker's order of it.
    """

    matched: Sequence[Ranked]
    ranking: Sequence[Ranked]


def find(
    data: IndexData,
    query: Query,
    depth: int,
    reranker: Reranker | None,
    allowed: Allowed = None,
) -> Found:
    """``depth`` chunks of those allowed, or all, none a copy of another; the best ``RERANKED`` read
    again by the reranker if there is one.
    """
    number = depth if reranker is None else max(depth, RERANKED)
    # What is scored exactly anyhow makes up for copies.
    matched = distinct(data, retrieve(data, query, max(number, EXACT), allowed), number)
    return Found(matched, rerank(data, query, matched, reranker) if reranker else matched)


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
    place = data.chunk(chunk)
    document = data.document(place.document_id)
    return context(document.title, document.sections[place.section].path) + data.text_of(chunk)
