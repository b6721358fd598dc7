"""The shapes of encoders that can be exported: how each names its settings, and who draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.bert import bert_graph
from ragkit.encoding.distilbert import distilbert_graph
from ragkit.encoding.graph import ModelWeights
from ragkit.encoding.modernbert import modernbert_graph, modernbert_limits
from ragkit.encoding.mpnet import BUCKETS, FIRST_POSITION, mpnet_graph
from ragkit.encoding.weights import load_weights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["SHAPES", "Shape"]


class _Graph(Protocol):
    """As ``bert_graph``."""

    def __call__(
        self,
        weights: ModelWeights,
        config: Mapping[str, Any],
        *,
        int8: bool,
        first_position: int,
        projection: NDArray[np.float32] | None = None,
    ) -> ModelProto: ...


def _no_limits(_: Mapping[str, Any]) -> dict[str, bool]:
    return {}


@dataclass(frozen=True, slots=True)
class Shape:
    """What models of one type have in common.

    Attributes:
        graph: builds the graph from weights without ``prefix`` and settings with BERT's names.
        prefix: of the weights' names, where the encoder was saved as a part of a larger model.
        names: BERT's name of a setting → this type's own, where they differ.
        fixed: settings that are no settings of this type, but always the same.
        products: matrix products of a layer's feed-forward part.
        first: the row of the first token's position in the table of positions.
        limits: each reason to refuse a model of this type → True where it does not apply.

    """

    graph: _Graph
    prefix: str = "bert."
    names: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    products: int = 2
    first: Callable[[Mapping[str, Any]], int] = lambda _: 0
    limits: Callable[[Mapping[str, Any]], Mapping[str, bool]] = _no_limits

    def settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a ``config.json`` with BERT's names of the settings beside its own."""
        renamed = {bert: config[own] for bert, own in self.names.items() if own in config}
        return {**config, **renamed, **self.fixed}

    def weights(self, path: Path) -> ModelWeights:
        """Load the weights, named as those of the encoder alone."""
        return {name.removeprefix(self.prefix): own for name, own in load_weights(path).items()}

    def macs(self, settings: Mapping[str, Any]) -> int:
        """Return the multiply-adds of the matrix products a token."""
        d, inner = int(settings["hidden_size"]), int(settings["intermediate_size"])
        return int(settings["num_hidden_layers"]) * (4 * d * d + self.products * d * inner)


def _after_padding(config: Mapping[str, Any]) -> int:
    """RoBERTa counts positions from the one after its padding's."""
    return int(config["pad_token_id"]) + 1


def _mpnet_limits(config: Mapping[str, Any]) -> dict[str, bool]:
    buckets = config.get("relative_attention_num_buckets", BUCKETS)
    return {f"its relative positions have {buckets} buckets, not {BUCKETS}": buckets == BUCKETS}


_ROBERTA = Shape(bert_graph, prefix="roberta.", first=_after_padding)

SHAPES: Mapping[str, Shape] = {
    "bert": Shape(bert_graph),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Shape(
        distilbert_graph,
        prefix="distilbert.",
        names={
            "hidden_size": "dim",
            "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads",
            "intermediate_size": "hidden_dim",
            "hidden_act": "activation",
        },
        fixed={"layer_norm_eps": 1e-12},
    ),
    "mpnet": Shape(
        mpnet_graph, prefix="mpnet.", first=lambda _: FIRST_POSITION, limits=_mpnet_limits
    ),
    "modernbert": Shape(
        modernbert_graph,
        prefix="model.",
        names={"hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps"},
        products=3,
        limits=modernbert_limits,
    ),
}
"""By the ``model_type`` of a model's ``config.json``."""
