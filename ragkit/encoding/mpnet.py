"""An MPNet encoder (arXiv:2004.09297) as an ONNX graph.

It is BERT whose attention also depends on how far two tokens are apart: the distance has one of 32
buckets, wider the farther, and each head a learned bias for each bucket (as T5, arXiv:1910.10683).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.bert import distances, draw_bert
from ragkit.encoding.graph import GraphBuilder, ModelWeights

__all__ = ["BUCKETS", "FIRST_POSITION", "draw_mpnet"]

BUCKETS = 32
"""Of distances: half of them for tokens before, half for tokens after."""

FIRST_POSITION = 2
"""The padding's position is 1, whatever the padding's id."""

_MAX_DISTANCE = 128
"""From here on, all distances share a bucket."""


def draw_mpnet(
    graph: GraphBuilder, weights: ModelWeights, config: Mapping[str, Any], *, first_position: int
) -> str:
    """Draw an MPNet encoder from weights with BERT's names, as ``draw_bert`` does."""
    positions = int(config["max_position_embeddings"]) - first_position
    by_distance = bias_by_distance(weights["encoder.relative_attention_bias.weight"], positions)
    bias = _bias(graph, by_distance, positions)
    return draw_bert(graph, weights, config, first_position=first_position, bias=bias)


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
