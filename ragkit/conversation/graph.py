"""The turn model as an ONNX graph, from its weights alone.

Six layers over a turn and what was said before it, joined; heads on each token of the turn. The
same in torch, for training: ``training/talks/model.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.bert import embed, encode, parted
from ragkit.encoding.graph import GraphBuilder, ModelWeights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["turn_graph"]

_INPUTS = {
    "turn": ["one", "turn_tokens"],
    "turn_positions": ["turn_tokens"],
    "said": ["one", "said_tokens"],
    "said_positions": ["said_tokens"],
    "mask": ["one", "tokens"],
}


def turn_graph(weights: ModelWeights, described: Mapping[str, Any], *, int8: bool) -> ModelProto:
    """Build the graph of a turn model.

    Args:
        weights: name → array, as training saves them: the encoder's under ``body.``.
        described: ``layers``, ``heads``, ``width`` and ``epsilon``.
        int8: quantize the layers' weights and activations to int8; otherwise float32.

    Returns:
        The model, for onnxruntime. Inputs, int32: the ids of the turn and of what was said, each
        with the positions of its tokens, and a mask of ones over both. Outputs, in this order:
        ``(1, t, marks)`` scores of each token of the turn; ``(1, t, h)`` where what is inserted at
        it begins; ``(1, t, h)`` where that ends; ``(1, kinds)`` which remark it is.

    """
    graph = GraphBuilder(int8=int8, epsilon=float(described["epsilon"]))
    width = int(described["width"])
    turn, earlier = _layers(graph, weights, described)
    marks = _linear(graph, weights, turn, "words")
    first, last = _pointers(graph, weights, turn, earlier, width)
    kind = _kind(graph, weights, turn, width)
    outputs: dict[str, list[str | int]] = {
        marks: ["one", "turn_tokens", len(weights["words.bias"])],
        first: ["one", "turn_tokens", "said_tokens"],
        last: ["one", "turn_tokens", "said_tokens"],
        kind: ["one", len(weights["kind.bias"])],
    }
    return graph.model(_INPUTS, outputs)


def _layers(
    graph: GraphBuilder, weights: ModelWeights, described: Mapping[str, Any]
) -> tuple[str, str]:
    """Last states of the turn and of what was said."""
    body = {name.removeprefix("body."): value for name, value in weights.items()}
    turn = embed(graph, body, "turn", "turn_positions")
    earlier = embed(graph, body, "said", "said_positions", segment=1)
    hidden = graph.node("Concat", [turn, earlier], axis=1)
    layers = range(described["layers"])
    hidden = encode(graph, body, hidden, "mask", layers=layers, heads=described["heads"])
    return parted(graph, hidden, "turn", "said")


def _pointers(
    graph: GraphBuilder, weights: ModelWeights, turn: str, earlier: str, width: int
) -> list[str]:
    """For each end of a span which token of what was said each token points to."""
    scale = graph.constant(np.asarray(1 / math.sqrt(width), dtype=np.float32))
    towards = graph.node("Mul", [_linear(graph, weights, turn, "pointers"), scale])
    halves = graph.nodes_of("Split", [towards], 2, axis=2, num_outputs=2)
    tokens = graph.node("Transpose", [earlier], perm=[0, 2, 1])
    alone = graph.node("Transpose", [_linear(graph, weights, earlier, "spans")], perm=[0, 2, 1])
    *priors, _ = graph.nodes_of("Split", [alone], 3, axis=1, num_outputs=3)
    return [
        graph.node("Add", [graph.node("MatMul", [half, tokens]), prior])
        for half, prior in zip(halves, priors, strict=True)
    ]


def _kind(graph: GraphBuilder, weights: ModelWeights, turn: str, width: int) -> str:
    first = graph.constant(np.asarray([0], dtype=np.int64))
    shape = graph.constant(np.asarray([-1, width], dtype=np.int64))
    seen = graph.node("Reshape", [graph.node("Gather", [turn, first], axis=1), shape])
    return _linear(
        graph, weights, graph.node("Tanh", [_linear(graph, weights, seen, "dense")]), "kind"
    )


def _linear(graph: GraphBuilder, weights: ModelWeights, x: str, name: str) -> str:
    return graph.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"], exact=True)
