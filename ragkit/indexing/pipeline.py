"""Documents → the tables of an index: chunk, encode what is not known yet, put together.

Three passes, so that memory does not grow with the corpus but for a few bytes a chunk: documents
come one by one and are written with their chunks; then what no one has read yet is read by the
model, in groups, into the journal; then the tables are filled from there in the corpus's order.
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
from ragkit.index.centroids import CoarseIndex
from ragkit.index.documents import Documents, DocumentsBuilder
from ragkit.index.journal import Journal, Key
from ragkit.index.layout import Layout, choose_layout
from ragkit.index.local import LocalData, describe
from ragkit.index.postings import LexiconBuilder
from ragkit.index.protocol import Progress
from ragkit.index.quantization import TokenCode
from ragkit.index.token_vectors import ChunkCodes, LateIndex, ReadChunk, chunk_tokens, coded
from ragkit.index.vectors import DenseIndex
from ragkit.storage.ragged import borders_of
from ragkit.storage.rows import Rows
from ragkit.storage.tables import Tables, json_bytes
from ragkit.text.spans import Span
from ragkit.types import Chunk, Document

__all__ = ["Earlier", "Group", "Known", "Reader", "build_data", "read_group"]

_BATCH = 256
_SAMPLED, _MIXED = 1024, 4
_KEY = 16


class ChunkTexts(NamedTuple):
    """What is read of a chunk; the first ``front`` code points of each text are its context.

    ``places``: where each sentence begins and ends, from the chunk's beginning.
    """

    front: int
    whole: str
    alone: tuple[str, ...]
    places: tuple[Span, ...]

    @classmethod
    def of(cls, document: Document, chunk: Chunk) -> ChunkTexts:
        front, text = context(document.title, document.sections[chunk.section].path), document.text
        alone = tuple(front + text[s.start : s.end] for s in chunk.sentences)
        places = tuple(Span(s.start - chunk.start, s.end - chunk.start) for s in chunk.sentences)
        return cls(len(front), front + text[chunk.start : chunk.end], alone, places)

    @property
    def key(self) -> Key:
        places = tuple(tuple(place) for place in self.places)
        content = f"{self.front}\0{places}\0{self.whole}"
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


Group = Sequence[ChunkTexts]
"""Chunks that are read together: about 256 texts."""

Reader = Callable[[Iterable[Group]], Iterator[tuple[Sequence[Key], Sequence[ReadChunk]]]]
"""Reads groups, in any order; gives each group's keys and what was read of them."""


class Kept(Protocol):
    """Where a chunk that was read before can be had."""

    def get(self, key: Key) -> ReadChunk | None:
        """What is kept of a chunk, if it is here."""
        ...

    def __contains__(self, key: Key) -> bool: ...


class Known(Kept, Protocol):
    """An index whose work need not be done again."""

    def chunks(self, document: Document) -> list[Chunk] | None:
        """The chunks of a document that has not changed."""
        ...

    def serves(self, layout: Layout) -> bool:
        """Whether what it keeps of a chunk is enough for that layout."""
        ...


@dataclass(frozen=True, slots=True)
class Earlier:
    """An index made by the same encoder and chunker, whose work need not be done again."""

    data: LocalData
    rows: Mapping[Key, int]

    @classmethod
    def of(cls, data: LocalData) -> Earlier:
        return cls(data, {key.tobytes(): row for row, key in enumerate(data.keys())})

    def chunks(self, document: Document) -> list[Chunk] | None:
        number = self.data.documents.number_of(document.id)
        if number is None or self.data.documents[number] != document:
            return None
        return self.data.chunks_of(number)

    def get(self, key: Key) -> ReadChunk | None:
        row = self.rows.get(key)
        return None if row is None else self.data.read_chunk(row)

    def __contains__(self, key: Key) -> bool:
        return key in self.rows

    def serves(self, layout: Layout) -> bool:
        return self.data.token_code.bits in (8, layout.token_bits)


