"""Generate indexes of a million passages from a few thousand real ones.

No corpus of that size comes with this repository, so passages are generated that resemble real ones
in everything that is measured here. Each has the length, sentences and token counts of a real
parent. One in six of the parent's words is replaced by another of the same length, drawn by Zipf's
law from a vocabulary that grows with the corpus (Heaps' law). Its vector is about as far from the
parent's as a real passage from its neighbour. One bit in thirty-two of its quantized tokens is
flipped. Nothing is encoded, so the results of a search mean little; its speed and memory are real.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit import Document, Index
from ragkit.encoding import Vectors
from ragkit.index import LocalData
from ragkit.index.centroids import CentroidRows
from ragkit.index.documents import DocumentsBuilder
from ragkit.index.local import CHUNK_COLUMNS, corpus_record
from ragkit.index.postings import PostingsBuilder
from ragkit.index.publish import draft_folder, publish, write_lock
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import QuantizedTokens, TokenVectorsBuilder
from ragkit.index.vectors import Layout, VectorIndex, choose_layout
from ragkit.indexing import LocalIndex
from ragkit.storage.arrays import offsets_of
from ragkit.storage.checksums import file_records
from ragkit.storage.tables import FolderTables, json_bytes
from ragkit.text.words import words_of
from ragkit.types import Section

__all__ = ["generate"]

_REPLACED = 1 / 6
_OF_A_DOCUMENT = 6
_NOISE = 0.75  # a child's cosine with its parent is then 0.8, as the nearest neighbours' is
_MASKS = 1 << 14
_PARENTS, _TEXT_VARIANTS, _TOKEN_VARIANTS = 512, 256, 16
_QUERIES = 256
_WORD = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True)
class Parent:
    """A real passage, and variants of its tokens and text.

    Attributes:
        sentences: start and end of each, from the beginning of the passage.
        vector: ``(d,)``.
        tokens: variants of its quantized tokens.
        centroid_ids: those of its tokens.
        texts: variants of its text, each with its stems.

    """

    sentences: tuple[tuple[int, int], ...]
    vector: Vectors
    tokens: tuple[QuantizedTokens, ...]
    centroid_ids: CentroidRows
    texts: tuple[tuple[str, frozenset[str]], ...]


def generate(parents: Index, path: Path, chunks: int, *, seed: int = 0) -> None:
    """Publish an index of ``chunks`` passages at ``path``, generated from those of ``parents``."""
    origin = parents._local()
    dimension = origin.data.quantizer.dimension
    layout = choose_layout(chunks, dimension, readings=origin.data.readings)
    rng = np.random.default_rng(seed)
    pool = _pool(origin.data, TokenQuantizer(layout.token_bits, dimension), rng)
    with write_lock(path), draft_folder(path) as folder:
        tables = FolderTables(folder)
        data = _fill(tables, pool, chunks, layout=layout, origin=origin.data, rng=rng)
        generated = replace(origin, data=data, sources=(), published=file_records(folder))
        publish(path, folder, generated.manifest(path))


def _pool(data: LocalData, quantizer: TokenQuantizer, rng: np.random.Generator) -> list[Parent]:
    words, masks = _Words(rng), _masks(rng, quantizer)
    chosen = rng.permutation(len(data))[:_PARENTS].tolist()
    return [
        _parent(data, number, quantizer, words=words, masks=masks, rng=rng) for number in chosen
    ]


def _parent(
    data: LocalData,
    number: int,
    quantizer: TokenQuantizer,
    *,
    words: _Words,
    masks: NDArray[np.uint8],
    rng: np.random.Generator,
) -> Parent:
    chunk, text = data.chunks([number])[0], data.texts([number])[0]
    vector, tokens = data.encoded_chunk(number)
    codes, scales = tokens.codes, tokens.scales
    if quantizer != data.quantizer:
        codes, scales = quantizer.quantize(*_in_eight_bits(data.quantizer, codes, scales))
    places = [match.span() for match in _WORD.finditer(text)]
    stems = frozenset(word.stem for word in words_of(text))
    quantized = tokens._replace(codes=codes, scales=scales)
    return Parent(
        tuple((s.start - chunk.start, s.end - chunk.start) for s in chunk.sentences),
        vector,
        tuple(_flip(quantized, masks, rng) for _ in range(_TOKEN_VARIANTS)),
        data.centroid_ids(np.asarray([number])),
        tuple(_vary(text, places, stems, words, rng=rng) for _ in range(_TEXT_VARIANTS)),
    )


def _in_eight_bits(
    quantizer: TokenQuantizer, codes: NDArray[Any], scales: NDArray[np.float32]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    vectors = quantizer.rotate_back(quantizer.decode(codes) * scales[:, None])
    steps = np.maximum(np.abs(vectors).max(axis=1), 1e-9) / np.float32(127)
    return np.rint(vectors / steps[:, None]).astype(np.int8), steps.astype(np.float32)


def _flip(
    tokens: QuantizedTokens, masks: NDArray[np.uint8], rng: np.random.Generator
) -> QuantizedTokens:
    first = int(rng.integers(0, _MASKS))
    bits = np.take(masks, range(first, first + len(tokens.codes)), 0, mode="wrap")
    flipped = (tokens.codes.view(np.uint8) ^ bits).view(tokens.codes.dtype)
    return tokens._replace(codes=flipped)


class _Words:
    """Draws words of any length by Zipf's law; the more are drawn, the rarer ones occur."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._spell = lru_cache(maxsize=1 << 20)(_spell)

    def draw(self, length: int) -> str:
        return self._spell(min(int(self._rng.zipf(1.25)), 5_000_000), length)


