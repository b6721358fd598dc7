"""ragkit: cited passages for questions. ``from ragkit import ask`` is the way in.

Importing this costs next to nothing: every name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.answering.anchoring import Anchor, AnchorStatus
    from ragkit.answering.proof import Offsets, Verification
    from ragkit.answering.quotes import QuoteReport, QuoteStatus
    from ragkit.api import Index, aask, ask, ask_many, check_quotes, default_index
    from ragkit.chunking import Chunker
    from ragkit.conversation import Conversation, Turn, rewriter
    from ragkit.encoding import Encoder, Reranker, load_encoder
    from ragkit.errors import (
        EncoderError,
        FilterError,
        IndexDamagedError,
        IndexLockedError,
        IndexMismatchError,
        IndexNotFoundError,
        IndexReadError,
        IndexStaleError,
        IndexWriteError,
        InputError,
        LanguageModelError,
        MissingExtraError,
        QuestionError,
        RagkitError,
        SourceError,
        StoreError,
        WorkersError,
    )
    from ragkit.grounding import ChatModel, LanguageModel
    from ragkit.index import Weights
    from ragkit.types import (
        Abstention,
        Answer,
        Citation,
        Document,
        Generated,
        Match,
        Passage,
        Said,
        Section,
        Sentence,
        Span,
        Support,
    )

__version__ = "0.1.0"

_HOME = {
    "ragkit.answering.anchoring": ("Anchor", "AnchorStatus"),
    "ragkit.answering.proof": ("Offsets", "Verification"),
    "ragkit.answering.quotes": ("QuoteReport", "QuoteStatus"),
    "ragkit.api": ("Index", "aask", "ask", "ask_many", "check_quotes", "default_index"),
    "ragkit.chunking": ("Chunker",),
    "ragkit.conversation": ("Conversation", "Turn", "rewriter"),
    "ragkit.encoding": ("Encoder", "Reranker", "load_encoder"),
    "ragkit.errors": (
        "EncoderError",
        "FilterError",
        "IndexDamagedError",
        "IndexLockedError",
        "IndexMismatchError",
        "IndexNotFoundError",
        "IndexReadError",
        "IndexStaleError",
        "IndexWriteError",
        "InputError",
        "LanguageModelError",
        "MissingExtraError",
        "QuestionError",
        "RagkitError",
        "SourceError",
        "StoreError",
        "WorkersError",
    ),
    "ragkit.grounding": ("ChatModel", "LanguageModel"),
    "ragkit.index": ("Weights",),
    "ragkit.types": (
        "Abstention",
        "Answer",
        "Citation",
        "Document",
        "Generated",
        "Match",
        "Passage",
        "Said",
        "Section",
        "Sentence",
        "Span",
        "Support",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Abstention",
    "Anchor",
    "AnchorStatus",
    "Answer",
    "ChatModel",
    "Chunker",
    "Citation",
    "Conversation",
    "Document",
    "Encoder",
    "EncoderError",
    "FilterError",
    "Generated",
    "Index",
    "IndexDamagedError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexNotFoundError",
    "IndexReadError",
    "IndexStaleError",
    "IndexWriteError",
    "InputError",
    "LanguageModel",
    "LanguageModelError",
    "Match",
    "MissingExtraError",
    "Offsets",
    "Passage",
    "QuestionError",
    "QuoteReport",
    "QuoteStatus",
    "RagkitError",
    "Reranker",
    "Said",
    "Section",
    "Sentence",
    "SourceError",
    "Span",
    "StoreError",
    "Support",
    "Turn",
    "Verification",
    "Weights",
    "WorkersError",
    "__version__",
    "aask",
    "ask",
    "ask_many",
    "check_quotes",
    "default_index",
    "load_encoder",
    "rewriter",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ragkit' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
