"""A BERT encoder (Devlin et al. 2019, arXiv:1810.04805) as an ONNX graph, from its weights alone.

This module writes the graph itself instead of tracing torch: that takes a second instead of half a
minute, needs no torch, and allows the operators that onnxruntime runs best. Input: token ids, a
mask and positions. Output: the last hidden states, ``(batch, tokens, d)``.

The int8 graph: each weight column is rounded to ±63 with its own scale; each token's activations
are divided by their largest magnitude and rounded to ±127. Since every row has its own scale, a
text's vectors do not depend on the other texts of its batch, and no calibration text is needed;
since weights have seven bits, sums of products fit 16 bits, so processors with and without VNNI
instructions agree. Embeddings are rounded to ±127, each row with its own scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["bert_graph"]

ModelWeights = Mapping[str, NDArray[np.float32]]

_OPSET, _IR_VERSION, _CONTRIB = 18, 10, "com.microsoft"


def bert_graph(weights: ModelWeights, config: Mapping[str, Any], *, int8: bool) -> ModelProto:
    """Build the graph of a BERT encoder.

    Args:
        weights: name → array, as transformers saves a ``BertModel``.
        config: its ``config.json``.
        int8: quantize weights and activations to int8; otherwise float32.

    Returns:
        The model, for onnxruntime.

    Raises:
        KeyError: a weight or a setting is missing.

    """
    from onnx import TensorProto, helper

    graph = _Graph(int8=int8, epsilon=float(config["layer_norm_eps"]))
    hidden = _embeddings(graph, weights)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        hidden = _attention(graph, weights, prefix, hidden, heads=config["num_attention_heads"])
        hidden = _feed_forward(graph, weights, prefix, hidden)
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["batch", "tokens"]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT32, ["batch", "tokens"]),
        helper.make_tensor_value_info("positions", TensorProto.INT32, ["tokens"]),
    ]
    shape = ["batch", "tokens", config["hidden_size"]]
    output = helper.make_tensor_value_info(hidden, TensorProto.FLOAT, shape)
    return helper.make_model(
        helper.make_graph(graph.nodes, "bert", inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)],
        ir_version=_IR_VERSION,
    )


class _Graph:
    """A graph under construction: each method adds nodes and returns the name of their output."""

    def __init__(self, *, int8: bool, epsilon: float) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._int8 = int8
        self._epsilon = epsilon

    def constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        return self.nodes_of(operator, inputs, 1, **attributes)[0]

    def nodes_of(
        self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        from onnx import helper

        names = [f"n{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names

    def contrib_node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of an operator that onnxruntime adds to the standard ones."""
        return self.node(operator, inputs, domain=_CONTRIB, **attributes)

    def lookup(self, table: NDArray[np.float32], ids: str) -> str:
        """Look up rows of a table by id."""
        if not self._int8:
            return self.node("Gather", [self.constant(table), ids])
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-9) / np.float32(127)
        rows = self.node("Gather", [self.constant(_to_int8(table / scale)), ids])
        scales = self.node("Gather", [self.constant(scale.astype(np.float32)), ids])
        return self.node("Mul", [self.node("Cast", [rows], to=1), scales])

    def linear(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """Add ``x @ weight.T + bias``; ``weight`` is ``(out, in)``, as in torch."""
        product = self._int8_product(x, weight) if self._int8 else self._product(x, weight)
        return self.node("Add", [product, self.constant(bias)])

    def normalised_sum(self, x: str, y: str, weights: ModelWeights, prefix: str) -> str:
        """Add the layer normalisation of ``x + y``."""
        inputs = [x, y, *self._norm(weights, prefix)]
        return self.contrib_node("SkipLayerNormalization", inputs, epsilon=self._epsilon)

    def normalised(self, x: str, weights: ModelWeights, prefix: str) -> str:
        inputs = [x, *self._norm(weights, prefix)]
        return self.node("LayerNormalization", inputs, epsilon=self._epsilon)

    def _norm(self, weights: ModelWeights, prefix: str) -> list[str]:
        return [self.constant(weights[f"{prefix}LayerNorm.{name}"]) for name in ("weight", "bias")]

    def _product(self, x: str, weight: NDArray[np.float32]) -> str:
        return self.node("MatMul", [x, self.constant(weight.T)])

    def _int8_product(self, x: str, weight: NDArray[np.float32]) -> str:
        columns = weight.T
        scale = np.maximum(np.abs(columns).max(axis=0), 1e-9) / np.float32(63)
        last = self.constant(np.asarray([-1], dtype=np.int64))
        size = self.node("ReduceMax", [self.node("Abs", [x]), last], keepdims=1)
        step = self.constant(np.asarray(1 / 127, dtype=np.float32))
        zero = self.constant(np.asarray(128, dtype=np.uint8))
        quantized = self.node("QuantizeLinear", [self.node("Div", [x, size]), step, zero])
        product = self.contrib_node(
            "MatMulIntegerToFloat",
            [
                quantized,
                self.constant(_to_int8(columns / scale)),
                step,
                self.constant(scale.astype(np.float32)),
                zero,
            ],
        )
        return self.node("Mul", [product, size])


def _embeddings(graph: _Graph, weights: ModelWeights) -> str:
    words = graph.lookup(weights["embeddings.word_embeddings.weight"], "input_ids")
    # A text is one segment, so the embedding of segment 0 is added to each position's.
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    places = weights["embeddings.position_embeddings.weight"] + segment
    positions = graph.node("Gather", [graph.constant(places), "positions"])
    return graph.normalised(graph.node("Add", [words, positions]), weights, "embeddings.")


def _attention(graph: _Graph, weights: ModelWeights, prefix: str, x: str, *, heads: int) -> str:
    own = f"{prefix}attention.self."
    names = ("query", "key", "value")
    weight = np.concatenate([weights[f"{own}{name}.weight"] for name in names])
    bias = np.concatenate([weights[f"{own}{name}.bias"] for name in names])
    query, key, value = graph.nodes_of(
        "Split", [graph.linear(x, weight, bias)], 3, axis=2, num_outputs=3
    )
    inputs = [query, key, value, "", "attention_mask"]
    mixed = graph.contrib_node("MultiHeadAttention", inputs, num_heads=heads)
    after = f"{prefix}attention.output."
    out = graph.linear(mixed, weights[f"{after}dense.weight"], weights[f"{after}dense.bias"])
    return graph.normalised_sum(out, x, weights, after)


def _feed_forward(graph: _Graph, weights: ModelWeights, prefix: str, x: str) -> str:
    wide, narrow = f"{prefix}intermediate.dense.", f"{prefix}output."
    inner = graph.linear(x, weights[f"{wide}weight"], weights[f"{wide}bias"])
    inner = graph.contrib_node("Gelu", [inner])
    out = graph.linear(inner, weights[f"{narrow}dense.weight"], weights[f"{narrow}dense.bias"])
    return graph.normalised_sum(out, x, weights, narrow)


def _to_int8(values: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(values).astype(np.int8)
