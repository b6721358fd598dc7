"""Documents → the tables of an index: chunk, encode what is new, assemble.

Three passes, so that memory grows by a few bytes a chunk only: documents come one by one and are
written with their chunks; then the chunks that no cache holds are encoded, in groups, into the
journal; then the tables are filled from there in the order of the corpus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.chunking import Chunker, context
from ragkit.encoding import Encoder, Vectors
from ragkit.index.centroids import write_centroids
from ragkit.index.documents import Documents, DocumentsBuilder, language_of_document
from ragkit.index.journal import EncodedChunk, Journal, Key, encoded_chunks
from ragkit.index.local import (
    CHUNK_COLUMNS,
    LocalData,
    chunk_of_row,
    corpus_record,
    row_of_chunk,
)
from ragkit.index.postings import Postings, PostingsBuilder
from ragkit.index.protocol import Progress
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import TokenVectors, TokenVectorsBuilder
from ragkit.index.vectors import Layout, QuerySample, VectorIndex, choose_layout
from ragkit.progress import STAGE, counted
from ragkit.storage.arrays import Integers, Table, offsets_of
from ragkit.storage.tables import TableWriter, json_bytes
from ragkit.text.compounds import compounds_in
from ragkit.text.words import stems_of
from ragkit.types import Chunk, Document, Span

__all__ = [
    "DRAFT_TABLES",
    "ChunkEncoder",
    "ChunkTexts",
    "EncodedChunks",
    "Group",
    "PreviousBuild",
    "build_data",
    "encode_group",
]

_BATCH = 256
"""Number of texts of a group."""

_BLOCK = 64
"""Number of chunks that are assembled at once."""

_SAMPLED = 1024
"""Number of chunks whose first sentence may become part of a sample query."""

_KEY = 16

DRAFT_TABLES = (
    *Documents.NAMES,
    *Postings.NAMES,
    "chunks.npy",
    "chunk_keys.npy",
    "first_sentences.npy",
    "sentences.npy",
)
"""The tables that are written before anything is encoded; all others follow from them."""


class ChunkTexts(NamedTuple):
    """The texts that the model encodes for one chunk.

    Attributes:
        context: number of code points of title, headings and lead in front of each text.
        whole: all of its sentences.
        alone: each of its sentences.
        places: each sentence's span, counted from the beginning of the first.

    """

    context: int
    whole: str
    alone: tuple[str, ...]
    places: tuple[Span, ...]

    @property
    def key(self) -> Key:
        """A digest of everything that the model encodes of the chunk."""
        places = tuple([tuple(place) for place in self.places])
        content = f"{self.context}\0{places}\0{self.whole}"
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


Group = Sequence[ChunkTexts]
"""Chunks that are encoded together: about 256 texts."""

ChunkEncoder = Callable[[Iterable[Group]], Iterator[tuple[Sequence[Key], Sequence[EncodedChunk]]]]
"""Encodes groups, in any order; yields each group's keys and encoded chunks."""


class EncodedChunks(Protocol):
    """A place that holds chunks encoded before."""

    def get(self, keys: Sequence[Key]) -> list[EncodedChunk | None]:
        """Return the encoded chunk of each key, None where it is not here."""
        ...

    def missing(self, keys: Sequence[Key]) -> list[Key]:
        """Return the keys whose chunks are not here."""
        ...


class PreviousBuild(EncodedChunks, Protocol):
    """An index whose work need not be repeated."""

    def chunks(self, document: Document) -> list[Chunk] | None:
        """Return the chunks of a document that has not changed, else None."""
        ...

    def serves(self, layout: Layout, runtime: str) -> bool:
        """Whether that runtime made its vectors, and it stores them precisely enough."""
        ...

    def unchanged(
        self, draft: Mapping[str, Table], layout: Layout, runtime: str, readings: int
    ) -> LocalData | None:
        """Return its data if a build that began with these tables would be the same."""
        ...


