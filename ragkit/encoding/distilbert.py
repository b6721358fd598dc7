"""A DistilBERT encoder (arXiv:1910.01108) as an ONNX graph: BERT with names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.bert import bert_graph, renamed, without_segments
from ragkit.encoding.graph import ModelWeights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["distilbert_graph"]

_NAMES = {
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin.": "attention.self.query.",
    "attention.k_lin.": "attention.self.key.",
    "attention.v_lin.": "attention.self.value.",
    "attention.out_lin.": "attention.output.dense.",
    "sa_layer_norm.": "attention.output.LayerNorm.",
    "ffn.lin1.": "intermediate.dense.",
    "ffn.lin2.": "output.dense.",
    "output_layer_norm.": "output.LayerNorm.",
}


def distilbert_graph(
    weights: ModelWeights,
    config: Mapping[str, Any],
    *,
    int8: bool,
    first_position: int,
    projection: NDArray[np.float32] | None = None,
) -> ModelProto:
    """Build the graph of a DistilBERT encoder, from its own weights, as ``bert_graph`` does."""
    return bert_graph(
        without_segments(renamed(weights, _NAMES)),
        config,
        int8=int8,
        first_position=first_position,
        projection=projection,
    )
