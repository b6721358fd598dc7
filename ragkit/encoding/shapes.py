"""The shapes of encoders that can be exported: how each names its settings, and who draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.bert import draw_bert, without_segments
from ragkit.encoding.graph import GraphBuilder, ModelWeights
from ragkit.encoding.modernbert import draw_modernbert, modernbert_limits
from ragkit.encoding.mpnet import BUCKETS, FIRST_POSITION, draw_mpnet
from ragkit.encoding.weights import load_weights

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["SHAPES", "Shape"]


class _Drawing(Protocol):
    """As ``draw_bert``."""

    def __call__(
        self,
        graph: GraphBuilder,
        weights: ModelWeights,
        config: Mapping[str, Any],
        *,
        first_position: int,
    ) -> str: ...


def _no_limits(_: Mapping[str, Any]) -> dict[str, bool]:
    return {}


@dataclass(frozen=True, slots=True)
class Shape:
    """What models of one type have in common.

    Attributes:
        draw: draws the encoder, from weights and settings with BERT's names.
        prefix: of the weights' names, where the encoder was saved as a part of a larger model.
        parts: a part of a weight's name → BERT's, where they differ.
        tells_texts_apart: whether it has embeddings for a first and a second text.
        names: BERT's name of a setting → this type's own, where they differ.
        fixed: settings that are no settings of this type, but always the same.
        products: matrix products of a layer's feed-forward part.
        first: the row of the first token's position in the table of positions.
        limits: each reason to refuse a model of this type → True where it does not apply.

    """

    draw: _Drawing
    prefix: str = "bert."
    parts: Mapping[str, str] = field(default_factory=dict)
    tells_texts_apart: bool = True
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
        """Load the weights, named as those of the encoder alone and as ``draw`` expects them."""
        weights = {self._bert_name(name): own for name, own in load_weights(path).items()}
        return weights if self.tells_texts_apart else without_segments(weights)

    def _bert_name(self, name: str) -> str:
        name = name.removeprefix(self.prefix)
        for own, bert in self.parts.items():
            name = name.replace(own, bert)
        return name

    def graph(
        self,
        weights: ModelWeights,
        settings: Mapping[str, Any],
        *,
        int8: bool,
        projection: NDArray[np.float32] | None = None,
    ) -> ModelProto:
        """Build the graph of an encoder.

        Args:
            weights: as ``weights`` returns them.
            settings: as ``settings`` returns them.
            int8: quantize weights and activations to int8; otherwise float32.
            projection: ``(k, d)``, applied to each last hidden state, in float32; the output is
                then ``(batch, tokens, k)``.

        Raises:
            KeyError: a weight or a setting is missing.

        """
        graph = GraphBuilder(int8=int8, epsilon=float(settings["layer_norm_eps"]))
        hidden = self.draw(graph, weights, settings, first_position=self.first(settings))
        width = int(settings["hidden_size"])
        if projection is not None:
            hidden, width = graph.projected(hidden, projection), len(projection)
        inputs = {
            "input_ids": ["batch", "tokens"],
            "attention_mask": ["batch", "tokens"],
            "positions": ["tokens"],
        }
        return graph.model(inputs, {hidden: ["batch", "tokens", width]})

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


_ROBERTA = Shape(draw_bert, prefix="roberta.", first=_after_padding)

SHAPES: Mapping[str, Shape] = {
    "bert": Shape(draw_bert),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Shape(
        draw_bert,
        prefix="distilbert.",
        parts={
            "transformer.layer.": "encoder.layer.",
            "attention.q_lin.": "attention.self.query.",
            "attention.k_lin.": "attention.self.key.",
            "attention.v_lin.": "attention.self.value.",
            "attention.out_lin.": "attention.output.dense.",
            "sa_layer_norm.": "attention.output.LayerNorm.",
            "ffn.lin1.": "intermediate.dense.",
            "ffn.lin2.": "output.dense.",
            "output_layer_norm.": "output.LayerNorm.",
        },
        tells_texts_apart=False,
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
        draw_mpnet,
        prefix="mpnet.",
        parts={
            "attention.attn.q.": "attention.self.query.",
            "attention.attn.k.": "attention.self.key.",
            "attention.attn.v.": "attention.self.value.",
            "attention.attn.o.": "attention.output.dense.",
            "attention.LayerNorm.": "attention.output.LayerNorm.",
        },
        tells_texts_apart=False,
        first=lambda _: FIRST_POSITION,
        limits=_mpnet_limits,
    ),
    "modernbert": Shape(
        draw_modernbert,
        prefix="model.",
        names={"hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps"},
        products=3,
        limits=modernbert_limits,
    ),
}
"""By the ``model_type`` of a model's ``config.json``."""
