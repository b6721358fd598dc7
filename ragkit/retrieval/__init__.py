"""A question → ranked passages."""

from __future__ import annotations

from ragkit.retrieval.matching import matches_of
from ragkit.retrieval.question import check_k, clean_question
from ragkit.retrieval.reranking import RERANKED, rerank
from ragkit.retrieval.retriever import Query, Ranked, read_questions, retrieve

__all__ = [
    "RERANKED",
    "Query",
    "Ranked",
    "check_k",
    "clean_question",
    "matches_of",
    "read_questions",
    "rerank",
    "retrieve",
]
