"""How token vectors are kept: with 8 bits a component, or rotated and with 4 or 2.

Of a vector rotated at random every component is about normally distributed, whatever the model, so
one quantiser made for that distribution (Lloyd 1982, Max 1960) serves all without being trained:
the idea of RaBitQ (Gao & Long 2024, arXiv:2405.12497) and TurboQuant (Zandieh et al. 2025,
arXiv:2504.19874). A code then depends on its vector alone, so an updated index equals a fresh one.
The scale kept with it makes its product with its own vector right, and so that with others right
on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors

__all__ = ["TokenCode"]

_LEVELS = {
    4: (0.1284, 0.3881, 0.6568, 0.9424, 1.2562, 1.6181, 2.0690, 2.7326),
    2: (0.4528, 1.5104),
}
"""The positive half of the best 2ᵇ levels for a standard normal distribution (Max 1960)."""

_SEED = 1
_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class TokenCode:
    """``bits`` a component (8, 4 or 2) of vectors of ``dimension`` components.

    With 4 and 2, ``8 / bits`` components share a byte, the first in its highest bits; where the
    dimension is no multiple of that, the last byte is filled up.
    """

    bits: int
    dimension: int

    @property
    def width(self) -> int:
        """How many bytes a vector's code has."""
        return -(-self.dimension * self.bits // 8)

    @property
    def dtype(self) -> type[Any]:
        return np.int8 if self.bits == 8 else np.uint8

    def code(
        self, codes: NDArray[Any], scales: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The codes and scales of vectors given with 8 bits, ``(t, d)`` and ``(t,)``; those that
        are of this code already stay.
        """
        if codes.dtype == self.dtype:
            return codes, scales
        parts = [
            self._rotated(codes[a : a + _BLOCK] * scales[a : a + _BLOCK, None])
            for a in range(0, len(codes), _BLOCK)
        ]
        nothing = (np.zeros((0, self.width), np.uint8), np.zeros(0, np.float32))
        packed, scaled = zip(nothing, *parts, strict=True)
        return np.concatenate(packed), np.concatenate(scaled)

    def queries(self, queries: Vectors) -> Vectors:
        """``(t, d)`` vectors as their products with decoded ones need them: turned likewise."""
        return queries if self.bits == 8 else queries @ _rotation(self.dimension)

    def decoded(self, codes: NDArray[Any]) -> Vectors:
        """``(t, d)``: times the scales, they are the vectors, turned."""
        if self.bits == 8:
            return codes.astype(np.float32)
        table = _table(self.bits)
        found: Vectors = table[codes].reshape(len(codes), -1)[:, : self.dimension]
        return found

    def turned_back(self, vectors: Vectors) -> Vectors:
        """What ``queries`` turned, as it was."""
        return vectors if self.bits == 8 else vectors @ _rotation(self.dimension).T

    def _rotated(self, vectors: Vectors) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        turned = vectors @ _rotation(self.dimension)
        norms = np.linalg.norm(turned, axis=1, keepdims=True)
        levels = _levels(self.bits)
        borders = (levels[1:] + levels[:-1]) / 2
        turned *= np.float32(self.dimension**0.5) / np.maximum(norms, 1e-9)
        chosen = np.searchsorted(borders, turned).astype(np.uint8)
        # So that a vector's product with its own code is its squared norm.
        product = np.einsum("ij,ij->i", levels[chosen], turned)
        scales = norms[:, 0] * np.float32(self.dimension**0.5) / np.maximum(product, 1e-9)
        return self._packed(chosen), scales.astype(np.float32)

    def _packed(self, chosen: NDArray[np.uint8]) -> NDArray[np.uint8]:
        share = 8 // self.bits
        filled = np.zeros((len(chosen), self.width * share), np.uint8)
        filled[:, : self.dimension] = chosen
        packed = np.zeros((len(chosen), self.width), np.uint8)
        for place in range(share):
            packed |= filled[:, place::share] << np.uint8(8 - self.bits * (place + 1))
        return packed


def _levels(bits: int) -> NDArray[np.float32]:
    half = np.asarray(_LEVELS[bits], dtype=np.float32)
    return np.concatenate([-half[::-1], half])


@lru_cache
def _table(bits: int) -> Vectors:
    """``(256, 8 / bits)``: the components that a byte stands for."""
    places = range(8 // bits)
    byte = np.arange(256)
    mask = (1 << bits) - 1
    return np.stack(
        [_levels(bits)[(byte >> (8 - bits * (place + 1))) & mask] for place in places], axis=1
    )


@lru_cache
def _rotation(dimension: int) -> Vectors:
    """``(d, d)``, orthogonal: the same on every machine, as codes that are kept depend on it.

    Signs, then a Hadamard transform, twice, would be faster where d is a power of two; few are.
    """
    normal = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((dimension, dimension))
    return np.ascontiguousarray(np.linalg.qr(normal)[0], dtype=np.float32)
