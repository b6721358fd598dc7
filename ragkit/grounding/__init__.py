"""A language model's answer, kept to what the passages say. Optional: nothing else needs it."""

from __future__ import annotations

from ragkit.grounding.checking import Checker
from ragkit.grounding.model import ABANDONED, ChatModel, LanguageModel, Message, Piece
from ragkit.grounding.rewriting import rewritten
from ragkit.grounding.writing import Policy, check_policy, write

__all__ = [
    "ABANDONED",
    "ChatModel",
    "Checker",
    "LanguageModel",
    "Message",
    "Piece",
    "Policy",
    "check_policy",
    "rewritten",
    "write",
]
