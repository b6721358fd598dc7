"""Ranked chunks → Answer: citations, highlights, the text that answers."""

from __future__ import annotations

from ragkit.answering.compose import compose, passages_of
from ragkit.answering.confidence import DEPTH, THRESHOLD, is_calibrated

__all__ = ["DEPTH", "THRESHOLD", "compose", "is_calibrated", "passages_of"]
