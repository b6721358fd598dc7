"""Export a model once, so that questions are encoded without torch, to the user's cache.

The export's folder is ``<fingerprint>-<precision>-v<VERSION>`` (``encoding/cache.py``), with
``model.onnx``, the graph, ``model.weights``, its large weights, and ``tokenizer.json``, a copy of
the model's own; beside it those of ``encoding/pieces.py`` if the vocabulary is large.
Models of a shape in ``encoding/shapes.py`` with mean or CLS pooling, or with a projection of each
token for late interaction, can be exported; others encode questions through sentence-transformers.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ragkit.encoding.cache import Cached, find_cached, make_cached
from ragkit.encoding.encoder import Fingerprint, Role, load_tokenizer, read_tokenizer
from ragkit.encoding.graph import write_graph
from ragkit.encoding.multi_vector_design import (
    Expansion,
    MultiVectorDesign,
    find_design,
    modules_of,
    optional_json,
    read_json,
)
from ragkit.encoding.pieces import write_pieces
from ragkit.encoding.shapes import SHAPES
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["VERSION", "Export", "Precision", "find_export", "make_export", "why_not_exportable"]

Precision = Literal["float32", "int8"]

VERSION = 2
"""Version of the graph and the layout. Each version has folders of its own."""

_TOKENS = "tokens"
_MODEL, _TOKENIZER = "model.onnx", "tokenizer.json"
_MODULES = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
_log = logging.getLogger("ragkit")


@dataclass(frozen=True, slots=True)
class Export:
    """A verified export.

    Attributes:
        directory: its folder.
        precision: of its weights.
        window: most tokens that the model takes at once, special tokens not counted.
        dimension: length of each vector.
        pooling: "mean", "cls", or "tokens" of a model trained for late interaction.
        macs: multiply-adds of the matrix products a token, the least that one token costs.
        silent: the ids of the tokens that take no part in late interaction, by role; of a model
            trained for it.
        expansion: the "length" up to which questions are filled up with the token "id", and
            whether the other tokens "attend" to these; empty of a model that does not do so.

    """

    directory: Path
    precision: Precision
    window: int
    dimension: int
    pooling: str
    macs: int
    silent: Mapping[str, Sequence[int]] = field(default_factory=dict)
    expansion: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_multi_vector(self) -> bool:
        """Whether the model was trained for late interaction."""
        return self.pooling == _TOKENS

    def silent_ids(self, role: Role) -> frozenset[int]:
        """Return the tokens that take no part in late interaction."""
        return frozenset(self.silent[role])

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.directory / _MODEL

    @property
    def tokenizer(self) -> Path:
        """The ``tokenizer.json``."""
        return self.directory / _TOKENIZER


def find_export(fingerprint: Fingerprint, precision: Precision) -> Export | None:
    """Find the export of a model in the cache and verify every byte of it.

    Args:
        fingerprint: of the model.
        precision: of the exported weights.

    Returns:
        The export; None if there is none, or if it is damaged, which is logged as a warning.

    """
    cached = find_cached(_name(fingerprint, precision))
    return None if cached is None else _export(cached, precision)


def make_export(source: Path, fingerprint: Fingerprint, precision: Precision) -> Export:
    """Export a model to the cache, or if that is not writable, to a temporary folder.

    Args:
        source: the model's folder.
        fingerprint: of the model.
        precision: of the exported weights.

    Returns:
        The export. A temporary one is deleted when the process ends.

    Raises:
        EncoderError: the weights do not match the model's configuration, or the export is damaged
            after it was written.

    """
    _log.info("exporting the model, once, so that questions are encoded fast (about two seconds)")
    write = partial(_write_export, source, precision)
    return _export(make_cached(_name(fingerprint, precision), write), precision)


def _export(cached: Cached, precision: Precision) -> Export:
    return Export(directory=cached.directory, precision=precision, **cached.settings)


def _name(fingerprint: Fingerprint, precision: Precision) -> str:
    return f"{fingerprint.digest[:32]}-{precision}-v{VERSION}"


def why_not_exportable(source: Path) -> str | None:
    """Return why the model in a folder cannot be exported; None if it can."""
    try:
        config = read_json(source / "config.json")
        shape = SHAPES.get(str(config.get("model_type")))
        if shape is None:
            return f"its type is {config.get('model_type')!r}, not one of {', '.join(SHAPES)}"
        settings, limits = shape.settings(config), shape.limits(config)
        design = find_design(source)
        modules = [kind for kind, _ in modules_of(source)]
        pooling = None if design else _pooling(source)
    except (EncoderError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its configuration cannot be parsed ({type(error).__name__}: {error})"
    checks = {
        f"its activation is {settings.get('hidden_act')!r}, not 'gelu'": (
            settings.get("hidden_act") == "gelu"
        ),
        **limits,
        "its positions are not absolute": (
            config.get("position_embedding_type", "absolute") == "absolute"
        ),
        "it is a decoder": not config.get("is_decoder"),
        f"its modules are {modules}": design is not None or modules in _MODULES,
        "its pooling is neither mean nor CLS": design is not None or pooling is not None,
        "its questions are filled up beyond the reach of its layers": not _is_out_of_reach(
            config, design
        ),
        "its weights are not in one model.safetensors": (source / "model.safetensors").is_file(),
    }  # fmt: skip
    return next((reason for reason, holds in checks.items() if not holds), None)


def _write_export(source: Path, precision: Precision, directory: Path) -> dict[str, Any]:
    """Fill a folder, and return the export's settings."""
    config = read_json(source / "config.json")
    shape = SHAPES[config["model_type"]]
    config = shape.settings(config)
    try:
        positions = int(config["max_position_embeddings"]) - shape.first(config)
        weights = shape.weights(source / "model.safetensors")
        design = find_design(source)
        projection = None if design is None else design.projection()
        graph = shape.graph(weights, config, int8=precision == "int8", projection=projection)
    # safetensors raises a bare Exception of its own for a malformed file.
    except Exception as error:
        raise EncoderError(
            f"the model in {source} could not be loaded ({type(error).__name__}: {error}); "
            f"expected a complete sentence-transformers model."
        ) from error
    write_graph(graph, directory / _MODEL)
    _write_tokenizer(source, design, directory / _TOKENIZER)
    write_pieces(directory / _TOKENIZER, directory)
    settings = {
        "window": _window(source, positions),
        "macs": shape.macs(config),
    }
    if design is None:
        return {**settings, "dimension": config["hidden_size"], "pooling": _pooling(source)}
    return {**settings, **_multi_vector_settings(source, design, settings["window"])}


