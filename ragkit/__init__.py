"""ragkit: cited passages for questions. ``from ragkit import ask`` is the way in.

Importing this costs next to nothing: every name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.api import Index, aask, ask, ask_many
    from ragkit.chunking import Chunker
    from ragkit.encoding import Encoder, load_encoder
    from ragkit.errors import (
        EncoderError,
        IndexDamagedError,
        IndexLockedError,
        IndexMismatchError,
        IndexNotFoundError,
        IndexStaleError,
        IndexWriteError,
        InputError,
        MissingExtraError,
        QuestionError,
        RagkitError,
        SourceError,
        StoreError,
    )
    from ragkit.types import (
        Abstention,
        Answer,
        Citation,
        Document,
        Match,
        Passage,
        Section,
        Span,
    )

__version__ = "0.1.0"

_HOME = {
    "ragkit.api": ("Index", "aask", "ask", "ask_many"),
    "ragkit.chunking": ("Chunker",),
    "ragkit.encoding": ("Encoder", "load_encoder"),
    "ragkit.errors": (
        "EncoderError",
        "IndexDamagedError",
        "IndexLockedError",
        "IndexMismatchError",
        "IndexNotFoundError",
        "IndexStaleError",
        "IndexWriteError",
        "InputError",
        "MissingExtraError",
        "QuestionError",
        "RagkitError",
        "SourceError",
        "StoreError",
    ),
    "ragkit.types": (
        "Abstention",
        "Answer",
        "Citation",
        "Document",
        "Match",
        "Passage",
        "Section",
        "Span",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Abstention",
    "Answer",
    "Chunker",
    "Citation",
    "Document",
    "Encoder",
    "EncoderError",
    "Index",
    "IndexDamagedError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexNotFoundError",
    "IndexStaleError",
    "IndexWriteError",
    "InputError",
    "Match",
    "MissingExtraError",
    "Passage",
    "QuestionError",
    "RagkitError",
    "Section",
    "SourceError",
    "Span",
    "StoreError",
    "__version__",
    "aask",
    "ask",
    "ask_many",
    "load_encoder",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ragkit' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
