"""A ModernBERT encoder (arXiv:2412.13663) as an ONNX graph.

It differs from BERT in that queries and keys are rotated by their positions, most layers attend
only to the tokens nearby, each part of a layer is normalised before and not after it, the
feed-forward part is gated (GeGLU), and nothing has a bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.bert import attend, distances
from ragkit.encoding.graph import GraphBuilder, ModelWeights

__all__ = ["draw_modernbert", "modernbert_limits"]

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_THETAS = {_GLOBAL: ("global_rope_theta", 160_000.0), _LOCAL: ("local_rope_theta", 10_000.0)}
_NEVER = np.float32(-10_000)
"""Added to the score of a token out of reach; onnxruntime adds the same to that of padding."""


class _Kind(NamedTuple):
    """What layers of one kind share: cosines and sines of each position, and who is in reach."""

    heads: int
    cosines: str
    sines: str
    bias: str


def draw_modernbert(
    graph: GraphBuilder, weights: ModelWeights, config: Mapping[str, Any], *, first_position: int
) -> str:
    """Draw a ModernBERT encoder from its own weights, as ``draw_bert`` does."""
    x = graph.lookup(weights["embeddings.tok_embeddings.weight"], "input_ids")
    x = _normalised(graph, weights["embeddings.norm.weight"], x)
    heads = int(config["num_attention_heads"])
    kinds = {
        _GLOBAL: _Kind(heads, *_rotations(graph, config, _GLOBAL, first_position), ""),
        _LOCAL: _Kind(
            heads, *_rotations(graph, config, _LOCAL, first_position), _reach(graph, config)
        ),
    }
    for layer, kind in enumerate(_layer_types(config)):
        x = _layer(graph, weights, f"layers.{layer}.", x, kinds[kind])
    return _normalised(graph, weights["final_norm.weight"], x)


def modernbert_limits(config: Mapping[str, Any]) -> dict[str, bool]:
    """Return each reason to refuse a model of this type, with whether it is as it must be."""
    has_bias = any(config.get(f"{part}_bias") for part in ("norm", "attention", "mlp"))
    rotations = (config.get("rope_parameters") or {}).values()
    is_plain = all(one.get("rope_type", "default") == "default" for one in rotations)
    return {
        "its layers have biases": not has_bias,
        "its positions are scaled": is_plain and not config.get("rope_scaling"),
    }


def _layer_types(config: Mapping[str, Any]) -> list[str]:
    """Whether each layer is global or local: listed, or every n-th one is global."""
    layers, every = int(config["num_hidden_layers"]), config.get("global_attn_every_n_layers", 3)
    return config.get("layer_types") or [_LOCAL if i % every else _GLOBAL for i in range(layers)]


def _rotations(
    graph: GraphBuilder, config: Mapping[str, Any], kind: str, first: int
) -> tuple[str, str]:
    """The cosine and the sine of each position's angles, ``(positions, head size / 2)`` each."""
    name, default = _THETAS[kind]
    theta = (config.get("rope_parameters") or {}).get(kind, {}).get("rope_theta")
    base = np.float32(theta or config.get(name) or default)
    size = int(config["hidden_size"]) // int(config["num_attention_heads"])
    speeds = 1 / base ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
    positions = np.arange(first, int(config["max_position_embeddings"]), dtype=np.float32)
    angles = (positions[:, None] * speeds).astype(np.float32)
    return graph.constant(np.cos(angles)), graph.constant(np.sin(angles))


def _reach(graph: GraphBuilder, config: Mapping[str, Any]) -> str:
    """Add the bias of local layers: how far two tokens may be apart, ``(1, 1, tokens, tokens)``."""
    reach = graph.constant(np.asarray(int(config["local_attention"]) // 2, dtype=np.int32))
    is_far = graph.node("Greater", [graph.node("Abs", [distances(graph, "positions")]), reach])
    values = [graph.constant(np.asarray(value, dtype=np.float32)) for value in (_NEVER, 0)]
    bias = graph.node("Where", [is_far, *values])
    return graph.node("Unsqueeze", [bias, graph.constant(np.asarray([0, 1], dtype=np.int64))])


def _layer(graph: GraphBuilder, weights: ModelWeights, prefix: str, x: str, kind: _Kind) -> str:
    before = x  # of the first layer: the embeddings are normalised already
    if prefix != "layers.0.":
        before = _normalised(graph, weights[f"{prefix}attn_norm.weight"], x)
    joined = graph.linear(before, weights[f"{prefix}attn.Wqkv.weight"])
    query, key, value = graph.nodes_of("Split", [joined], 3, axis=2, num_outputs=3)
    query, key = (_rotated(graph, part, kind) for part in (query, key))
    mixed = attend(graph, query, key, value, "attention_mask", heads=kind.heads, bias=kind.bias)
    x = graph.node("Add", [x, graph.linear(mixed, weights[f"{prefix}attn.Wo.weight"])])
    before = _normalised(graph, weights[f"{prefix}mlp_norm.weight"], x)
    joined = graph.linear(before, weights[f"{prefix}mlp.Wi.weight"])
    inner, gate = graph.nodes_of("Split", [joined], 2, axis=2, num_outputs=2)
    gated = graph.node("Mul", [graph.contrib_node("Gelu", [inner]), gate])
    return graph.node("Add", [x, graph.linear(gated, weights[f"{prefix}mlp.Wo.weight"])])


def _rotated(graph: GraphBuilder, x: str, kind: _Kind) -> str:
    first = graph.constant(np.asarray([0], dtype=np.int64))
    return graph.contrib_node("RotaryEmbedding", [x, first, kind.cosines, kind.sines])


def _normalised(graph: GraphBuilder, weight: NDArray[np.float32], x: str) -> str:
    own = {"LayerNorm.weight": weight, "LayerNorm.bias": np.zeros_like(weight)}
    return graph.normalised(x, own, "")
