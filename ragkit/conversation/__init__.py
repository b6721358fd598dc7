"""Conversations: each question is understood from what was said before it."""

from ragkit.conversation.conversation import (
    MAX_TURNS,
    Conversation,
    Rewriter,
    rewriter,
)
from ragkit.conversation.transcript import Transcript
from ragkit.conversation.turns import Turn

__all__ = ["MAX_TURNS", "Conversation", "Rewriter", "Transcript", "Turn", "rewriter"]
