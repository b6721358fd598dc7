"""The reader as an ONNX graph, from its weights alone.

A row is one window and one question. In the lower layers (``apart`` of them) the window's tokens
attend to each other, and the question's to both; in the upper ones all attend to all. Three heads:
whether the window answers, where its words begin and end, and what sort of miss it is. The same
in torch, for training: ``training/model.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.bert import attend, embed, encode, feed_forward, parted, project
from ragkit.encoding.graph import GraphBuilder, ModelWeights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["INPUTS", "reader_graph"]

INPUTS = {
    "windows": ["rows", "window"],
    "window_mask": ["rows", "window"],
    "inside": ["rows", "window"],
    "window_positions": ["window"],
    "asked": ["rows", "question"],
    "asked_mask": ["rows", "question"],
    "asked_positions": ["question"],
}
"""Inputs of the graph, all int32. ``inside``: 1 for the window's own tokens, no mark or title."""

_OUTSIDE = 1e4  # taken from the scores of tokens outside the window


def reader_graph(weights: ModelWeights, described: Mapping[str, Any], *, int8: bool) -> ModelProto:
    """Build the graph of a reader.

    Args:
        weights: name → array, as training saves them: the encoder's under ``body.``.
        described: ``layers``, ``heads``, ``width``, ``epsilon`` and ``apart``.
        int8: quantize the layers' weights and activations to int8; otherwise float32.

    Returns:
        The model, for onnxruntime. Its outputs, in this order: ``(rows, 1)`` whether the window
        answers, as a logit; ``(rows, window, 2)`` scores of each token as the first and as the last
        of the answer; ``(rows, kinds)`` logits of the kind of miss.

    """
    graph = GraphBuilder(int8=int8, epsilon=float(described["epsilon"]))
    body = {name.removeprefix("body."): value for name, value in weights.items()}
    window, asked = _layers(graph, body, described)
    width = described["width"]
    answers, spans, kind = _heads(graph, weights, window, asked, width)
    outputs: dict[str, list[str | int]] = {
        answers: ["rows", 1],
        spans: ["rows", "window", 2],
        kind: ["rows", len(weights["kind.bias"])],
    }
    return graph.model(INPUTS, outputs)


def _layers(
    graph: GraphBuilder, body: ModelWeights, described: Mapping[str, Any]
) -> tuple[str, str]:
    """Last states of the window and of the question."""
    heads, apart, layers = described["heads"], described["apart"], described["layers"]
    window = embed(graph, body, "windows", "window_positions", segment=1)
    asked = embed(graph, body, "asked", "asked_positions")
    both = graph.node("Concat", ["window_mask", "asked_mask"], axis=1)
    for layer in range(apart):
        prefix = f"encoder.layer.{layer}."
        query, key, value = project(graph, body, prefix, window)
        own_query, *own = project(graph, body, prefix, asked)
        keys, values = (
            graph.node("Concat", pair, axis=1) for pair in zip((key, value), own, strict=True)
        )
        mixed = attend(graph, query, key, value, "window_mask", heads=heads)
        own_mixed = attend(graph, own_query, keys, values, both, heads=heads)
        window = feed_forward(graph, body, prefix, mixed, window)
        asked = feed_forward(graph, body, prefix, own_mixed, asked)
    if apart == layers:
        return window, asked
    joined = graph.node("Concat", [window, asked], axis=1)
    joined = encode(graph, body, joined, both, layers=range(apart, layers), heads=heads)
    return parted(graph, joined, "windows", "asked")


def _heads(
    graph: GraphBuilder, weights: ModelWeights, window: str, asked: str, width: int
) -> tuple[str, str, str]:
    def linear(x: str, name: str) -> str:
        return graph.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"], exact=True)

    def shaped(x: str, *shape: int) -> str:
        return graph.node("Reshape", [x, graph.constant(np.asarray(shape, dtype=np.int64))])

    first = graph.constant(np.asarray([0], dtype=np.int64))
    seen = shaped(graph.node("Gather", [asked, first], axis=1), -1, width)
    scale = graph.constant(np.asarray(1 / math.sqrt(width), dtype=np.float32))
    towards = graph.node("Mul", [shaped(linear(seen, "pointers"), -1, 2, width), scale])
    points = graph.node("MatMul", [window, graph.node("Transpose", [towards], perm=[0, 2, 1])])
    spans = graph.node("Add", [linear(window, "spans"), points])
    spans = graph.node("Add", [spans, _outside(graph)])
    shares = graph.node("Softmax", [spans], axis=1)
    words = graph.node("MatMul", [graph.node("Transpose", [shares], perm=[0, 2, 1]), window])
    read = graph.node("Concat", [seen, shaped(words, -1, 2 * width)], axis=1)
    thought = graph.node("Tanh", [linear(read, "dense")])
    return linear(thought, "answers"), spans, linear(thought, "kind")


def _outside(graph: GraphBuilder) -> str:
    """``(rows, window, 1)``: 0 inside the window, very low outside."""
    inside = graph.node("Cast", ["inside"], to=1)
    one = graph.constant(np.asarray(1, dtype=np.float32))
    much = graph.constant(np.asarray(_OUTSIDE, dtype=np.float32))
    axis = graph.constant(np.asarray([2], dtype=np.int64))
    missing = graph.node("Mul", [graph.node("Sub", [inside, one]), much])
    return graph.node("Unsqueeze", [missing, axis])
