"""Ranked chunks → Answer: citations, highlights, the text that answers."""

from __future__ import annotations

from ragkit.answering.compose import compose, passages_of
from ragkit.answering.confidence import DEPTH, THRESHOLD

__all__ = ["DEPTH", "THRESHOLD", "compose", "passages_of"]
