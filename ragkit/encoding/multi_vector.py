"""Models that were trained for late interaction, as sentence-transformers saves them.

Such a folder is a ``MultiVectorEncoder``: a transformer, a projection of each token (``Dense``),
the tokens that are left out (``MultiVectorMask``), and ``Normalize``. The vector of a text is here
the mean of its tokens' vectors, of unit norm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ragkit.encoding.encoder import (
    Encoded,
    Fingerprint,
    Role,
    Vectors,
    count_tokens,
    encode_windows,
    load_tokenizer,
    longest_prompt,
    normalised,
    read_compatibly,
    starts_of,
)
from ragkit.encoding.sentence_transformer import BATCH, model_loading

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder
    from tokenizers import Encoding, Tokenizer

__all__ = [
    "MultiVectorDesign",
    "MultiVectorReference",
    "find_design",
    "scored_tokens",
    "to_multi_vector",
    "why_not_supported",
]

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
        """Return the ids of the tokens that are left out; without words that are no token."""
        ids = (tokenizer.token_to_id(word) for word in self.silent[role])
        return frozenset(one for one in ids if one is not None)


def find_design(directory: Path) -> MultiVectorDesign | None:
    """Return the design of the model in a folder; None if it is of another kind.

    Raises:
        OSError, ValueError, KeyError, TypeError: its configuration cannot be parsed.

    """
    modules = _modules(directory)
    if "MultiVectorMask" not in modules or "Dense" not in modules:
        return None
    mask = _json(modules["MultiVectorMask"] / "config.json")
    tasks = mask.get("skiplist_tasks") or ["document"]
    words = tuple(mask.get("skiplist_words") or ())
    return MultiVectorDesign(
        modules["Dense"] / "model.safetensors",
        int(_json(modules["Dense"] / "config.json")["out_features"]),
        {role: words if task in tasks else () for role, task in _TASKS.items()},
    )


def why_not_supported(directory: Path) -> str | None:
    """Return why a model of this kind cannot be used; None if it can, or is of another kind."""
    modules = _modules(directory)
    if "MultiVectorMask" not in modules:
        return None
    if list(modules) != ["Transformer", "Dense", "MultiVectorMask", "Normalize"]:
        return f"its modules are {list(modules)}"
    dense = _json(modules["Dense"] / "config.json")
    transformer = _json(directory / "sentence_bert_config.json")
    checks = {
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


class MultiVectorReference:
    """Encode with sentence-transformers' own ``MultiVectorEncoder``. Threads may share one.

    The model is loaded when the first text is encoded.
    """

    readings = 1
    runtime = "reference"

    def __init__(self, fingerprint: Fingerprint, directory: Path) -> None:
        """Use the model in a folder that ``MultiVectorEncoder.save_pretrained`` wrote."""
        self._fingerprint = fingerprint
        self._directory = directory
        self._lock = Lock()

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the model."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self._design.dimension

    @cached_property
    def window(self) -> int:
        """Most tokens of a text that the model takes at once, beside special tokens and prompt."""
        special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        prompt = longest_prompt(self._tokenizer, self._fingerprint.prompts)
        return int(self._model.max_seq_length or 512) - special - prompt

    def encode(self, texts: Sequence[str], *, role: Role = "passage") -> list[Encoded]:
        """Encode each text: the tokens by the model's projection, the vector as their mean."""
        if not texts:
            return []
        encode_batch = partial(self._encode_batch, role)
        prompt = self._fingerprint.prompts.of(role)
        return encode_windows(texts, self._tokenizer, self.window, encode_batch, prompt=prompt)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens left out."""
        return count_tokens(self._tokenizer, texts)

    def _encode_batch(
        self, role: Role, texts: Sequence[str], encodings: Sequence[Encoding]
    ) -> list[Encoded]:
        import torch

        silent = self._design.silent_ids(self._tokenizer, role)
        with self._lock, torch.inference_mode():
            outputs: list[Vectors] = []
            for first in range(0, len(texts), BATCH):
                batch = list(texts[first : first + BATCH])
                features = self._model.preprocess(batch)
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
    def _tokenizer(self) -> Tokenizer:
        return load_tokenizer(self._directory / "tokenizer.json")

    @cached_property
    def _model(self) -> MultiVectorEncoder:
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


def _modules(directory: Path) -> dict[str, Path]:
    """The kind and the folder of each module, in order."""
    content = json.loads((directory / "modules.json").read_text(encoding="utf-8"))
    return {str(one["type"]).rsplit(".", 1)[-1]: directory / one["path"] for one in content}


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