def build_data(
    documents: Iterable[Document],
    encoder: Encoder,
    chunker: Chunker,
    tables: Tables,
    journal: Journal,
    *,
    progress: Progress | None = None,
    earlier: Known | None = None,
    memory: int | None = None,
    reader: Reader | None = None,
) -> LocalData:
    """Fill ``tables``; chunks that ``earlier`` or ``journal`` know are not encoded again.

    What is encoded is title, heading path and text together, so that a paragraph that says "the
    treaty" is found by the treaty's name; what is cited is the text alone. ``memory``: as for
    ``choose_layout``. ``reader``: who encodes, this process with ``encoder`` unless given.
    """
    draft = _chunked(documents, encoder, chunker, tables, earlier)
    layout = choose_layout(len(draft.keys), encoder.dimension, memory)
    sources: list[Kept] = [journal]
    if earlier is not None and earlier.serves(layout):
        sources.insert(0, earlier)
    _read(draft, sources, reader or _by(encoder), journal, progress)
    return _assembled(draft, sources, tables, layout, encoder.dimension)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is known before anything is encoded. ``keys``: ``(n, 16)``."""

    documents: Documents
    chunks: Rows
    first_sentences: Rows
    sentences: Rows
    keys: NDArray[np.uint8]
    title: str | None
    properties: set[str]

    def texts_of(self, number: int) -> ChunkTexts:
        document, section, start, end = self.chunks[number].tolist()
        first, last = self.first_sentences[number : number + 2].tolist()
        sentences = tuple(Span(a, b) for a, b in self.sentences[first:last].tolist())
        found = self.documents[document]
        return ChunkTexts.of(found, Chunk(found.id, section, start, end, sentences))


def _chunked(
    documents: Iterable[Document],
    encoder: Encoder,
    chunker: Chunker,
    tables: Tables,
    earlier: Known | None,
) -> _Draft:
    """Write documents, chunks, sentences and words."""
    kept, lexicon = DocumentsBuilder(tables), LexiconBuilder()
    tables.append("chunks.npy", np.zeros((0, 4), np.int64))
    tables.append("sentences.npy", np.zeros((0, 2), np.int64))
    numbers: list[int] = []
    keys: list[bytes] = []
    for count, document in enumerate(documents):
        chunks = _chunks(document, encoder, chunker, earlier)
        kept.add(document)
        rows = [(count, c.section, c.start, c.end) for c in chunks]
        tables.append("chunks.npy", np.asarray(rows, np.int64).reshape(-1, 4))
        sentences = [s for c in chunks for s in c.sentences]
        tables.append("sentences.npy", np.asarray(sentences, np.int64).reshape(-1, 2))
        numbers += [len(c.sentences) for c in chunks]
        for texts in (ChunkTexts.of(document, c) for c in chunks):
            lexicon.add(texts.whole)
            keys.append(texts.key)
    kept.write()
    lexicon.write(tables)
    tables.append("first_sentences.npy", borders_of(np.asarray(numbers, np.int64)))
    digests = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY)
    tables.append("chunk_keys.npy", digests)
    return _Draft(
        Documents({name: tables.rows(name) for name in Documents.NAMES}),
        tables.rows("chunks.npy"),
        tables.rows("first_sentences.npy"),
        tables.rows("sentences.npy"),
        digests,
        kept.titles.pop() if len(kept.titles) == 1 else None,
        kept.properties,
    )


def _chunks(
    document: Document, encoder: Encoder, chunker: Chunker, earlier: Known | None
) -> list[Chunk]:
    known = earlier.chunks(document) if earlier else None
    if known is not None:
        return known
    return chunker.chunks(document, count=encoder.count_tokens, window=encoder.window)


def _read(
    draft: _Draft,
    sources: Sequence[Kept],
    reader: Reader,
    journal: Journal,
    progress: Progress | None,
) -> None:
    """Have everything read that none of ``sources`` knows, into the journal."""
    unknown = _unknown(draft.keys, sources)
    sizes = np.diff(draft.first_sentences[:])[unknown]
    # A chunk of one sentence is the same text twice.
    texts = np.where(sizes == 1, 1, sizes + 1)
    total, done = int(texts.sum()), 0
    count = {draft.keys[n].tobytes(): t for n, t in zip(unknown, texts.tolist(), strict=True)}
    groups = ([draft.texts_of(n) for n in group] for group in _groups(unknown, texts))
    for keys, read in reader(groups):
        journal.add(keys, read)
        done += sum(count[key] for key in keys)
        if progress:
            progress(done, total)


def _unknown(keys: NDArray[np.uint8], sources: Sequence[Kept]) -> list[int]:
    """The first chunk of each key that is in none of ``sources``."""
    seen: dict[bytes, int] = {}
    for number, key in enumerate(keys):
        seen.setdefault(key.tobytes(), number)
    return [n for key, n in seen.items() if all(key not in source for source in sources)]


def _groups(numbers: Sequence[int], texts: NDArray[np.int64]) -> list[Sequence[int]]:
    """Runs of chunks with about ``_BATCH`` texts to encode."""
    ends = np.cumsum(texts)
    last = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_BATCH, last, _BATCH)) + 1
    borders = sorted({0, *cuts.tolist(), len(numbers)})
    return [numbers[a:b] for a, b in pairwise(borders)]


def _by(encoder: Encoder) -> Reader:
    def read(groups: Iterable[Group]) -> Iterator[tuple[list[Key], list[ReadChunk]]]:
        for group in groups:
            yield [texts.key for texts in group], read_group(group, encoder)

    return read


def read_group(group: Group, encoder: Encoder) -> list[ReadChunk]:
    """What the model reads of each chunk.

    A group is encoded and let go before the next: token vectors as floats are thirty times the
    text's size.
    """
    batch = list(dict.fromkeys(text for one in group for text in (one.whole, *one.alone)))
    read = dict(zip(batch, encoder.encode(batch), strict=True))
    found = []
    for texts in group:
        whole, alone = read[texts.whole], [read[sentence] for sentence in texts.alone]
        found.append(
            ReadChunk(whole.vector, coded(chunk_tokens(whole, alone, texts.front, texts.places), 0))
        )
    return found


def _assembled(
    draft: _Draft, sources: Sequence[Kept], tables: Tables, layout: Layout, dimension: int
) -> LocalData:
    """Fill the tables of what was read, in the corpus's order."""
    code = TokenCode(layout.token_bits, dimension)
    chosen = np.random.default_rng(1).permutation(len(draft.keys))[:_SAMPLED]
    sample = _Sample(set() if layout.is_exact else set(chosen.tolist()), code)
    vectors: list[Vectors] = [np.zeros((0, dimension), np.float32)]

    def read() -> Iterator[ReadChunk]:
        for number, key in enumerate(draft.keys):
            one = _known(key.tobytes(), sources)
            sample.see(number, one.tokens)
            if layout.is_exact:
                vectors.append(one.vector[None, :])
            else:
                tables.append("vectors.npy", one.vector[None, :])
            yield one

    LateIndex.write(tables, read(), draft.chunks[:][:, 2].tolist(), code)
    written = np.concatenate(vectors) if layout.is_exact else tables.rows("vectors.npy")
    dense = DenseIndex.write(tables, layout, written, sample.queries(dimension))
    late = LateIndex(
        {name: tables.rows(name) for name in LateIndex.NAMES}, code, draft.first_sentences
    )
    CoarseIndex.write(tables, late, len(draft.keys))
    about = describe(
        dimension=dimension,
        title=draft.title,
        properties=draft.properties,
        bits=code.bits,
        searching=dense.searching,
    )
    tables.append("corpus.json", json_bytes(about))
    return LocalData(tables.finished())


