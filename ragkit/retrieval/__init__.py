"""A question → ranked passages."""

from __future__ import annotations

from ragkit.retrieval.matching import matches_of, met_by
from ragkit.retrieval.question import (
    ASKABLE,
    MAX_QUESTION,
    check_k,
    check_threshold,
    clean_question,
    is_askable,
)
from ragkit.retrieval.rerank import Found, find
from ragkit.retrieval.retriever import Query, Ranked, read_questions, retrieve

__all__ = [
    "ASKABLE",
    "MAX_QUESTION",
    "Found",
    "Query",
    "Ranked",
    "check_k",
    "check_threshold",
    "clean_question",
    "find",
    "is_askable",
    "matches_of",
    "met_by",
    "read_questions",
    "retrieve",
]