def _write_tokenizer(source: Path, design: MultiVectorDesign | None, path: Path) -> None:
    """Copy the model's tokenizer; where texts have markers, as one that knows these."""
    if design is None or not design.markers:
        shutil.copyfile(source / _TOKENIZER, path)
        return
    tokenizer = read_tokenizer(source / _TOKENIZER)
    design.register_markers(tokenizer)
    tokenizer.save(str(path))


def _multi_vector_settings(source: Path, design: MultiVectorDesign, window: int) -> dict[str, Any]:
    tokenizer = load_tokenizer(source / _TOKENIZER)
    silent = {role: sorted(design.silent_ids(tokenizer, role)) for role in design.silent}
    settings = {
        "window": window if design.length is None else min(window, design.length - 2),
        "dimension": design.dimension,
        "pooling": _TOKENS,
        "silent": silent,
    }
    if design.expansion is None:
        return settings
    return {**settings, "expansion": _expansion_settings(source, design.expansion, tokenizer)}


def _expansion_settings(source: Path, own: Expansion, tokenizer: Tokenizer) -> dict[str, int]:
    """Return ``Export.expansion``: the token is the model's mask, or if it has none its end."""
    config = optional_json(source / "tokenizer_config.json")
    config = optional_json(source / "special_tokens_map.json") | config
    names = (own.token, config.get("mask_token"), "[MASK]", "<mask>", config.get("eos_token"))
    texts = [name.get("content") if isinstance(name, dict) else name for name in names]
    ids = [tokenizer.token_to_id(text) for text in texts if text]
    number = next((one for one in ids if one is not None), None)
    if number is None:
        raise EncoderError(
            f"{source / _TOKENIZER} has no mask token to fill questions up with; expected one that "
            f"tokenizer_config.json names. Save the model with save_pretrained."
        )
    return {"length": own.length, "attend": int(own.attend), "id": number}


def _is_out_of_reach(config: Mapping[str, Any], design: MultiVectorDesign | None) -> bool:
    """Whether mask tokens may be too far from all words for a layer to see any of these."""
    expansion = None if design is None else design.expansion
    reach = config.get("local_attention")
    return bool(expansion and reach and not expansion.attend and expansion.length > reach // 2)


def _window(source: Path, positions: int) -> int:
    """Compute sentence-transformers' ``max_seq_length``, less the first and the last token."""
    own = optional_json(source / "sentence_bert_config.json").get("max_seq_length")
    of_tokenizer = optional_json(source / "tokenizer_config.json").get("model_max_length")
    return min(int(own or of_tokenizer or positions), positions) - 2


def _pooling(source: Path) -> str | None:
    """Return the one mode in a Pooling module's configuration, old or new style."""
    modules = [path for kind, path in modules_of(source) if kind.endswith("Pooling")]
    if not modules:
        return None
    config = read_json(modules[0] / "config.json")
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        return mode if mode in _POOLINGS.values() else None
    modes = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
    return _POOLINGS.get(modes[0]) if len(modes) == 1 else None
