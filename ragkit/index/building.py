"""Documents → IndexData: chunk, put each text in its context, encode what is not known yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ragkit.chunking import Chunker, context
from ragkit.encoding import Encoder
from ragkit.index.data import IndexData
from ragkit.index.dense import DenseIndex
from ragkit.index.journal import Journal, Key
from ragkit.index.late import LateIndex, ReadChunk, chunk_tokens, coded
from ragkit.index.lexicon import Lexicon
from ragkit.types import Chunk, Document

__all__ = ["Earlier", "Progress", "build_data"]

Progress = Callable[[int, int], None]
"""Called with how many texts are encoded and how many there are to encode."""

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Earlier:
    """An index made by the same encoder and chunker, whose work need not be done again."""

    data: IndexData
    documents: Mapping[str, int]
    rows: Mapping[Key, int]

    @classmethod
    def of(cls, data: IndexData) -> Earlier:
        """Which chunk is known by which key; the texts that were read are made again from it."""
        numbers = {document.id: number for number, document in enumerate(data.documents)}
        keys = {_texts(data.document_of(c), data.chunk(c)).key: c for c in range(len(data))}
        return cls(data, numbers, keys)

    def chunks(self, document: Document) -> list[Chunk] | None:
        """The chunks of a document that has not changed."""
        number = self.documents.get(document.id)
        if number is None or self.data.documents[number] != document:
            return None
        return self.data.chunks_of(number)

    def get(self, key: Key) -> ReadChunk | None:
        """What was read of a chunk, if it is here."""
        row = self.rows.get(key)
        return None if row is None else self.data.read_chunk(row)


def build_data(
    documents: Sequence[Document],
    encoder: Encoder,
    chunker: Chunker,
    progress: Progress | None = None,
    *,
    earlier: Earlier | None = None,
    journal: Journal | None = None,
) -> IndexData:
    """Chunk and encode all documents, but for the chunks that ``earlier`` or ``journal`` know.

    What is encoded is title, heading path and text together, so that a paragraph that says "the
    treaty" is found by the treaty's name; what is cited is the text alone.
    """
    chunks = [c for d in documents for c in _chunks(d, encoder, chunker, earlier)]
    by_id = {document.id: document for document in documents}
    texts = [_texts(by_id[c.document_id], c) for c in chunks]
    read = _read(chunks, texts, encoder, progress, earlier=earlier, journal=journal)
    vectors = np.asarray([one.vector for one in read], dtype=np.float32)
    return IndexData.assemble(
        documents,
        chunks,
        Lexicon.build(text.whole for text in texts),
        DenseIndex.build(vectors.reshape(-1, encoder.dimension)),
        LateIndex.build([r.tokens for r in read], [c.start for c in chunks], encoder.dimension),
    )


def _chunks(
    document: Document, encoder: Encoder, chunker: Chunker, earlier: Earlier | None
) -> list[Chunk]:
    known = earlier.chunks(document) if earlier else None
    if known is not None:
        return known
    return chunker.chunks(document, count=encoder.count_tokens, window=encoder.window)


class _Texts(NamedTuple):
    """What is read of a chunk; the first ``front`` code points of each are its context.

    ``places``: where each sentence begins and ends, from the chunk's beginning.
    """

    front: int
    whole: str
    alone: tuple[str, ...]
    places: tuple[tuple[int, int], ...]

    @property
    def key(self) -> Key:
        content = f"{self.front}\0{self.places}\0{self.whole}"
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _texts(document: Document, chunk: Chunk) -> _Texts:
    front, text = context(document.title, document.sections[chunk.section].path), document.text
    alone = tuple(front + text[s.start : s.end] for s in chunk.sentences)
    places = tuple((s.start - chunk.start, s.end - chunk.start) for s in chunk.sentences)
    return _Texts(len(front), front + text[chunk.start : chunk.end], alone, places)


def _read(
    chunks: Sequence[Chunk],
    texts: Sequence[_Texts],
    encoder: Encoder,
    progress: Progress | None,
    *,
    earlier: Earlier | None,
    journal: Journal | None,
) -> list[ReadChunk]:
    """What is read of each chunk, known or encoded now."""
    keys = [text.key for text in texts]
    read = {key: known for key in set(keys) if (known := _known(key, earlier, journal))}
    unknown = list({key: i for i, key in enumerate(keys) if key not in read}.values())
    groups = _groups([texts[i] for i in unknown])
    total = sum(len(_distinct([texts[unknown[n]] for n in group])) for group in groups)
    done = 0
    for group in groups:
        here = [unknown[n] for n in group]
        own = [texts[i] for i in here]
        encoded, number = _encoded(own, [chunks[i] for i in here], encoder)
        names = [keys[i] for i in here]
        read.update(zip(names, encoded, strict=True))
        if journal is not None:
            journal.add(names, encoded)
        done += number
        if progress:
            progress(done, total)
    return [read[key] for key in keys]


def _known(key: Key, earlier: Earlier | None, journal: Journal | None) -> ReadChunk | None:
    found = earlier.get(key) if earlier else None
    return journal.get(key) if found is None and journal is not None else found


def _encoded(
    texts: Sequence[_Texts], chunks: Sequence[Chunk], encoder: Encoder
) -> tuple[list[ReadChunk], int]:
    """A group of chunks, and how many texts it took.

    A group is encoded and let go before the next: token vectors as floats are thirty times the
    text's size.
    """
    batch = _distinct(texts)
    read = dict(zip(batch, encoder.encode(batch), strict=True))
    found = []
    for text, chunk in zip(texts, chunks, strict=True):
        whole, alone = read[text.whole], [read[sentence] for sentence in text.alone]
        tokens = chunk_tokens(whole, alone, text.front, chunk.sentences)
        found.append(ReadChunk(whole.vector, coded(tokens, chunk.start)))
    return found, len(batch)


def _distinct(texts: Sequence[_Texts]) -> list[str]:
    """A chunk of one sentence is the same text twice."""
    return list(dict.fromkeys(text for one in texts for text in (one.whole, *one.alone)))


def _groups(texts: Sequence[_Texts]) -> list[range]:
    """Runs of chunks with about ``_BATCH`` texts to encode."""
    ends = np.cumsum([1 + len(text.alone) for text in texts], dtype=np.int64)
    last = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_BATCH, last, _BATCH)) + 1
    borders = sorted({0, *cuts.tolist(), len(texts)})
    return [range(a, b) for a, b in pairwise(borders)]
