"""A BERT or RoBERTa encoder (arXiv:1810.04805, arXiv:1907.11692) as an ONNX graph, from weights.

This module writes the graph itself instead of tracing torch: that takes a second instead of half a
minute, needs no torch, and allows the operators that onnxruntime runs best. Input: token ids, a
mask and positions. Output: the last hidden states, ``(batch, tokens, d)``, or a projection of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ragkit.encoding.graph import GraphBuilder, ModelWeights

__all__ = [
    "attend",
    "distances",
    "draw_bert",
    "embed",
    "encode",
    "feed_forward",
    "parted",
    "project",
    "without_segments",
]

_SEGMENTS = "embeddings.token_type_embeddings.weight"


def draw_bert(
    graph: GraphBuilder,
    weights: ModelWeights,
    config: Mapping[str, Any],
    *,
    first_position: int,
    bias: str = "",
) -> str:
    """Draw a BERT encoder, and return its last hidden states.

    Args:
        graph: what to draw it in, with the inputs ``input_ids``, ``attention_mask``, ``positions``.
        weights: name → array, as transformers saves a ``BertModel``.
        config: its ``config.json``.
        first_position: the row of the first token in the table of positions.
        bias: as of ``attend``, in every layer.

    Raises:
        KeyError: a weight or a setting is missing.

    """
    hidden = embed(graph, weights, "input_ids", "positions", first=first_position)
    layers, heads = range(config["num_hidden_layers"]), config["num_attention_heads"]
    return encode(graph, weights, hidden, "attention_mask", layers=layers, heads=heads, bias=bias)


def without_segments(weights: ModelWeights) -> ModelWeights:
    """Return weights of a model that does not tell two texts apart, for ``embed``."""
    width = weights["embeddings.word_embeddings.weight"].shape[1]
    return {**weights, _SEGMENTS: np.zeros((1, width), dtype=np.float32)}


def embed(
    graph: GraphBuilder,
    weights: ModelWeights,
    ids: str,
    positions: str,
    segment: int = 0,
    *,
    first: int = 0,
) -> str:
    """Add the sum of each token's embeddings: of its word, its position and its segment.

    ``first`` is the row of position 0.
    """
    words = graph.lookup(weights["embeddings.word_embeddings.weight"], ids)
    places = weights["embeddings.position_embeddings.weight"][first:] + weights[_SEGMENTS][segment]
    at = graph.node("Gather", [graph.constant(places), positions])
    return graph.normalised(graph.node("Add", [words, at]), weights, "embeddings.")


def distances(graph: GraphBuilder, positions: str) -> str:
    """Add how far each token, a column, is after each other one, a row: ``(tokens, tokens)``."""
    axes = [graph.constant(np.asarray([axis], dtype=np.int64)) for axis in (0, 1)]
    keys, queries = (graph.node("Unsqueeze", [positions, axis]) for axis in axes)
    return graph.node("Sub", [keys, queries])


def encode(
    graph: GraphBuilder,
    weights: ModelWeights,
    x: str,
    mask: str,
    *,
    layers: range,
    heads: int,
    bias: str = "",
) -> str:
    """Add layers in which all tokens attend to each other; ``mask``, ``bias`` as of ``attend``."""
    for layer in layers:
        prefix = f"encoder.layer.{layer}."
        query, key, value = project(graph, weights, prefix, x)
        mixed = attend(graph, query, key, value, mask, heads=heads, bias=bias)
        x = feed_forward(graph, weights, prefix, mixed, x)
    return x


def parted(graph: GraphBuilder, joined: str, first: str, second: str) -> tuple[str, str]:
    """Split the tokens of ``joined`` into those of two inputs, ``(rows, tokens)`` each."""
    lengths = [graph.node("Shape", [name], start=1, end=2) for name in (first, second)]
    sizes = graph.node("Concat", lengths, axis=0)
    one, other = graph.nodes_of("Split", [joined, sizes], 2, axis=1)
    return one, other


def project(graph: GraphBuilder, weights: ModelWeights, prefix: str, x: str) -> list[str]:
    """Add the projections of ``x`` to queries, keys and values."""
    own = f"{prefix}attention.self."
    names = ("query", "key", "value")
    weight = np.concatenate([weights[f"{own}{name}.weight"] for name in names])
    bias = np.concatenate([weights[f"{own}{name}.bias"] for name in names])
    joined = graph.linear(x, weight, bias)
    return graph.nodes_of("Split", [joined], 3, axis=2, num_outputs=3)


def attend(
    graph: GraphBuilder, query: str, key: str, value: str, mask: str, *, heads: int, bias: str = ""
) -> str:
    """Add multi-head attention.

    ``mask`` is 1 where a key is a token, ``(batch, keys)``; ``bias`` is added to the score of each
    query and key, ``(1, heads or 1, queries, keys)``.
    """
    inputs = [query, key, value, "", mask, *([bias] if bias else [])]
    return graph.contrib_node("MultiHeadAttention", inputs, num_heads=heads)


def feed_forward(
    graph: GraphBuilder, weights: ModelWeights, prefix: str, mixed: str, x: str
) -> str:
    """Add the rest of a layer to what attention mixed; ``x`` is what the layer was given."""
    after = f"{prefix}attention.output."
    out = graph.linear(mixed, weights[f"{after}dense.weight"], weights[f"{after}dense.bias"])
    x = graph.normalised_sum(out, x, weights, after)
    wide, narrow = f"{prefix}intermediate.dense.", f"{prefix}output."
    inner = graph.linear(x, weights[f"{wide}weight"], weights[f"{wide}bias"])
    inner = graph.contrib_node("Gelu", [inner])
    out = graph.linear(inner, weights[f"{narrow}dense.weight"], weights[f"{narrow}dense.bias"])
    return graph.normalised_sum(out, x, weights, narrow)