def _known(key: Key, sources: Sequence[Kept]) -> ReadChunk:
    for source in sources:
        if (found := source.get(key)) is not None:
            return found
    raise KeyError(key)


class _Sample:
    """Sentences of some chunks, each the mean of its tokens as read alone, mixed to questions.

    A model that pools by the mean makes the vector of a question so. One that stands between four
    sentences has its neighbours in as many lists as a real question: measured on 100,000 passages,
    where a sentence by itself finds its neighbours in a fourth of the lists that a question needs.
    """

    def __init__(self, chunks: set[int], code: TokenCode) -> None:
        self._chunks = chunks
        self._code = code
        self._sentences: list[Vectors] = []

    def see(self, number: int, tokens: ChunkCodes) -> None:
        """The next chunk."""
        if number not in self._chunks:
            return
        start, end = borders_of(tokens.lengths)[2:4].tolist()
        if start < end:
            # As it is kept, which is all that an update knows.
            codes, scales = self._code.code(tokens.codes[start:end], tokens.scales[start:end])
            turned = (self._code.decoded(codes) * scales[:, None]).mean(axis=0)
            sentence = self._code.turned_back(turned)
            self._sentences.append(sentence / max(float(np.linalg.norm(sentence)), 1e-9))

    def queries(self, dimension: int) -> Vectors:
        """``(q, d)``, unit."""
        number = len(self._sentences) // _MIXED
        found = np.asarray(self._sentences[: number * _MIXED], np.float32)
        mixed = found.reshape(number, _MIXED, dimension).sum(axis=1)
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.ascontiguousarray(mixed / np.maximum(lengths, 1e-9))
