"""What a model that was trained for late interaction does with the last hidden states.

Such models (ColBERT and its kind) are published in three layouts, and each is read as
sentence-transformers' ``MultiVectorEncoder`` reads it:

- its own: ``modules.json`` lists a transformer, projections of each token (``Dense``), the tokens
  that are left out (``MultiVectorMask``), and ``Normalize``;
- PyLate's: a transformer and projections, the rest in ``config_sentence_transformers.json``;
- Stanford's: a transformer with the projection among its weights, the rest in
  ``artifact.metadata``.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.encoder import Role
from ragkit.encoding.weights import load_weights
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "TASKS",
    "Expansion",
    "MultiVectorDesign",
    "find_design",
    "marker_prompts",
    "modules_of",
    "optional_json",
    "read_json",
    "why_not_supported",
]

_MASK = "MultiVectorMask"
TASKS: Mapping[Role, str] = {"question": "query", "passage": "document"}
_IDENTITY = ("torch.nn.modules.linear.Identity", "torch.nn.Identity")
_WEIGHTS = "model.safetensors"
_STANFORD = {"query": ("query_token_id", "[unused0]"), "document": ("doc_token_id", "[unused1]")}
_PREFIXES = ("query_prefix", "document_prefix")
_LENGTH = 32
"""Tokens of a question that is filled up, where a model does not say how many."""
_PYLATE_SIGNS = (
    "query_length",
    "document_length",
    "do_query_expansion",
    "attend_to_expansion_tokens",
    "attend_to_mask_tokens",
    "skiplist_words",
    *_PREFIXES,
)


@dataclass(frozen=True, slots=True)
class Expansion:
    """Questions are filled up with mask tokens, which are matched like words of the question.

    Attributes:
        length: tokens of a question with the mask tokens; a longer one has none.
        attend: whether the other tokens attend to them.
        token: the mask token; None for the tokenizer's own.

    """

    length: int
    attend: bool
    token: str | None


class _Projection(NamedTuple):
    """The file of ``linear.weight``, and whether what it projects is added to the result."""

    file: Path
    residual: bool


@dataclass(frozen=True, slots=True)
class MultiVectorDesign:
    """What such a model does with the last hidden states.

    Attributes:
        projections: in order.
        silent: the tokens that are left out, by role.
        markers: what stands in front of questions and passages and is one token, if the
            tokenizer knows it.
        expansion: how questions are filled up; None if they are not.
        length: most tokens of a passage that the model was trained on, special tokens counted.

    """

    projections: tuple[_Projection, ...]
    silent: Mapping[Role, tuple[str, ...]]
    markers: tuple[str, ...] = ()
    expansion: Expansion | None = None
    length: int | None = None

    @property
    def dimension(self) -> int:
        """Length of a token's vector."""
        from safetensors import safe_open

        with safe_open(self.projections[-1].file, "numpy") as tensors:
            return int(tensors.get_slice("linear.weight").get_shape()[0])

    def projection(self) -> NDArray[np.float32]:
        """Compute the one matrix, ``(dimension, d)``, that does what all projections do."""
        product: NDArray[Any] | None = None
        for file, residual in self.projections:
            tensors = load_weights(file, "linear.weight", "residual.weight")
            weight: NDArray[Any] = tensors["linear.weight"]
            if residual:
                around = tensors.get("residual.weight")
                weight = weight + (np.eye(len(weight)) if around is None else around)
            product = weight if product is None else weight @ product
        assert product is not None  # noqa: S101
        return np.asarray(product, dtype=np.float32)

    def silent_ids(self, tokenizer: Tokenizer, role: Role) -> frozenset[int]:
        """Return the ids of the tokens that are left out; unknown words are skipped."""
        ids = (tokenizer.token_to_id(word) for word in self.silent[role])
        return frozenset(one for one in ids if one is not None)

    def register_markers(self, tokenizer: Tokenizer) -> None:
        """Let a tokenizer read each marker that is in its vocabulary as one token."""
        from tokenizers import AddedToken

        for marker in self.markers:
            spellings = (marker, marker.split()[0])
            token = next((one for one in spellings if tokenizer.token_to_id(one) is not None), None)
            if token is None:
                continue  # it stands there as text
            if tokenizer.encode(token, add_special_tokens=False).tokens != [token]:
                tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])


def find_design(directory: Path) -> MultiVectorDesign | None:
    """Return the design of the model in a folder; None if it is of another kind or unsupported.

    Raises:
        EncoderError: its configuration cannot be parsed.

    """
    layout = _find_layout(directory)
    if layout is None or _why_not_supported(layout) is not None:
        return None
    words = tuple(layout.mask.get("skiplist_words") or ())
    tasks = layout.mask.get("skiplist_tasks")
    tasks = ["document"] if tasks is None else tasks
    return MultiVectorDesign(
        tuple(_Projection(file, bool(own.get("use_residual"))) for file, own in layout.dense),
        {role: words if task in tasks else () for role, task in TASKS.items()},
        tuple(prompt for prompt in layout.markers.values() if prompt.strip()),
        None if layout.expansion is None else _expansion(layout.expansion),
        layout.length,
    )


def why_not_supported(directory: Path) -> str | None:
    """Return why a model of this kind cannot be used; None if it can, or is of another kind.

    Raises:
        EncoderError: its configuration cannot be parsed.

    """
    layout = _find_layout(directory)
    return None if layout is None else _why_not_supported(layout)


