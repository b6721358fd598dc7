"""Token vectors for late interaction (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832).

A model that was trained for late interaction reads each chunk once. Any other one reads it twice:
as a whole, and each of its sentences alone, always with title and heading path in front. A chunk's
token vectors are kept in *runs*, in this order:

- the *context*: the title and heading tokens in front of the whole chunk;
- for each sentence, its tokens as encoded *within* the chunk, then, with two readings, as encoded
  *alone*.

``token_quantizer`` says how they are quantized. Where a token begins is stored as a place in the
document; in a compact index, from the beginning of the chunk in 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.storage.arrays import Integers, Table, offsets_of, take_runs
from ragkit.storage.tables import TableWriter

__all__ = [
    "QuantizedTokens",
    "TokenLayout",
    "TokenRows",
    "TokenVectors",
    "TokenVectorsBuilder",
]

_NOWHERE = (1 << 16) - 1
"""In a compact index, where a token begins that is in no sentence, or too far from its chunk's
beginning for 16 bits."""


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
        if not quantizer.compact:
            writer.append("token_scales.npy", np.zeros(0, np.float32))
        writer.append("token_starts.npy", np.zeros(0, np.uint16 if quantizer.compact else np.int32))
        writer.append("segments.npy", np.zeros(1, dtype=np.int64))

    def add(self, chunks: Sequence[QuantizedTokens], places: Sequence[int]) -> None:
        """Append the next chunks.

        Args:
            places: where in its document each chunk begins.

        """
        quantized = [self._quantizer.quantize(c.codes, c.scales) for c in chunks]
        compact = self._quantizer.compact
        starts = [
            _relative_starts(c.starts) if compact else _absolute_starts(c.starts, place)
            for c, place in zip(chunks, places, strict=True)
        ]
        ends = self._end + np.cumsum(np.concatenate([c.lengths for c in chunks]))
        self._end = int(ends[-1])
        codes, scales = zip(*quantized, strict=True)
        self._writer.append("tokens.npy", np.concatenate(codes))
        if not compact:
            self._writer.append("token_scales.npy", np.concatenate(scales))
        self._writer.append("token_starts.npy", np.concatenate(starts))
        self._writer.append("segments.npy", ends)


class TokenVectors:
    """The token vectors of all chunks, one row a token, and the offsets of their runs."""

    @staticmethod
    def names(quantizer: TokenQuantizer) -> tuple[str, ...]:
        """Return the names of the tables that ``TokenVectorsBuilder`` writes."""
        scales = () if quantizer.compact else ("token_scales.npy",)
        return ("tokens.npy", *scales, "token_starts.npy", "segments.npy")

    def __init__(
        self,
        tables: Mapping[str, Table],
        quantizer: TokenQuantizer,
        first_sentences: Table,
        sentences: Table,
        readings: int,
    ) -> None:
        """Args:
        tables: what ``TokenVectorsBuilder`` wrote.
        first_sentences: ``(n + 1,)``, offsets: the first sentence of each chunk.
        sentences: ``(m, 2)``, where in its document each sentence starts and ends.
        readings: how often the model read each chunk.

        """
        self.quantizer = quantizer
        self.readings = readings
        self._codes, self._scales = tables["tokens.npy"], tables.get("token_scales.npy")
        self._starts, self._run_offsets = tables["token_starts.npy"], tables["segments.npy"]
        self._first, self._sentences = first_sentences, sentences

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
        begins, stops = offsets[ends - (layout.runs + 1)], offsets[ends - 1]
        codes, starts = take_runs([self._codes, self._starts], begins, stops)
        if self._scales is None:
            scales = self.quantizer.scales_of(codes)
            places = np.repeat(self._sentences[firsts][:, 0], stops - begins)
            starts = _absolute_starts(
                np.where(starts == _NOWHERE, -1, starts.astype(np.int64)), places
            )
        else:
            [scales] = take_runs([self._scales], begins, stops)
        return TokenRows(self.quantizer, codes, scales, starts, lengths, layout)

    def chunk(self, chunk: int, place: int) -> QuantizedTokens:
        """Return the tokens of the chunk with that number, which begins at ``place``."""
        rows = self.rows(np.asarray([chunk]))
        starts = np.where(rows.starts < 0, -1, rows.starts.astype(np.int64) - place)
        return QuantizedTokens(rows.codes, rows.scales, starts, rows.lengths)

    def decoded(self, rows: slice | Integers) -> Vectors:
        """Return some tokens as float32, rotated as the quantizer rotates them."""
        codes = self._codes[rows]
        scales = self.quantizer.scales_of(codes) if self._scales is None else self._scales[rows]
        vectors: Vectors = self.quantizer.decode(codes) * scales[:, None]
        return vectors


def _absolute_starts(starts: Integers, places: Integers | int) -> NDArray[np.int32]:
    """Starts in the document of tokens of chunks that begin at ``places``; -1 for none."""
    return np.where(starts < 0, -1, starts.astype(np.int64) + places).astype(np.int32)


def _relative_starts(starts: Integers) -> NDArray[np.uint16]:
    """Starts from the beginning of the chunk, as a compact index stores them."""
    return np.where((starts < 0) | (starts >= _NOWHERE), _NOWHERE, starts).astype(np.uint16)
