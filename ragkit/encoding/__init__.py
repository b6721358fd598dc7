"""Text → unit vectors: the protocol, the reference that builds, and the export that asks."""

from __future__ import annotations

from ragkit.encoding.base import Encoded, Encoder, Fingerprint, Vectors
from ragkit.encoding.models import DEFAULT_MODEL, Runtime, asking_encoder, load_encoder
from ragkit.encoding.reranker import Reranker, load_reranker

__all__ = [
    "DEFAULT_MODEL",
    "Encoded",
    "Encoder",
    "Fingerprint",
    "Reranker",
    "Runtime",
    "Vectors",
    "asking_encoder",
    "load_encoder",
    "load_reranker",
]
