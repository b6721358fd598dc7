"""Documents → IndexData: chunk, put each text in its context, encode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ragkit.chunking import Chunker, context
from ragkit.encoding import Encoder, Vectors
from ragkit.index.data import IndexData
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

    A chunk's or sentence's vector is that of title, heading path and text together, so that a
    paragraph that says "the treaty" is found by the treaty's name; what is cited is the text alone.
    """
    count, window = encoder.count_tokens, encoder.window
    chunks = [c for d in documents for c in chunker.chunks(d, count=count, window=window)]
    by_id = {document.id: document for document in documents}
    chunk_texts = [_in_context(by_id[c.document_id], c, c.start, c.end) for c in chunks]
    sentence_texts = [
        _in_context(by_id[c.document_id], c, s.start, s.end) for c in chunks for s in c.sentences
    ]
    vectors = _encode_all(chunk_texts + sentence_texts, encoder, progress)
    n = len(chunk_texts)
    return IndexData.assemble(documents, chunks, vectors[:n], vectors[n:])


def _in_context(document: Document, chunk: Chunk, start: int, end: int) -> str:
    path = document.sections[chunk.section].path
    return context(document.title, path) + document.text[start:end]


def _encode_all(texts: Sequence[str], encoder: Encoder, progress: Progress | None) -> Vectors:
    # A chunk of one sentence is the same text twice; it is encoded once.
    distinct = list(dict.fromkeys(texts))
    done: list[Vectors] = [np.zeros((0, encoder.dimension), dtype=np.float32)]
    for start in range(0, len(distinct), _BATCH):
        done.append(encoder.encode(distinct[start : start + _BATCH]))
        if progress:
            progress(min(start + _BATCH, len(distinct)), len(distinct))
    row = {text: i for i, text in enumerate(distinct)}
    vectors: Vectors = np.concatenate(done)[[row[text] for text in texts]]
    return vectors
