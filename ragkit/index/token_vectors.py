"""Token vectors for late interaction (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832).

The model encodes each chunk twice: as a whole, and each of its sentences alone, always with title
and heading path in front. A chunk's token vectors are kept in *runs*, in this order:

- the *context*: the title and heading tokens in front of the whole chunk;
- for each sentence, its tokens as encoded *within* the chunk, then as encoded *alone*.

Vectors are quantized to 8 bits a component, which changed no ranking measure on the seed and on
XQuAD against float32; or to fewer in large indexes (``quantization``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Vectors
from ragkit.index.quantization import TokenQuantizer
from ragkit.storage.arrays import Integers, Table, offsets_of, take_runs
from ragkit.storage.tables import TableWriter
from ragkit.text.spans import Span

__all__ = [
    "EncodedChunk",
    "QuantizedTokens",
    "TokenLayout",
    "TokenRows",
    "TokenVectors",
    "TokenVectorsBuilder",
    "encoded_chunks",
]


class TokenLayout:
    """Where the runs of some chunks are: a chunk with s sentences has ``1 + 2 s`` of them.

    Attributes:
        sentences: ``(n,)``, number of sentences of each chunk.
        runs: ``(n,)``, number of runs of each chunk.
        first_run: ``(n + 1,)``, offsets: the first run of each chunk, which is its context.

    """

    CONTEXT = 0
    """Run of the context, counted from a chunk's first run."""
    WITHIN = slice(1, None, 2)
    """Runs of the sentences within the chunk, counted from a chunk's first run."""
    ALONE = slice(2, None, 2)
    """Runs of the sentences alone, counted from a chunk's first run."""

    def __init__(self, sentences: Integers) -> None:
        self.sentences = sentences
        self.runs = 1 + 2 * sentences
        self.first_run = offsets_of(self.runs)

    @classmethod
    def of_runs(cls, runs: Integers) -> TokenLayout:
        """Return the layout of chunks with that many runs each."""
        return cls(runs // 2)

    @staticmethod
    def first_runs(chunks: Integers, first_sentences: Integers) -> Integers:
        """Return the first run of chunks in a table of all chunks.

        Args:
            chunks: numbers of the chunks; the number of chunks stands for the end of the table.
            first_sentences: for each, the number of sentences of all chunks before it.

        """
        return chunks + 2 * first_sentences

    def chunk_of_run(self) -> Integers:
        """Return for each run the position of its chunk."""
        return np.repeat(np.arange(len(self.runs)), self.runs)

    def is_within(self) -> NDArray[np.bool_]:
        """Return for each run whether it is a sentence within its chunk."""
        position = np.arange(self.first_run[-1]) - self.first_run[:-1][self.chunk_of_run()]
        within: NDArray[np.bool_] = position % 2 == 1
        return within

    def sentence_runs(self) -> tuple[Integers, Integers]:
        """Return for each sentence the position of its chunk, and its run within that chunk.

        The sentence's run alone is the one after it.
        """
        chunk = np.repeat(np.arange(len(self.sentences)), self.sentences)
        number = np.arange(len(chunk)) - offsets_of(self.sentences)[:-1][chunk]
        return chunk, 1 + self.first_run[chunk] + 2 * number


@dataclass(frozen=True, slots=True)
class TokenRows:
    """The quantized token vectors of some chunks.

    Attributes:
        quantizer: what the codes mean.
        codes: ``(t, width)``, one row a token.
        scales: ``(t,)``, the factor that makes each decoded row a unit vector.
        starts: ``(t,)``, where in its document each token of a sentence alone begins; -1 for the
            others.
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
        starts: where each token of a sentence alone begins, from the beginning of the chunk; -1 for
            the others.
        lengths: number of tokens of each run.

    """

    codes: NDArray[Any]
    scales: NDArray[np.float32]
    starts: NDArray[np.int64]
    lengths: Integers


class EncodedChunk(NamedTuple):
    """What a model makes of a chunk: one ``(d,)`` vector, and its token vectors."""

    vector: Vectors
    tokens: QuantizedTokens


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
        self._writer.append("tokens.npy", np.concatenate([codes for codes, _ in quantized]))
        self._writer.append("token_scales.npy", np.concatenate([scale for _, scale in quantized]))
        self._writer.append("token_starts.npy", np.concatenate(starts))
        self._writer.append("segments.npy", ends)


class TokenVectors:
    """The token vectors of all chunks, one row a token, and the offsets of their runs."""

    NAMES = ("tokens.npy", "token_scales.npy", "token_starts.npy", "segments.npy")

    def __init__(
        self, tables: Mapping[str, Table], quantizer: TokenQuantizer, first_sentences: Table
    ) -> None:
        """Args:
        tables: what ``TokenVectorsBuilder`` wrote.
        first_sentences: ``(n + 1,)``, offsets: the first sentence of each chunk.

        """
        self.quantizer = quantizer
        self._codes, self._scales = tables["tokens.npy"], tables["token_scales.npy"]
        self._starts, self._run_offsets = tables["token_starts.npy"], tables["segments.npy"]
        self._first = first_sentences

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self._codes)

    def rows(self, chunks: Integers) -> TokenRows:
        """Return all tokens of ``chunks``, concatenated."""
        firsts, lasts = self._first[chunks], self._first[chunks + 1]
        first = TokenLayout.first_runs(chunks, firsts)
        layout = TokenLayout(lasts - firsts)
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


def encoded_chunks(
    chunks: Sequence[tuple[Encoded, Sequence[Encoded], int, Sequence[Span]]],
) -> list[EncodedChunk]:
    """Sort the tokens of chunks into runs and quantize them to int8.

    Args:
        chunks: for each the whole chunk as the model encodes it; each of its sentences alone; the
            number of code points of title and headings in front of each of these texts; and the
            sentences' spans, counted from the beginning of the chunk.

    """
    return [_encoded_chunk(*chunk) for chunk in chunks]


def _encoded_chunk(
    whole: Encoded, alone: Sequence[Encoded], context: int, sentences: Sequence[Span]
) -> EncodedChunk:
    place = whole.starts - context
    runs: list[Vectors] = [whole.tokens[whole.starts < context]]
    starts: list[Integers] = [np.full(len(runs[0]), -1)]
    for sentence, encoded in zip(sentences, alone, strict=True):
        within = whole.tokens[(place >= sentence.start) & (place < sentence.end)]
        own = encoded.starts >= context
        runs += [within, encoded.tokens[own]]
        starts += [np.full(len(within), -1), encoded.starts[own] - context + sentence.start]
    vectors = np.concatenate(runs)
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-9) / np.float32(127)
    tokens = QuantizedTokens(
        np.rint(vectors / scales[:, None]).astype(np.int8),
        scales.astype(np.float32),
        np.concatenate(starts),
        np.asarray([len(run) for run in runs], dtype=np.int64),
    )
    return EncodedChunk(whole.vector, tokens)
