"""Models that were trained for late interaction: their vectors, and the reference that has them.

What each of them does is in ``encoding/multi_vector_design.py``. The vector of a text is here the
mean of its tokens' vectors, of unit norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.encoder import (
    Encoded,
    Role,
    Tokens,
    Vectors,
    load_tokenizer,
    normalised,
    read_compatibly,
    starts_of,
)
from ragkit.encoding.multi_vector_design import TASKS, MultiVectorDesign, find_design
from ragkit.encoding.sentence_transformer import (
    BATCH,
    SentenceTransformerEncoder,
    model_loading,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["MultiVectorReference", "scored_tokens", "to_multi_vector"]


def scored_tokens(encoding: Tokens, silent: frozenset[int]) -> list[int]:
    """Return the tokens of a text that are matched: all but the silent ones.

    Where that would leave none, as of a text of punctuation alone, only special ones are left out.
    """
    ids, special = encoding.ids, encoding.special_tokens_mask
    scored = [i for i in range(len(ids)) if ids[i] not in silent]
    return scored or [i for i in range(len(ids)) if not special[i]]


def to_multi_vector(
    states: Vectors, text: str, encoding: Tokens, *, silent: frozenset[int], prompt: str
) -> Encoded:
    """Turn what a model computed for one text into an ``Encoded``.

    Args:
        states: ``(t, d)``, the projected vectors of any norm of all tokens, and of the mask tokens
            after them.
        text: the text, with its prompt.
        encoding: the tokens of the text.
        silent: the ids of the tokens that are left out.
        prompt: what the text begins with. Its tokens start at -1, like special tokens.

    """
    scored = scored_tokens(encoding, silent)
    starts = starts_of(text, encoding, scored)
    is_special = np.asarray(encoding.special_tokens_mask, dtype=bool)[scored]
    starts[is_special | (starts < len(prompt))] = -1
    masks = range(len(encoding.ids), len(states))
    tokens = normalised(states[[*scored, *masks]])
    starts = np.concatenate([starts, np.full(len(masks), -1)])
    return Encoded(normalised(tokens.sum(axis=0)), tokens, starts)


class MultiVectorReference(SentenceTransformerEncoder):
    """Encode with sentence-transformers' own ``MultiVectorEncoder``, as its base class does."""

    readings = 1

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self._design.dimension

    @property
    def _longest(self) -> int:
        return min(super()._longest, self._design.length or super()._longest)

    def _encode_batch(
        self, role: Role, texts: Sequence[str], encodings: Sequence[Tokens]
    ) -> list[Encoded]:
        silent = self._design.silent_ids(self._tokenizer, role)
        prompt = self._fingerprint.prompts.of(role)
        with self._lock:
            states = self._states(role, texts)
        lengths = [max(len(one.ids), self._filled(role)) for one in encodings]
        return [
            to_multi_vector(own[:length], text, encoding, silent=silent, prompt=prompt)
            for own, length, text, encoding in zip(states, lengths, texts, encodings, strict=True)
        ]

    def _states(self, role: Role, texts: Sequence[str]) -> list[Vectors]:
        """The projected states of each text, with those of padding after them."""
        import torch
        from sentence_transformers.util import batch_to_device

        outputs: list[Vectors] = []
        modules = [self._model[i] for i in range(1 + len(self._design.projections))]
        with torch.inference_mode():
            for first in range(0, len(texts), BATCH):
                batch = list(texts[first : first + BATCH])
                features = self._model.preprocess(batch, task=TASKS[role])
                features = batch_to_device(features, self._model.device)
                for module in modules:
                    features = module(features)
                outputs += list(features["token_embeddings"].float().cpu().numpy())
        return outputs

    def _filled(self, role: Role) -> int:
        """Least tokens of a text in this role, with mask tokens."""
        expansion = self._design.expansion
        return expansion.length if expansion is not None and role == "question" else 0

    @cached_property
    def _design(self) -> MultiVectorDesign:
        design = find_design(self._directory)
        assert design is not None  # noqa: S101
        return design

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = load_tokenizer(self._directory / "tokenizer.json")
        self._design.register_markers(tokenizer)
        return tokenizer

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
            _never_cut(model[0])
            return model


def _never_cut(transformer: Any) -> None:
    """Let a model read questions and passages over its own lengths; they are cut into windows."""
    transformer.query_length = transformer.document_length = None
    if transformer.query_expansion is not None:
        transformer.query_expansion = {**transformer.query_expansion, "strategy": "min"}
