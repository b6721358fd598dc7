"""Ranked chunks → Answer: citations, highlights, the text that answers."""

from __future__ import annotations

from ragkit.answering.compose import compose, passages_of

__all__ = ["compose", "passages_of"]
