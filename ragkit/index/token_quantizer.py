"""Token vectors in few bits: a random rotation, then fixed levels.

Vectors are quantized to 8 bits a component, which changed no ranking measure on the seed and on
XQuAD against float32; in large indexes to 4 or 2 bits after a random rotation. Every component is
then roughly normally distributed, whatever the model, so one quantizer made for that distribution
(Max 1960, uniform steps) serves every corpus without training: the idea of RaBitQ (Gao & Long 2024,
arXiv:2405.12497) and TurboQuant (Zandieh et al. 2025, arXiv:2504.19874). A code depends on its
vector alone, so an updated index equals a fresh one. The stored scale makes the product of a code
with its own vector exact, and products with other vectors right on average.

A compact index stores no scales: a decoded vector's length is computed from its code, and the
average of its cosine with the vector is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.storage.arrays import matmul

__all__ = ["TokenQuantizer"]

_STEP = {4: 0.3352, 2: 0.9957}
"""The best step of 2ᵇ uniform levels for a standard normal distribution (Max 1960, table II)."""

_COSINE = {4: 0.9942, 2: 0.9387}
"""The cosine of a normally distributed vector with its code: √(1 − the error of that table)."""

_SEED = 1
_BLOCK = 1 << 14
_CACHED = 1 << 17
"""Number of floats that stay in a processor's cache between being made and being used."""


@dataclass(frozen=True, slots=True)
class TokenQuantizer:
    """Quantizes vectors of ``dimension`` components to ``bits`` (8, 4 or 2) a component.

    With 4 and 2 bits, byte i of a code holds the components i, i + width, …: the first in its
    highest bits. Level k of 2ᵇ stands for k − (2ᵇ − 1)/2.

    Attributes:
        bits: of a component.
        dimension: number of components.
        compact: whether the scales follow from the codes, of 2 or 4 bits, instead of being stored.

    """

    bits: int
    dimension: int
    compact: bool = False

    @property
    def width(self) -> int:
        """Number of bytes of a vector's code."""
        return -(-self.dimension * self.bits // 8)

    @property
    def dtype(self) -> type[Any]:
        """Type of a code's elements."""
        return np.int8 if self.bits == 8 else np.uint8

    def quantize(
        self, codes: NDArray[Any], scales: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the codes and scales of vectors given with 8 bits, ``(t, d)`` and ``(t,)``.

        Codes that have this quantizer's type already are returned as they are.
        """
        if codes.dtype == self.dtype:
            return codes, scales
        parts = [
            self._rotate_and_pack(codes[a : a + _BLOCK] * scales[a : a + _BLOCK, None])
            for a in range(0, len(codes), _BLOCK)
        ]
        nothing = (np.zeros((0, self.width), np.uint8), np.zeros(0, np.float32))
        packed, scaled = zip(nothing, *parts, strict=True)
        return np.concatenate(packed), np.concatenate(scaled)

    def scales_of(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(t,)``: scales for products that are right on average, from the codes alone."""
        shifts = np.arange(8 - self.bits, -1, -self.bits)
        levels = (np.arange(256)[:, None] >> shifts) & ((1 << self.bits) - 1)
        squares = ((levels - self._middle) ** 2).sum(axis=1)
        unused = self.width * len(shifts) - self.dimension
        lengths = squares[codes].sum(axis=1) - unused * self._middle**2
        scales: NDArray[np.float32] = (1 / (_COSINE[self.bits] * np.sqrt(lengths))).astype(
            np.float32
        )
        return scales

    def products(self, codes: NDArray[Any], queries: Vectors) -> Vectors:
        """Return ``(n, q)``: the product of each code with each query, before scaling."""
        columns = np.ascontiguousarray(self.rotate(queries).T)
        step = max(1, _CACHED // self.width)
        blocks = [slice(start, start + step) for start in range(0, len(codes), step)]
        if self.bits == 8:
            parts = [matmul(codes[block].astype(np.float32), columns) for block in blocks]
            return np.concatenate([np.zeros((0, len(queries)), np.float32), *parts])
        products = np.zeros((len(codes), len(queries)), np.float32)
        for block in blocks:
            for part, rows in self._parts(codes[block]):
                products[block] += matmul(part, columns[rows])
        products -= np.float32(self._middle) * columns.sum(axis=0)
        return products

    def rotate(self, vectors: Vectors) -> Vectors:
        """Return ``(t, d)`` vectors in the coordinates of ``decode``."""
        return vectors if self.bits == 8 else vectors @ _rotation(self.dimension)

    def rotate_back(self, vectors: Vectors) -> Vectors:
        """Undo ``rotate``."""
        return vectors if self.bits == 8 else vectors @ _rotation(self.dimension).T

    def decode(self, codes: NDArray[Any]) -> Vectors:
        """Return ``(t, d)`` rows that, times their scales, are the rotated vectors."""
        parts = [part for part, _ in self._parts(codes)]
        vectors: Vectors = np.concatenate(parts, axis=1) - np.float32(self._middle)
        return vectors

    @property
    def _middle(self) -> float:
        return 0.0 if self.bits == 8 else ((1 << self.bits) - 1) / 2

    def _parts(self, codes: NDArray[Any]) -> Iterator[tuple[Vectors, slice]]:
        """The levels as floats, in parts, each with the components it has."""
        if self.bits == 8:
            yield codes.astype(np.float32), slice(0, self.dimension)
            return
        for place in range(8 // self.bits):
            first, last = (min(self.dimension, n * self.width) for n in (place, place + 1))
            levels = (codes >> np.uint8(8 - self.bits * (place + 1))) & np.uint8(
                (1 << self.bits) - 1
            )
            yield levels[:, : last - first].astype(np.float32), slice(first, last)

    def _rotate_and_pack(self, vectors: Vectors) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        rotated = vectors @ _rotation(self.dimension)
        norms = np.linalg.norm(rotated, axis=1, keepdims=True)
        most = (1 << self.bits) - 1
        steps = rotated * np.float32(self.dimension**0.5 / _STEP[self.bits])
        steps /= np.maximum(norms, 1e-9)
        levels = np.clip(np.rint(steps + most / 2), 0, most)
        packed = self._pack(levels.astype(np.uint8))
        if self.compact:
            return packed, self.scales_of(packed)
        # The scale makes a vector's product with its own code its squared norm.
        product = np.einsum("ij,ij->i", levels - np.float32(most / 2), rotated)
        scales = norms[:, 0] ** 2 / np.maximum(product, 1e-9)
        return packed, scales.astype(np.float32)

    def _pack(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        share = 8 // self.bits
        filled = np.zeros((len(levels), self.width * share), np.uint8)
        filled[:, : self.dimension] = levels
        packed = np.zeros((len(levels), self.width), np.uint8)
        for place in range(share):
            part = filled[:, place * self.width : (place + 1) * self.width]
            packed |= part << np.uint8(8 - self.bits * (place + 1))
        return packed


@lru_cache
def _rotation(dimension: int) -> Vectors:
    """A ``(d, d)`` orthogonal matrix, the same on every machine, since stored codes depend on it.

    Signs, then a Hadamard transform, twice, would be faster where d is a power of two; few are.
    """
    normal = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((dimension, dimension))
    return np.ascontiguousarray(np.linalg.qr(normal)[0], dtype=np.float32)