def build_data(
    documents: Iterable[Document],
    encoder: Encoder,
    chunker: Chunker,
    writer: TableWriter,
    journal: Journal,
    *,
    progress: Progress | None = None,
    previous: PreviousBuild | None = None,
    memory: int | None = None,
    compact: bool = False,
    chunk_encoder: ChunkEncoder | None = None,
) -> LocalData:
    """Write all tables of an index; encode only chunks that neither cache holds.

    What is encoded is title, heading path and text together, so that a paragraph that says "the
    treaty" is found by the treaty's name; what is cited is the text alone. If nothing has changed,
    the previous index's data is returned, and the tables are not finished.

    Args:
        journal: what an interrupted build has encoded; new chunks are added to it.
        previous: an index that may hold chunks as well.
        memory: budget in bytes, as for ``choose_layout``.
        compact: as for ``choose_layout``.
        chunk_encoder: encodes groups of chunks; this process, with ``encoder``, unless given.

    """
    draft = _write_chunks(documents, encoder, chunker, writer, previous)
    model = _Model(encoder.dimension, encoder.readings, encoder.runtime)
    layout = choose_layout(
        len(draft.keys), model.dimension, memory, readings=model.readings, compact=compact
    )
    if previous is not None:
        same = previous.unchanged(
            {name: writer.table(name) for name in DRAFT_TABLES},
            layout,
            model.runtime,
            model.readings,
        )
        if same is not None:
            return same
    caches: list[EncodedChunks] = [journal]
    if previous is not None and previous.serves(layout, model.runtime):
        caches.insert(0, previous)
    _encode_missing(
        draft, caches, chunk_encoder or _in_this_process(encoder), journal,
        readings=model.readings, progress=progress,
    )  # fmt: skip
    return _assemble(draft, caches, writer, layout, model)


class _Model(NamedTuple):
    """What the tables need to know of the encoder."""

    dimension: int
    readings: int
    runtime: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is known before anything is encoded; ``keys`` is ``(n, 16)``."""

    documents: Documents
    chunks: Table
    first_sentences: Table
    sentences: Table
    keys: NDArray[np.uint8]
    title: str | None
    properties: set[str]
    languages: Mapping[str, int]

    def texts_of(self, numbers: Sequence[int]) -> list[ChunkTexts]:
        """Return the texts of the chunks with these numbers."""
        rows = [self.chunks[number].tolist() for number in numbers]
        documents = [self.documents[row[0]] for row in rows]
        chunks = []
        for number, document, (_, *place) in zip(numbers, documents, rows, strict=True):
            first, last = self.first_sentences[number : number + 2].tolist()
            chunk = chunk_of_row(document.id, place, self.sentences[first:last])
            chunks.append((document, chunk))
        return _chunk_texts(chunks)


def _chunk_texts(chunks: Sequence[tuple[Document, Chunk]]) -> list[ChunkTexts]:
    """The texts of some chunks, each with its document."""
    texts = []
    for document, chunk in chunks:
        text, front = document.text, context(document, chunk.section, chunk.lead)
        start, end = chunk.body
        alone = tuple([front + text[a:b] for a, b in chunk.sentences])
        places = tuple([Span(a - start, b - start) for a, b in chunk.sentences])
        texts.append(ChunkTexts(len(front), front + text[start:end], alone, places))
    return texts


def _write_chunks(
    documents: Iterable[Document],
    encoder: Encoder,
    chunker: Chunker,
    writer: TableWriter,
    previous: PreviousBuild | None,
) -> _Draft:
    """Write the documents, their chunks and sentences, and the postings."""
    postings, document_rows = PostingsBuilder(), DocumentsBuilder(writer)
    writer.append("chunks.npy", np.zeros((0, CHUNK_COLUMNS), np.int64))
    writer.append("sentences.npy", np.zeros((0, 2), np.int64))
    sizes: list[int] = []
    keys: list[Key] = []
    for number, document in enumerate(counted("Reading documents", documents)):
        chunks = _chunks_of(document, encoder, chunker, previous)
        texts = _chunk_texts([(document, chunk) for chunk in chunks])
        language = language_of_document(document)
        for one in texts:
            stems, compounds = stems_of(one.whole, language), compounds_in(one.whole, language)
            postings.add(stems, compounds, language)
        sizes += [len(chunk.sentences) for chunk in chunks]
        keys += [one.key for one in texts]
        rows, sentences = _rows_of(number, chunks)
        document_rows.add(document)
        writer.append("chunks.npy", rows)
        writer.append("sentences.npy", sentences)
    document_rows.finish()
    postings.write(writer)
    writer.append("first_sentences.npy", offsets_of(np.asarray(sizes, np.int64)))
    digests = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY)
    writer.append("chunk_keys.npy", digests)
    return _Draft(
        Documents({name: writer.table(name) for name in Documents.NAMES}),
        writer.table("chunks.npy"),
        writer.table("first_sentences.npy"),
        writer.table("sentences.npy"),
        digests,
        document_rows.titles.pop() if len(document_rows.titles) == 1 else None,
        document_rows.properties,
        document_rows.languages,
    )


def _rows_of(document: int, chunks: Sequence[Chunk]) -> tuple[Integers, Integers]:
    """The rows of a document's chunks and of their sentences."""
    rows = [row_of_chunk(document, chunk) for chunk in chunks]
    sentences = [sentence for c in chunks for sentence in c.sentences]
    return (
        np.asarray(rows, np.int64).reshape(-1, CHUNK_COLUMNS),
        np.asarray(sentences, np.int64).reshape(-1, 2),
    )


