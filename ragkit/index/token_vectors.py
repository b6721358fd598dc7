"""Token vectors for late interaction (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832).

A model that was trained for late interaction reads each chunk once. Any other one reads it twice:
as a whole, and each of its sentences alone, always with title and heading path in front. A chunk's
token vectors are kept in *runs*, in this order:

- the *context*: the title and heading tokens in front of the whole chunk;
- for each sentence, its tokens as encoded *within* the chunk, then, with two readings, as encoded
  *alone*.

Vectors are quantized to 8 bits a component, which changed no ranking measure on the seed and on
XQuAD against float32; in large indexes to 4 or 2 bits after a random rotation. Every component is
then roughly normally distributed, whatever the model, so one quantizer made for that distribution
(Max 1960, uniform steps) serves every corpus without training: the idea of RaBitQ (Gao & Long 2024,
arXiv:2405.12497) and TurboQuant (Zandieh et al. 2025, arXiv:2504.19874). A code depends on its
vector alone, so an updated index equals a fresh one. The stored scale makes the product of a code
with its own vector exact, and products with other vectors right on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.storage.arrays import Integers, Table, matmul, offsets_of, take_runs
from ragkit.storage.tables import TableWriter

__all__ = [
    "QuantizedTokens",
    "TokenLayout",
    "TokenQuantizer",
    "TokenRows",
    "TokenVectors",
    "TokenVectorsBuilder",
]


_STEP = {4: 0.3352, 2: 0.9957}
"""The best step of 2ᵇ uniform levels for a standard normal distribution (Max 1960, table II)."""

_SEED = 1
_BLOCK = 1 << 14
_CACHED = 1 << 17
"""Number of floats that stay in a processor's cache between being made and being used."""


@dataclass(frozen=True, slots=True)
class TokenQuantizer:
    """Quantizes vectors of ``dimension`` components to ``bits`` (8, 4 or 2) a component.

    With 4 and 2 bits, byte i of a code holds the components i, i + width, …: the first in its
    highest bits. Level k of 2ᵇ stands for k − (2ᵇ − 1)/2.
    """

    bits: int
    dimension: int

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
            first, last = place * self.width, min(self.dimension, (place + 1) * self.width)
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
        # The scale makes a vector's product with its own code its squared norm.
        product = np.einsum("ij,ij->i", levels - np.float32(most / 2), rotated)
        scales = norms[:, 0] ** 2 / np.maximum(product, 1e-9)
        return self._pack(levels.astype(np.uint8)), scales.astype(np.float32)

    def _pack(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        share = 8 // self.bits
        filled = np.zeros((len(levels), self.width * share), np.uint8)
        filled[:, : self.dimension] = levels
        packed = np.zeros((len(levels), self.width), np.uint8)
        for place in range(share):
            part = filled[:, place * self.width : (place + 1) * self.width]
            packed |= part << np.uint8(8 - self.bits * (place + 1))
        return packed


class TokenLayout:
    """Where the runs of some chunks are: with s sentences and r readings ``1 + r s`` of them.

    With one reading, a sentence's run within the chunk is its run alone as well.

    Attributes:
        sentences: ``(n,)``, number of sentences of each chunk.
        readings: how often the model read each chunk, 1 or 2.
        runs: ``(n,)``, number of runs of each chunk.
        first_run: ``(n + 1,)``, offsets: the first run of each chunk, which is its context.

    """

    CONTEXT = 0
    """Run of the context, counted from a chunk's first run."""

    def __init__(self, sentences: Integers, readings: int) -> None:
        self.sentences = sentences
        self.readings = readings
        self.runs = 1 + readings * sentences
        self.first_run = offsets_of(self.runs)

    @classmethod
    def of_runs(cls, runs: Integers, readings: int) -> TokenLayout:
        """Return the layout of chunks with that many runs each."""
        return cls((runs - 1) // readings, readings)

    @staticmethod
    def first_runs(chunks: Integers, first_sentences: Integers, readings: int) -> Integers:
        """Return the first run of chunks in a table of all chunks.

        Args:
            chunks: numbers of the chunks; the number of chunks stands for the end of the table.
            first_sentences: for each, the number of sentences of all chunks before it.
            readings: how often the model read each chunk.

        """
        return chunks + readings * first_sentences

    @staticmethod
    def alone(readings: int) -> slice:
        """Return the runs of the sentences alone, counted from a chunk's first run."""
        return slice(readings, None, readings)

    def chunk_of_run(self) -> Integers:
        """Return for each run the position of its chunk."""
        return np.repeat(np.arange(len(self.runs)), self.runs)

    def is_within(self) -> NDArray[np.bool_]:
        """Return for each run whether it is a sentence within its chunk."""
        position = np.arange(self.first_run[-1]) - self.first_run[:-1][self.chunk_of_run()]
        within: NDArray[np.bool_] = (position > 0) & ((position - 1) % self.readings == 0)
        return within

    def is_matched(self) -> NDArray[np.bool_]:
        """Return for each run whether the question's words are matched in it."""
        return ~self.is_within() if self.readings == 2 else np.ones(self.first_run[-1], np.bool_)

    def sentence_runs(self) -> tuple[Integers, Integers]:
        """Return for each sentence the position of its chunk, and its run within that chunk.

        The sentence's run alone is ``readings - 1`` after it.
        """
        chunk = np.repeat(np.arange(len(self.sentences)), self.sentences)
        number = np.arange(len(chunk)) - offsets_of(self.sentences)[:-1][chunk]
        return chunk, 1 + self.first_run[chunk] + self.readings * number


@dataclass(frozen=True, slots=True)
class TokenRows:
    """The quantized token vectors of some chunks.

    Attributes:
        quantizer: what the codes mean.
        codes: ``(t, width)``, one row a token.
        scales: ``(t,)``, the factor that makes each decoded row a unit vector.
        starts: ``(t,)``, where in its document each token of a sentence begins (with two
            readings: as encoded alone); -1 for the others.
        lengths: number of tokens of each run, chunk by chunk.
        layout: which runs there are.

    """

    quantizer: TokenQuantizer
    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int32]
    lengths: Integers
    layout: TokenLayout

    def similarities(self, queries: Vectors) -> Vectors:
        """Return ``(t, q)``: the cosine of each token with each of ``(q, d)`` query vectors."""
        cosines = self.quantizer.products(self.codes, queries)
        cosines *= self.scales[:, None]
        return cosines


class QuantizedTokens(NamedTuple):
    """The token vectors of one chunk, independent of where the chunk stands.

    Attributes:
        codes: ``(t, d)`` int8 before the index is assembled, then as the index stores them.
        scales: ``(t,)``, the factor that makes each decoded row a unit vector.
        starts: where each token of a sentence begins, from the beginning of the chunk (with two
            readings: as encoded alone); -1 for the others.
        lengths: number of tokens of each run.

    """

    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int64]
    lengths: Integers


