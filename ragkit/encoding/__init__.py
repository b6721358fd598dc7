"""Text → unit vectors: the encoder that builds an index, and the query encoder that answers."""

from __future__ import annotations

from ragkit.encoding.encoder import Encoded, Encoder, Fingerprint, Prompts, Role, Vectors
from ragkit.encoding.lazy import LazyEncoder
from ragkit.encoding.models import (
    DEFAULT_MODEL,
    Runtime,
    load_encoder,
    query_encoder,
    recorded_encoder,
)
from ragkit.encoding.onnx import usable_cpus
from ragkit.encoding.reranker import Reranker, load_reranker

__all__ = [
    "DEFAULT_MODEL",
    "Encoded",
    "Encoder",
    "Fingerprint",
    "LazyEncoder",
    "Prompts",
    "Reranker",
    "Role",
    "Runtime",
    "Vectors",
    "load_encoder",
    "load_reranker",
    "query_encoder",
    "recorded_encoder",
    "usable_cpus",
]
