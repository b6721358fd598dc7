"""An MPNet encoder (arXiv:2004.09297) as an ONNX graph.

It is BERT whose attention also depends on how far two tokens are apart: the distance has one of 32
buckets, wider the farther, and each head a learned bias for each bucket (as T5, arXiv:1910.10683).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.bert import (
    as_model,
    distances,
    embed,
    encode,
    renamed,
    without_segments,
)
from ragkit.encoding.graph import GraphBuilder, ModelWeights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["BUCKETS", "FIRST_POSITION", "mpnet_graph"]

BUCKETS = 32
"""Of distances: half of them for tokens before, half for tokens after."""

FIRST_POSITION = 2
"""The padding's position is 1, whatever the padding's id."""

_MAX_DISTANCE = 128
"""From here on, all distances share a bucket."""

_NAMES = {
    "attention.attn.q.": "attention.self.query.",
    "attention.attn.k.": "attention.self.key.",
    "attention.attn.v.": "attention.self.value.",
    "attention.attn.o.": "attention.output.dense.",
    "attention.LayerNorm.": "attention.output.LayerNorm.",
}


def mpnet_graph(
    weights: ModelWeights,
    config: Mapping[str, Any],
    *,
    int8: bool,
    first_position: int,
    projection: NDArray[np.float32] | None = None,
) -> ModelProto:
    """Build the graph of an MPNet encoder, from its own weights, as ``bert_graph`` does."""
    weights = without_segments(renamed(weights, _NAMES))
    graph = GraphBuilder(int8=int8, epsilon=float(config["layer_norm_eps"]))
    hidden = embed(graph, weights, "input_ids", "positions", first=first_position)
    positions = int(config["max_position_embeddings"]) - first_position
    by_distance = bias_by_distance(weights["encoder.relative_attention_bias.weight"], positions)
    hidden = encode(
        graph, weights, hidden, "attention_mask",
        layers=range(config["num_hidden_layers"]), heads=config["num_attention_heads"],
        bias=_bias(graph, by_distance, positions),
    )  # fmt: skip
    return as_model(graph, hidden, int(config["hidden_size"]), projection)


def bias_by_distance(of_buckets: NDArray[np.float32], positions: int) -> NDArray[np.float32]:
    """Return each head's bias for each distance of a key from its query, ``(heads, 2 P - 1)``.

    Column ``P - 1`` is that of the token itself.
    """
    distance = np.arange(1 - positions, positions)
    half = BUCKETS // 2
    exact = half // 2
    size = np.abs(distance)
    wide = np.log(np.maximum(size, 1).astype(np.float32) / exact)
    wide = exact + (wide / math.log(_MAX_DISTANCE / exact) * (half - exact)).astype(np.int64)
    bucket = np.where(size < exact, size, np.minimum(wide, half - 1)) + half * (distance > 0)
    return np.ascontiguousarray(of_buckets[bucket].T)


def _bias(graph: GraphBuilder, by_distance: NDArray[np.float32], positions: int) -> str:
    """Add the bias of all pairs of tokens, ``(1, heads, tokens, tokens)``."""
    middle = graph.constant(np.asarray(positions - 1, dtype=np.int32))
    column = graph.node("Add", [distances(graph, "positions"), middle])
    bias = graph.node("Gather", [graph.constant(by_distance), column], axis=1)
    return graph.node("Unsqueeze", [bias, graph.constant(np.asarray([0], dtype=np.int64))])
