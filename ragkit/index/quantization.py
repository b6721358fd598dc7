"""How token vectors are kept: with 8 bits a component, or rotated and with 4 or 2.

Of a vector rotated at random every component is about normally distributed, whatever the model, so
one quantiser made for that distribution (Max 1960, uniform steps) serves all without being trained:
the idea of RaBitQ (Gao & Long 2024, arXiv:2405.12497) and TurboQuant (Zandieh et al. 2025,
arXiv:2504.19874). A code then depends on its vector alone, so an updated index equals a fresh one.
The scale kept with it makes its product with its own vector right, and so that with others right
on average.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.storage.linalg import product

__all__ = ["TokenCode"]

_STEP = {4: 0.3352, 2: 0.9957}
"""The best distance of 2ᵇ even levels for a standard normal distribution (Max 1960, table II)."""

_SEED = 1
_BLOCK = 1 << 14
_CACHED = 1 << 17
"""So many floats stay in a processor's cache between being made and being used."""


@dataclass(frozen=True, slots=True)
class TokenCode:
    """``bits`` a component (8, 4 or 2) of vectors of ``dimension`` components.

    With 4 and 2, byte i of a code holds the components i, i + width, …: the first in its highest
    bits. Level k of 2ᵇ stands for k − (2ᵇ − 1)/2.
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

    def products(self, codes: NDArray[Any], queries: Vectors) -> Vectors:
        """``(n, t)``: times the scales, the product of each coded vector with each query."""
        columns = np.ascontiguousarray(self.turned(queries).T)
        found = np.zeros((len(codes), len(queries)), np.float32)
        step = max(1, _CACHED // self.width)
        for start in range(0, len(codes), step):
            for part, rows in self._parts(codes[start : start + step]):
                found[start : start + step] += product(part, columns[rows])
        found -= np.float32(self._middle) * columns.sum(axis=0)
        return found

    def turned(self, vectors: Vectors) -> Vectors:
        """``(t, d)`` vectors as ``decoded`` has them."""
        return vectors if self.bits == 8 else vectors @ _rotation(self.dimension)

    def decoded(self, codes: NDArray[Any]) -> Vectors:
        """``(t, d)``: times the scales, they are the vectors, turned."""
        parts = [part for part, _ in self._parts(codes)]
        found: Vectors = np.concatenate(parts, axis=1) - np.float32(self._middle)
        return found

    @property
    def _middle(self) -> float:
        return 0.0 if self.bits == 8 else ((1 << self.bits) - 1) / 2

    def _parts(self, codes: NDArray[Any]) -> Iterator[tuple[Vectors, slice]]:
        """The levels as floats, and which components each part of them has."""
        if self.bits == 8:
            yield codes.astype(np.float32), slice(0, self.dimension)
            return
        for place in range(8 // self.bits):
            first, last = place * self.width, min(self.dimension, (place + 1) * self.width)
            levels = (codes >> np.uint8(8 - self.bits * (place + 1))) & np.uint8(
                (1 << self.bits) - 1
            )
            yield levels[:, : last - first].astype(np.float32), slice(first, last)

    def turned_back(self, vectors: Vectors) -> Vectors:
        """What ``turned`` turned, as it was."""
        return vectors if self.bits == 8 else vectors @ _rotation(self.dimension).T

    def _rotated(self, vectors: Vectors) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        turned = vectors @ _rotation(self.dimension)
        norms = np.linalg.norm(turned, axis=1, keepdims=True)
        most = (1 << self.bits) - 1
        steps = turned * np.float32(self.dimension**0.5 / _STEP[self.bits])
        steps /= np.maximum(norms, 1e-9)
        chosen = np.clip(np.rint(steps + most / 2), 0, most)
        # So that a vector's product with its own code is its squared norm.
        product = np.einsum("ij,ij->i", chosen - np.float32(most / 2), turned)
        scales = norms[:, 0] ** 2 / np.maximum(product, 1e-9)
        return self._packed(chosen.astype(np.uint8)), scales.astype(np.float32)

    def _packed(self, chosen: NDArray[np.uint8]) -> NDArray[np.uint8]:
        share = 8 // self.bits
        filled = np.zeros((len(chosen), self.width * share), np.uint8)
        filled[:, : self.dimension] = chosen
        packed = np.zeros((len(chosen), self.width), np.uint8)
        for place in range(share):
            part = filled[:, place * self.width : (place + 1) * self.width]
            packed |= part << np.uint8(8 - self.bits * (place + 1))
        return packed


@lru_cache
def _rotation(dimension: int) -> Vectors:
    """``(d, d)``, orthogonal: the same on every machine, as codes that are kept depend on it.

    Signs, then a Hadamard transform, twice, would be faster where d is a power of two; few are.
    """
    normal = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((dimension, dimension))
    return np.ascontiguousarray(np.linalg.qr(normal)[0], dtype=np.float32)
