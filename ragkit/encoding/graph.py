"""An ONNX graph under construction, in float32 or int8.

The int8 products: each weight column is rounded to ±63 with its own scale; each token's activations
are divided by their largest magnitude and rounded to ±127. Since every row has its own scale, what
is computed for a text does not depend on the other texts of its batch, and no calibration text is
needed; since weights have seven bits, sums of products fit 16 bits, so processors with and without
VNNI instructions agree. Embeddings are rounded to ±127, each row with its own scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["GraphBuilder", "ModelWeights", "write_graph"]

ModelWeights = Mapping[str, NDArray[np.float32]]

_OPSET, _IR_VERSION, _CONTRIB = 18, 10, "com.microsoft"
_LARGE, _ALIGNED = 2**20, 2**16  # bytes; every system can map a file at the second


class GraphBuilder:
    """Each method adds nodes to the graph and returns the name of their output."""

    def __init__(self, *, int8: bool, epsilon: float) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._int8 = int8
        self._epsilon = epsilon
        self._tables: dict[int, list[str]] = {}

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
        """Look up rows of a table by id. The table is kept once, however often it is used."""
        if id(table) not in self._tables:
            self._tables[id(table)] = self._table(table)
        rows, *scale = [self.node("Gather", [part, ids]) for part in self._tables[id(table)]]
        return self.node("Mul", [self.node("Cast", [rows], to=1), *scale]) if scale else rows

    def _table(self, table: NDArray[np.float32]) -> list[str]:
        if not self._int8:
            return [self.constant(table)]
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-9) / np.float32(127)
        return [self.constant(_to_int8(table / scale)), self.constant(scale.astype(np.float32))]

    def linear(
        self,
        x: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None = None,
        *,
        exact: bool = False,
    ) -> str:
        """Add ``x @ weight.T + bias``; ``weight`` is ``(out, in)``, as in torch.

        ``exact``: in float32, in an int8 graph too: for outputs so few that int8 saves no time.
        """
        int8 = self._int8 and not exact
        product = self._int8_product(x, weight) if int8 else self._product(x, weight)
        return product if bias is None else self.node("Add", [product, self.constant(bias)])

    def projected(self, x: str, weight: NDArray[np.float32]) -> str:
        """Add ``x @ weight.T`` in float32."""
        return self._product(x, weight)

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

    def model(
        self, inputs: Mapping[str, Sequence[str]], outputs: Mapping[str, Sequence[str | int]]
    ) -> ModelProto:
        """Return the model, for onnxruntime.

        Args:
            inputs: name → dimensions; all are int32.
            outputs: name of an output of a node → dimensions; all are float32.

        """
        from onnx import TensorProto, helper

        input_infos = [
            helper.make_tensor_value_info(name, TensorProto.INT32, list(shape))
            for name, shape in inputs.items()
        ]
        output_infos = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in outputs.items()
        ]
        return helper.make_model(
            helper.make_graph(self.nodes, "ragkit", input_infos, output_infos, self.constants),
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)],
            ir_version=_IR_VERSION,
        )


def write_graph(model: ModelProto, path: Path) -> None:
    """Write a model so that onnxruntime maps its large constants into memory.

    They go to a file beside it, ``STEM.weights``: what is not mapped is copied whole, and of a
    vocabulary of 250,000 pieces a question needs a dozen rows.

    Args:
        model: the model; its large constants are taken out of it.
        path: of the ``.onnx`` file.

    """
    large = [one for one in model.graph.initializer if len(one.raw_data) >= _LARGE]
    if large:
        _write_beside(large, path.with_suffix(".weights"))
    path.write_bytes(model.SerializeToString())


def _write_beside(constants: Sequence[TensorProto], path: Path) -> None:
    """Move the bytes of constants to a file beside the model."""
    from onnx import TensorProto

    with path.open("wb") as file:
        for constant in constants:
            file.write(bytes(-file.tell() % _ALIGNED))
            place = {"location": path.name, "offset": file.tell()}
            place["length"] = file.write(constant.raw_data)
            constant.ClearField("raw_data")
            constant.data_location = TensorProto.EXTERNAL
            for key, value in place.items():
                constant.external_data.add(key=key, value=str(value))


def _to_int8(values: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(values).astype(np.int8)
