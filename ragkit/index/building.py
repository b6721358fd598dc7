"""Documents → IndexData: chunk, put each text in its context, encode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ragkit.chunking import Chunker, context
from ragkit.encoding import Encoder, Vectors
from ragkit.index.data import IndexData
from ragkit.index.dense import DenseIndex
from ragkit.index.late import ChunkTokens, LateIndex, chunk_tokens
from ragkit.index.lexicon import Lexicon
from ragkit.types import Chunk, Document

__all__ = ["Progress", "build_data"]

Progress = Callable[[int, int], None]
"""Called with how many texts are encoded and how many there are."""

_BATCH = 256


def build_data(
    documents: Sequence[Document],
    encoder: Encoder,
    chunker: Chunker,
    progress: Progress | None = None,
) -> IndexData:
    """Chunk and encode all documents.

    What is encoded is title, heading path and text together, so that a paragraph that says "the
    treaty" is found by the treaty's name; what is cited is the text alone.
    """
    count, window = encoder.count_tokens, encoder.window
    chunks = [c for d in documents for c in chunker.chunks(d, count=count, window=window)]
    by_id = {document.id: document for document in documents}
    texts = [_texts(by_id[c.document_id], c) for c in chunks]
    vectors: list[Vectors] = []
    late = LateIndex.build(_read(chunks, texts, encoder, vectors, progress), encoder.dimension)
    dense = np.asarray(vectors, dtype=np.float32).reshape(-1, encoder.dimension)
    lexicon = Lexicon.build(text.whole for text in texts)
    return IndexData.assemble(documents, chunks, lexicon, DenseIndex.build(dense), late)


class _Texts(NamedTuple):
    """What is read of a chunk; the first ``front`` code points of each are its context."""

    front: int
    whole: str
    alone: tuple[str, ...]


def _texts(document: Document, chunk: Chunk) -> _Texts:
    front, text = context(document.title, document.sections[chunk.section].path), document.text
    alone = tuple(front + text[s.start : s.end] for s in chunk.sentences)
    return _Texts(len(front), front + text[chunk.start : chunk.end], alone)


def _read(
    chunks: Sequence[Chunk],
    texts: Sequence[_Texts],
    encoder: Encoder,
    vectors: list[Vectors],
    progress: Progress | None,
) -> Iterator[ChunkTokens]:
    """The tokens of each chunk, and into ``vectors`` its vector.

    A group of chunks is encoded and let go before the next: token vectors as floats are thirty
    times the text's size.
    """
    groups = _groups(texts)
    # A chunk of one sentence is the same text twice.
    distinct = [
        list(dict.fromkeys(text for one in texts[group] for text in (one.whole, *one.alone)))
        for group in groups
    ]
    total, done = sum(map(len, distinct)), 0
    for group, batch in zip(groups, distinct, strict=True):
        read = dict(zip(batch, encoder.encode(batch), strict=True))
        for chunk, text in zip(chunks[group], texts[group], strict=True):
            vectors.append(read[text.whole].vector)
            alone = [read[sentence] for sentence in text.alone]
            yield chunk_tokens(read[text.whole], alone, text.front, chunk.sentences)
        done += len(batch)
        if progress:
            progress(done, total)


def _groups(texts: Sequence[_Texts]) -> list[slice]:
    """Runs of chunks with about ``_BATCH`` texts to encode."""
    ends = np.cumsum([1 + len(text.alone) for text in texts], dtype=np.int64)
    last = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_BATCH, last, _BATCH)) + 1
    borders = sorted({0, *cuts.tolist(), len(texts)})
    return [slice(a, b) for a, b in pairwise(borders)]
