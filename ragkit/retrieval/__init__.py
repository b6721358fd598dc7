"""A question → ranked chunks."""

from __future__ import annotations

from ragkit.retrieval.query import (
    ASKABLE,
    MAX_QUESTION,
    Query,
    check_k,
    check_threshold,
    clean_question,
    encode_questions,
    encode_turn,
    is_askable,
)
from ragkit.retrieval.ranking import Retrieved, retrieve, score_chunks
from ragkit.retrieval.scoring import Match, ScoredChunk, matches_of

__all__ = [
    "ASKABLE",
    "MAX_QUESTION",
    "Match",
    "Query",
    "Retrieved",
    "ScoredChunk",
    "check_k",
    "check_threshold",
    "clean_question",
    "encode_questions",
    "encode_turn",
    "is_askable",
    "matches_of",
    "retrieve",
    "score_chunks",
]