def _chunks_of(
    document: Document, encoder: Encoder, chunker: Chunker, previous: PreviousBuild | None
) -> list[Chunk]:
    unchanged = previous.chunks(document) if previous else None
    if unchanged is not None:
        return unchanged
    return chunker.chunks(document, count=encoder.count_tokens, window=encoder.window)


def _encode_missing(
    draft: _Draft,
    caches: Sequence[EncodedChunks],
    chunk_encoder: ChunkEncoder,
    journal: Journal,
    *,
    readings: int,
    progress: Progress | None,
) -> None:
    """Encode the chunks that no cache holds, into the journal."""
    missing = _missing(draft.keys, caches)
    sizes = np.diff(draft.first_sentences[:])[missing]
    # A chunk of one sentence is the same text twice.
    texts = np.where((sizes == 1) | (readings == 1), 1, sizes + 1)
    total, done = int(texts.sum()), 0
    count = {draft.keys[n].tobytes(): t for n, t in zip(missing, texts.tolist(), strict=True)}
    groups = (draft.texts_of(group) for group in _groups(missing, texts))
    STAGE.get()("Encoding texts", 0, total)
    for keys, chunks in chunk_encoder(groups):
        journal.add(keys, chunks)
        done += sum(count[key] for key in keys)
        STAGE.get()("Encoding texts", done, total)
        if progress:
            progress(done, total)


def _missing(keys: NDArray[np.uint8], caches: Sequence[EncodedChunks]) -> list[int]:
    """The first chunk of each key that no cache holds."""
    first: dict[bytes, int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key.tobytes(), number)
    keys_left = list(first)
    for cache in caches:
        keys_left = cache.missing(keys_left)
    return [first[key] for key in keys_left]


def _groups(numbers: Sequence[int], texts: NDArray[np.int64]) -> list[Sequence[int]]:
    """Split chunks into groups of about ``_BATCH`` texts."""
    ends = np.cumsum(texts)
    last = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_BATCH, last, _BATCH)) + 1
    return [numbers[a:b] for a, b in pairwise(sorted({0, *cuts.tolist(), len(numbers)}))]


def _in_this_process(encoder: Encoder) -> ChunkEncoder:
    def encode(groups: Iterable[Group]) -> Iterator[tuple[list[Key], list[EncodedChunk]]]:
        for group in groups:
            yield [texts.key for texts in group], encode_group(group, encoder)

    return encode