def marker_prompts(directory: Path) -> Mapping[str, str]:
    """Return the markers in front of texts by task, of layouts that do not call them prompts.

    Raises:
        EncoderError: the model's configuration cannot be parsed.

    """
    layout = _find_layout(directory)
    return {} if layout is None else layout.markers


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the files of a model say, whatever its layout.

    Attributes:
        kinds: of its modules.
        is_complete: whether these are modules of a model that can be used.
        dense: the file and the settings of each projection.
        mask: settings as of ``MultiVectorMask``.
        expansion: settings as of ``query_expansion`` of sentence-transformers' ``Transformer``.
        length: as its ``document_length``.
        markers: as ``query_prefix`` and ``document_prefix`` of PyLate, by task.

    """

    kinds: Sequence[str]
    is_complete: bool
    dense: Sequence[tuple[Path, Mapping[str, Any]]]
    mask: Mapping[str, Any]
    expansion: Mapping[str, Any] | None
    length: int | None
    markers: Mapping[str, str]


def _find_layout(directory: Path) -> _Layout | None:
    """Return the layout of a model; None if it was not trained for late interaction."""
    modules = modules_of(directory)
    config = optional_json(directory / "config_sentence_transformers.json")
    # Before its third version, PyLate did not name the kind of model.
    is_pylate = config.get("model_type") == "ColBERT" or not config.keys().isdisjoint(_PREFIXES)
    if _MASK in dict(modules) or (modules and is_pylate):
        return _modular_layout(directory, modules, config)
    architectures = optional_json(directory / "config.json").get("architectures") or []
    is_stanford = "HF_ColBERT" in architectures and not modules
    return _stanford_layout(directory) if is_stanford else None


def _modular_layout(
    directory: Path, modules: Sequence[tuple[str, Path]], config: Mapping[str, Any]
) -> _Layout:
    """The layout of sentence-transformers or of PyLate."""
    kinds = [kind for kind, _ in modules]
    is_pylate = _MASK not in kinds
    transformer = optional_json(directory / "sentence_bert_config.json")
    skipped = config.get("skiplist_words")
    if is_pylate:
        mask = {"skiplist_words": list(string.punctuation) if skipped is None else skipped}
    else:
        mask = read_json(dict(modules)[_MASK] / "config.json")
    dense = [path for kind, path in modules if kind == "Dense"]
    others = [kind for kind in kinds if kind != "Dense"]
    ends = ["Transformer"] if is_pylate else ["Transformer", _MASK, "Normalize"]
    return _Layout(
        kinds,
        others == ends and bool(dense) and kinds[1 : 1 + len(dense)] == ["Dense"] * len(dense),
        [(path / _WEIGHTS, read_json(path / "config.json")) for path in dense],
        mask,
        transformer.get("query_expansion", _pylate_expansion(config)),
        transformer.get("document_length") or config.get("document_length"),
        {task: config.get(f"{task}_prefix") or "" for task in TASKS.values()},
    )


def _pylate_expansion(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if "query_expansion" in config:
        own: Mapping[str, Any] | None = config["query_expansion"]
        return own
    if config.get("do_query_expansion") is False or not config.keys() & set(_PYLATE_SIGNS):
        return None
    attend = config.get("attend_to_expansion_tokens", config.get("attend_to_mask_tokens"))
    return {"length": config.get("query_length") or _LENGTH, "attend": bool(attend)}


def _stanford_layout(directory: Path) -> _Layout:
    own = optional_json(directory / "artifact.metadata")
    return _Layout(
        [],
        True,
        [(directory / _WEIGHTS, {"bias": False, "activation_function": _IDENTITY[0]})],
        {"skiplist_words": list(string.punctuation) if own.get("mask_punctuation", True) else []},
        {
            "length": own.get("query_maxlen") or _LENGTH,
            "attend": bool(own.get("attend_to_mask_tokens")),
        },
        own.get("doc_maxlen"),
        {task: (own.get(name) or default) + " " for task, (name, default) in _STANFORD.items()},
    )


def _why_not_supported(layout: _Layout) -> str | None:
    if not layout.is_complete:
        return f"its modules are {list(layout.kinds)}"
    sizes = [(own.get("in_features"), own.get("out_features")) for _, own in layout.dense]
    checks = {
        "it keeps some tokens alone": not layout.mask.get("keep_only_token_ids"),
        "its projection has a bias or an activation": all(
            not own.get("bias", True) and own.get("activation_function") in _IDENTITY
            for _, own in layout.dense
        ),
        "its projection is of whole texts": all(
            own.get("module_input_name", "token_embeddings") == "token_embeddings"
            for _, own in layout.dense
        ),
        "its projections do not fit each other": all(
            one[1] == following[0] for one, following in pairwise(sizes)
        ),
        f"its projection is not in {_WEIGHTS}": all(file.is_file() for file, _ in layout.dense),
    }
    return next((reason for reason, holds in checks.items() if not holds), None)


def _expansion(own: Mapping[str, Any]) -> Expansion:
    return Expansion(int(own["length"]), bool(own.get("attend")), own.get("token"))


def modules_of(directory: Path) -> list[tuple[str, Path]]:
    """Return the kind and the folder of each module, in order; none of a plain transformers model.

    Raises:
        EncoderError: they cannot be parsed.

    """
    path = directory / "modules.json"
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [(str(one["type"]).rsplit(".", 1)[-1], directory / one["path"]) for one in content]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _malformed(path, error) from error


def optional_json(path: Path) -> dict[str, Any]:
    """Return the content of a file, ``{}`` if there is none; otherwise as ``read_json``."""
    return read_json(path) if path.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a file of a model. Raises EncoderError."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _malformed(path, error) from error


def _malformed(path: Path, error: Exception) -> EncoderError:
    return EncoderError(
        f"{path} cannot be parsed ({type(error).__name__}: {error}); expected what "
        f"sentence-transformers writes. Save the model with save_pretrained."
    )
