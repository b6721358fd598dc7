"""Models that were trained for late interaction, as sentence-transformers saves them.

Such a folder is a ``MultiVectorEncoder``: a transformer, a projection of each token (``Dense``),
the tokens that are left out (``MultiVectorMask``), and ``Normalize``. The vector of a text is here
the mean of its tokens' vectors, of unit norm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragkit.encoding.encoder import (
    Encoded,
    Role,
    Vectors,
    normalised,
    read_compatibly,
    starts_of,
)
from ragkit.encoding.sentence_transformer import (
    BATCH,
    SentenceTransformerEncoder,
    model_loading,
)
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = [
    "MultiVectorDesign",
    "MultiVectorReference",
    "find_design",
    "scored_tokens",
    "to_multi_vector",
    "why_not_supported",
]

_MASK = "MultiVectorMask"
_TASKS: Mapping[Role, str] = {"question": "query", "passage": "document"}
_IDENTITY = ("torch.nn.modules.linear.Identity", "torch.nn.Identity")


@dataclass(frozen=True, slots=True)
class MultiVectorDesign:
    """What such a model does with the last hidden states.

    Attributes:
        projection: the file of the projection's weight, ``linear.weight``.
        dimension: length of a token's vector.
        silent: the tokens that are left out, by role.

    """

    projection: Path
    dimension: int
    silent: Mapping[Role, tuple[str, ...]]

    def silent_ids(self, tokenizer: Tokenizer, role: Role) -> frozenset[int]:
        """Return the ids of the tokens that are left out; unknown words are skipped."""
        ids = (tokenizer.token_to_id(word) for word in self.silent[role])
        return frozenset(one for one in ids if one is not None)


def find_design(directory: Path) -> MultiVectorDesign | None:
    """Return the design of the model in a folder; None if it is of another kind or unsupported.

    Raises:
        EncoderError: its configuration cannot be parsed.

    """
    if _MASK not in _kinds(directory) or why_not_supported(directory) is not None:
        return None
    modules = dict(_modules(directory))
    mask = _json(modules[_MASK] / "config.json")
    tasks = ["document"] if mask.get("skiplist_tasks") is None else mask["skiplist_tasks"]
    words = tuple(mask.get("skiplist_words") or ())
    return MultiVectorDesign(
        modules["Dense"] / "model.safetensors",
        int(_json(modules["Dense"] / "config.json")["out_features"]),
        {role: words if task in tasks else () for role, task in _TASKS.items()},
    )


def why_not_supported(directory: Path) -> str | None:
    """Return why a model of this kind cannot be used; None if it can, or is of another kind.

    Raises:
        EncoderError: its configuration cannot be parsed.

    """
    kinds = _kinds(directory)
    if _MASK not in kinds:
        return None
    if kinds != ["Transformer", "Dense", _MASK, "Normalize"]:
        return f"its modules are {kinds}"
    modules = dict(_modules(directory))
    dense, mask = (_json(modules[kind] / "config.json") for kind in ("Dense", _MASK))
    transformer = _json(directory / "sentence_bert_config.json")
    checks = {
        "it keeps some tokens alone": not mask.get("keep_only_token_ids"),
        "its projection has a bias, an activation or a residual": not dense.get("bias")
        and dense.get("activation_function") in _IDENTITY
        and not dense.get("use_residual"),
        "its questions are filled up with mask tokens": not transformer.get("query_expansion"),
    }
    return next((reason for reason, holds in checks.items() if not holds), None)


def scored_tokens(encoding: Encoding, silent: frozenset[int]) -> list[int]:
    """Return the tokens of a text that are kept: all but the special and the silent ones.

    Where that would leave none, as of a text of punctuation alone, only special ones are left out.
    """
    own = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
    ids = encoding.ids
    return [i for i in own if ids[i] not in silent] or own


def to_multi_vector(
    vectors: Vectors, text: str, encoding: Encoding, kept: Sequence[int]
) -> Encoded:
    """Turn the projected vectors of a text's kept tokens, of any norm, into an ``Encoded``."""
    tokens = normalised(vectors)
    return Encoded(normalised(tokens.sum(axis=0)), tokens, starts_of(text, encoding, kept))


class MultiVectorReference(SentenceTransformerEncoder):
    """Encode with sentence-transformers' own ``MultiVectorEncoder``, as its base class does."""

    readings = 1

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self._design.dimension

    def _encode_batch(
        self, role: Role, texts: Sequence[str], encodings: Sequence[Encoding]
    ) -> list[Encoded]:
        import torch
        from sentence_transformers.util import batch_to_device

        silent = self._design.silent_ids(self._tokenizer, role)
        with self._lock, torch.inference_mode():
            outputs: list[Vectors] = []
            for first in range(0, len(texts), BATCH):
                batch = list(texts[first : first + BATCH])
                features = batch_to_device(self._model.preprocess(batch), self._model.device)
                for module in (self._model[0], self._model[1]):
                    features = module(features)
                outputs += list(features["token_embeddings"].float().cpu().numpy())
        encoded = []
        for output, text, encoding in zip(outputs, texts, encodings, strict=True):
            kept = scored_tokens(encoding, silent)
            encoded.append(to_multi_vector(output[kept], text, encoding, kept))
        return encoded

    @cached_property
    def _design(self) -> MultiVectorDesign:
        design = find_design(self._directory)
        assert design is not None  # noqa: S101
        return design

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import MultiVectorEncoder

        with model_loading(self._directory):
            model = MultiVectorEncoder(
                str(self._directory),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": "float32"},
            )
            read_compatibly(model.tokenizer.backend_tokenizer)
            return model


def _kinds(directory: Path) -> list[str]:
    return [kind for kind, _ in _modules(directory)]


def _modules(directory: Path) -> list[tuple[str, Path]]:
    """The kind and the folder of each module, in order; none of a plain transformers model."""
    path = directory / "modules.json"
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [(str(one["type"]).rsplit(".", 1)[-1], directory / one["path"]) for one in content]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _malformed(path, error) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _malformed(path, error) from error


def _malformed(path: Path, error: Exception) -> EncoderError:
    return EncoderError(
        f"{path} cannot be parsed ({type(error).__name__}: {error}); expected what "
        f"sentence-transformers writes. Save the model with save_pretrained."
    )