def encode_group(group: Group, encoder: Encoder) -> list[EncodedChunk]:
    """Encode the chunks of a group.

    A group is quantized before the next is encoded: token vectors as floats are thirty times the
    size of the text.
    """
    alone = [texts.alone if encoder.readings == 2 else () for texts in group]
    batch = list(
        dict.fromkeys(
            text for texts, own in zip(group, alone, strict=True) for text in (texts.whole, *own)
        )
    )
    encoded = dict(zip(batch, encoder.encode(batch), strict=True))
    return encoded_chunks(
        [
            (
                encoded[texts.whole],
                [encoded[text] for text in own],
                texts.context,
                texts.places,
            )
            for texts, own in zip(group, alone, strict=True)
        ]
    )


def _assemble(
    draft: _Draft,
    caches: Sequence[EncodedChunks],
    writer: TableWriter,
    layout: Layout,
    model: _Model,
) -> LocalData:
    """Write the tables of encoded chunks, in the order of the corpus."""
    dimension, readings, runtime = model
    quantizer = TokenQuantizer(layout.token_bits, dimension, layout.compact)
    chosen = np.random.default_rng(1).permutation(len(draft.keys))[:_SAMPLED]
    sample = QuerySample(set() if layout.is_exact else set(chosen.tolist()), quantizer, readings)
    vectors = _write_encoded(
        draft, caches, writer, layout=layout, sample=sample, dimension=dimension
    )
    STAGE.get()("Arranging the vectors", 0, None)
    index = VectorIndex.write(writer, layout, vectors, sample.queries(dimension))
    tables = {name: writer.table(name) for name in TokenVectors.names(quantizer)}
    tokens = TokenVectors(tables, quantizer, draft.first_sentences, draft.sentences, readings)
    write_centroids(writer, tokens, len(draft.keys))
    record = corpus_record(
        title=draft.title,
        properties=draft.properties,
        languages=draft.languages,
        quantizer=quantizer,
        readings=readings,
        runtime=runtime,
        settings=index.settings,
    )
    writer.append("corpus.json", json_bytes(record))
    return LocalData(writer.finish())


def _write_encoded(
    draft: _Draft,
    caches: Sequence[EncodedChunks],
    writer: TableWriter,
    *,
    layout: Layout,
    sample: QuerySample,
    dimension: int,
) -> Table:
    """Write the token vectors; return the chunk vectors, written too unless the layout is exact."""
    is_exact, tokens = layout.is_exact, TokenVectorsBuilder(writer, sample.quantizer)
    places = draft.sentences[:][draft.first_sentences[:-1], 0].tolist()
    vectors: list[Vectors] = [np.zeros((0, dimension), np.float32)]
    for start in range(0, len(draft.keys), _BLOCK):
        STAGE.get()("Writing chunks", start, len(draft.keys))
        block = slice(start, start + _BLOCK)
        chunks = _look_up([key.tobytes() for key in draft.keys[block]], caches)
        own = [chunk.tokens for chunk in chunks]
        stacked = np.stack([chunk.vector for chunk in chunks])
        sample.add(start, own)
        tokens.add(own, places[block])
        if is_exact:
            vectors.append(stacked)
        else:
            writer.append("vectors.npy", stacked)
    return np.concatenate(vectors) if is_exact else writer.table("vectors.npy")


def _look_up(keys: Sequence[Key], caches: Sequence[EncodedChunks]) -> list[EncodedChunk]:
    """The encoded chunk of each key, from the first cache that holds it. Raises KeyError."""
    chunks: dict[Key, EncodedChunk] = {}
    for cache in caches:
        missing = [key for key in keys if key not in chunks]
        cached = zip(missing, cache.get(missing), strict=True)
        chunks |= {key: chunk for key, chunk in cached if chunk is not None}
    return [chunks[key] for key in keys]
