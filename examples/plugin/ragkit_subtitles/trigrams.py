"""An encoder without a model: a word is the sum of the vectors that its trigrams are hashed to.

Good for nothing but to show the interface: words are alike if they share letters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragkit import Encoder, Prompts
from ragkit.encoding import Encoded, Fingerprint, Role, Runtime

__all__ = ["load"]

_DIMENSION = 64
_WORD = re.compile(r"\w+")


def load(
    name: str,
    *,
    runtime: Runtime | None = None,  # noqa: ARG001 - part of the interface
    prompts: Prompts | None = None,  # noqa: ARG001
) -> Encoder:
    """Return the encoder; it has one runtime and no prompts."""
    return _Trigrams(name)


class _Trigrams:
    dimension = _DIMENSION
    window = 10_000
    readings = 1
    runtime = "numpy"

    def __init__(self, name: str) -> None:
        # Raise the version whenever other vectors are computed: indexes are bound to it.
        self.fingerprint = Fingerprint(name, name, {"version": "1"})

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role = "passage",  # noqa: ARG002 - part of the interface
    ) -> list[Encoded]:
        return [self._encode(text) for text in texts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) for text in texts]

    def _encode(self, text: str) -> Encoded:
        words = list(_WORD.finditer(text))
        vectors = [_vector(word[0].casefold()) for word in words]
        tokens = np.array(vectors, np.float32).reshape(-1, _DIMENSION)
        starts = np.array([word.start() for word in words], np.int64)
        whole = tokens.sum(axis=0) if words else _vector("")
        return Encoded(_unit(whole), tokens, starts)


def _vector(word: str) -> NDArray[np.float32]:
    padded = f"^{word}$"
    trigrams = [padded[at : at + 3] for at in range(max(1, len(padded) - 2))]
    return _unit(np.sum([_hashed(trigram) for trigram in trigrams], axis=0))


def _hashed(trigram: str) -> NDArray[np.float32]:
    digest = hashlib.shake_128(trigram.encode()).digest(_DIMENSION)
    return np.frombuffer(digest, np.int8).astype(np.float32)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit
