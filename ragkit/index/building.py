"""Documents → IndexData: chunk, put each text in its context, encode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ragkit.chunking import Chunker, context
from ragkit.encoding import Encoded, Encoder
from ragkit.index.data import IndexData
from ragkit.index.dense import DenseIndex
from ragkit.index.late import LateIndex, chunk_tokens
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
    fronts = [_front(by_id[c.document_id], c) for c in chunks]
    texts = [by_id[c.document_id].text for c in chunks]
    whole = [f + t[c.start : c.end] for f, t, c in zip(fronts, texts, chunks, strict=True)]
    alone = [
        [f + t[s.start : s.end] for s in c.sentences]
        for f, t, c in zip(fronts, texts, chunks, strict=True)
    ]
    read = _encode_all([*whole, *(text for some in alone for text in some)], encoder, progress)
    tokens = [
        chunk_tokens(read[w], [read[text] for text in some], len(f), c.sentences)
        for w, some, f, c in zip(whole, alone, fronts, chunks, strict=True)
    ]
    vectors = np.asarray([read[w].vector for w in whole], dtype=np.float32)
    return IndexData.assemble(
        documents,
        chunks,
        Lexicon.build(whole),
        DenseIndex.build(vectors.reshape(-1, encoder.dimension)),
        LateIndex.build(tokens, encoder.dimension),
    )


def _front(document: Document, chunk: Chunk) -> str:
    return context(document.title, document.sections[chunk.section].path)


def _encode_all(
    texts: Sequence[str], encoder: Encoder, progress: Progress | None
) -> dict[str, Encoded]:
    """Each distinct text, read once: a chunk of one sentence is the same text twice."""
    distinct = list(dict.fromkeys(texts))
    read: dict[str, Encoded] = {}
    for start in range(0, len(distinct), _BATCH):
        batch = distinct[start : start + _BATCH]
        read.update(zip(batch, encoder.encode(batch), strict=True))
        if progress:
            progress(len(read), len(distinct))
    return read
