"""A question → ranked passages."""

from __future__ import annotations

from ragkit.retrieval.question import check_k, clean_question
from ragkit.retrieval.retriever import Ranked, retrieve

__all__ = ["Ranked", "check_k", "clean_question", "retrieve"]
