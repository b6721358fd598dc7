"""A question → ranked passages."""

from __future__ import annotations

from ragkit.retrieval.question import check_k, clean_question
from ragkit.retrieval.retriever import Query, Ranked, read_questions, retrieve

__all__ = ["Query", "Ranked", "check_k", "clean_question", "read_questions", "retrieve"]
