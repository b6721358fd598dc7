"""Answers written by a language model, sentence by sentence checked against the passages.

Optional: the rest of the library works without a language model.
"""

from __future__ import annotations

from ragkit.grounding.chat_model import (
    CANCELLED,
    Call,
    ChatModel,
    LanguageModel,
    Message,
    Piece,
    Usage,
)
from ragkit.grounding.generation import (
    Policy,
    check_policy,
    check_sentences,
    generate_answer,
    generate_sentences,
    rewrite_question,
)
from ragkit.grounding.support import SupportChecker

__all__ = [
    "CANCELLED",
    "Call",
    "ChatModel",
    "LanguageModel",
    "Message",
    "Piece",
    "Policy",
    "SupportChecker",
    "Usage",
    "check_policy",
    "check_sentences",
    "generate_answer",
    "generate_sentences",
    "rewrite_question",
]