def _spell(rank: int, length: int) -> str:
    letters = random.Random(rank * 64 + length)  # noqa: S311
    return "".join(letters.choices(string.ascii_lowercase, k=length))


def _fill(
    tables: FolderTables,
    pool: list[Parent],
    chunks: int,
    *,
    layout: Layout,
    origin: LocalData,
    rng: np.random.Generator,
) -> LocalData:
    """Write all tables, as ``ragkit.indexing.pipeline`` does."""
    chosen = rng.integers(0, len(pool), chunks)
    _write_texts(tables, [pool[n] for n in chosen], rng)
    quantizer = TokenQuantizer(layout.token_bits, origin.quantizer.dimension)
    places = tables.table("chunks.npy")[:][:, 2].tolist()
    vectors: list[Vectors] = []

    tokens = TokenVectorsBuilder(tables, quantizer)
    variants = rng.integers(0, _TOKEN_VARIANTS, chunks)
    for number, variant, place in zip(chosen, variants, places, strict=True):
        parent = pool[number]
        noise = rng.standard_normal(quantizer.dimension).astype(np.float32)
        noise *= _NOISE / np.linalg.norm(noise)
        vector = (parent.vector + noise) / np.linalg.norm(parent.vector + noise)
        if layout.is_exact:
            vectors.append(vector)
        else:
            tables.append("vectors.npy", vector[None, :])
        tokens.add([parent.tokens[variant]], [place])
    _write_centroid_ids(tables, [pool[n].centroid_ids for n in chosen], origin)
    written = np.asarray(vectors) if layout.is_exact else tables.table("vectors.npy")
    sampled = [written[rng.integers(0, chunks, _QUERIES)] for _ in range(4)]
    queries = sum(sampled[1:], sampled[0])
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    vector_index = VectorIndex.write(tables, layout, written, queries)
    record = corpus_record(
        title=None, properties=set(), languages={}, quantizer=quantizer, readings=origin.readings,
        runtime=str(origin.runtime), settings=vector_index.settings,
    )  # fmt: skip
    tables.append("corpus.json", json_bytes(record))
    return LocalData(tables.finish())


def _masks(rng: np.random.Generator, quantizer: TokenQuantizer) -> NDArray[np.uint8]:
    """Rows of bytes with one bit in thirty-two set; none if a component has 8 bits."""
    if quantizer.bits == 8:
        return np.zeros((_MASKS, quantizer.width), np.uint8)
    parts = rng.integers(0, 256, (5, _MASKS, quantizer.width), dtype=np.uint8)
    masks: NDArray[np.uint8] = np.bitwise_and.reduce(parts, axis=0)
    return masks


def _write_texts(tables: FolderTables, parents: list[Parent], rng: np.random.Generator) -> None:
    """Write documents of six passages each, their chunks, sentences and postings."""
    documents, postings = DocumentsBuilder(tables), PostingsBuilder()
    tables.append("chunks.npy", np.zeros((0, CHUNK_COLUMNS), np.int64))
    tables.append("sentences.npy", np.zeros((0, 2), np.int64))
    for number, first in enumerate(range(0, len(parents), _OF_A_DOCUMENT)):
        parts, place = [], 0
        for parent in parents[first : first + _OF_A_DOCUMENT]:
            text, stems = parent.texts[int(rng.integers(0, _TEXT_VARIANTS))]
            postings.add(stems)
            row = (number, 0, place, place + len(text), 0, 0)
            tables.append("chunks.npy", np.asarray([row], np.int64))
            tables.append("sentences.npy", np.asarray(parent.sentences, np.int64) + place)
            parts.append(text)
            place += len(text) + 2
        text = "\n\n".join(parts)
        section = Section((), 0, len(text))
        documents.add(Document(f"g{number}", f"Generated {number}", text, None, (section,)))
    documents.finish()
    postings.write(tables)
    numbers = np.asarray([len(parent.sentences) for parent in parents], np.int64)
    tables.append("first_sentences.npy", offsets_of(numbers))
    tables.append("chunk_keys.npy", rng.integers(0, 256, (len(parents), 16), dtype=np.uint8))


def _vary(
    text: str,
    places: Sequence[tuple[int, int]],
    stems: frozenset[str],
    words: _Words,
    *,
    rng: np.random.Generator,
) -> tuple[str, frozenset[str]]:
    """The text with some words replaced, and its stems."""
    new = []
    for place in np.flatnonzero(rng.random(len(places)) < _REPLACED).tolist():
        start, end = places[place]
        word = words.draw(end - start)
        new.append(word)
        text = text[:start] + word + text[end:]
    return text, stems | frozenset(new)


def _write_centroid_ids(tables: FolderTables, rows: list[CentroidRows], origin: LocalData) -> None:
    """Write the centroids of the origin; each passage has the centroid ids of its parent."""
    centroids = origin.centroid_ids(np.zeros(0, np.int64)).centroids
    tables.append("centroids.npy", centroids.astype(np.float16))
    for name, values, lengths in (
        ("bag", [one.distinct for one in rows], [np.diff(one.distinct_offsets) for one in rows]),
        ("within", [one.within for one in rows], [np.diff(one.within_offsets) for one in rows]),
    ):
        table = "bags.npy" if name == "bag" else "within.npy"
        for start in range(0, len(values), 1 << 14):
            tables.append(table, np.concatenate(values[start : start + (1 << 14)]))
        tables.append(f"{name}_borders.npy", offsets_of(np.concatenate(lengths)))


def describe(index: LocalIndex) -> str:
    """Describe the corpus of the parents, for the report."""
    return (
        f"{index.data.counts['chunks']:,} passages of {index.data.counts['documents']:,} documents"
    )