class TokenVectorsBuilder:
    """Writes the token vectors of all chunks, in the order of the corpus."""

    def __init__(self, writer: TableWriter, quantizer: TokenQuantizer) -> None:
        self._writer = writer
        self._quantizer = quantizer
        self._end = 0
        writer.append("tokens.npy", np.zeros((0, quantizer.width), quantizer.dtype))
        writer.append("token_scales.npy", np.zeros(0, np.float32))
        writer.append("token_starts.npy", np.zeros(0, np.int32))
        writer.append("segments.npy", np.zeros(1, dtype=np.int64))

    def add(self, chunks: Sequence[QuantizedTokens], places: Sequence[int]) -> None:
        """Append the next chunks.

        Args:
            places: where in its document each chunk begins.

        """
        quantized = [self._quantizer.quantize(c.codes, c.scales) for c in chunks]
        starts = [
            np.where(c.starts < 0, -1, c.starts + place).astype(np.int32)
            for c, place in zip(chunks, places, strict=True)
        ]
        ends = self._end + np.cumsum(np.concatenate([c.lengths for c in chunks]))
        self._end = int(ends[-1])
        codes, scales = zip(*quantized, strict=True)
        self._writer.append("tokens.npy", np.concatenate(codes))
        self._writer.append("token_scales.npy", np.concatenate(scales))
        self._writer.append("token_starts.npy", np.concatenate(starts))
        self._writer.append("segments.npy", ends)


class TokenVectors:
    """The token vectors of all chunks, one row a token, and the offsets of their runs."""

    NAMES = ("tokens.npy", "token_scales.npy", "token_starts.npy", "segments.npy")

    def __init__(
        self,
        tables: Mapping[str, Table],
        quantizer: TokenQuantizer,
        first_sentences: Table,
        readings: int,
    ) -> None:
        """Args:
        tables: what ``TokenVectorsBuilder`` wrote.
        first_sentences: ``(n + 1,)``, offsets: the first sentence of each chunk.
        readings: how often the model read each chunk.

        """
        self.quantizer = quantizer
        self.readings = readings
        self._codes, self._scales = tables["tokens.npy"], tables["token_scales.npy"]
        self._starts, self._run_offsets = tables["token_starts.npy"], tables["segments.npy"]
        self._first = first_sentences

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self._codes)

    def rows(self, chunks: Integers) -> TokenRows:
        """Return all tokens of ``chunks``, concatenated."""
        firsts, lasts = self._first[chunks], self._first[chunks + 1]
        first = TokenLayout.first_runs(chunks, firsts, self.readings)
        layout = TokenLayout(lasts - firsts, self.readings)
        # Each chunk's offsets include its end, which is dropped once the lengths are taken.
        [offsets] = take_runs([self._run_offsets], first, first + layout.runs + 1)
        ends = np.cumsum(layout.runs + 1)
        lengths = np.delete(np.diff(offsets), ends[:-1] - 1)
        codes, scales, starts = take_runs(
            [self._codes, self._scales, self._starts],
            offsets[ends - (layout.runs + 1)],
            offsets[ends - 1],
        )
        return TokenRows(self.quantizer, codes, scales, starts, lengths, layout)

    def chunk(self, chunk: int, place: int) -> QuantizedTokens:
        """Return the tokens of the chunk with that number, which begins at ``place``."""
        rows = self.rows(np.asarray([chunk]))
        starts = np.where(rows.starts < 0, -1, rows.starts.astype(np.int64) - place)
        return QuantizedTokens(rows.codes, rows.scales, starts, rows.lengths)

    def decoded(self, rows: slice | Integers) -> Vectors:
        """Return some tokens as float32, rotated as the quantizer rotates them."""
        vectors: Vectors = self.quantizer.decode(self._codes[rows]) * self._scales[rows][:, None]
        return vectors


@lru_cache
def _rotation(dimension: int) -> Vectors:
    """A ``(d, d)`` orthogonal matrix, the same on every machine, since stored codes depend on it.

    Signs, then a Hadamard transform, twice, would be faster where d is a power of two; few are.
    """
    normal = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((dimension, dimension))
    return np.ascontiguousarray(np.linalg.qr(normal)[0], dtype=np.float32)
