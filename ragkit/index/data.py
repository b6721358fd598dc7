"""What an index holds, in memory and as named files. Immutable, so readers share it freely.

Files of a generation:

    documents.jsonl        a line a document: id, title, url, byte range in texts.bin, sections
    texts.bin              all documents' texts, UTF-8, one after the other
    chunks.npy             (n, 4) int64: document, section, start, end
    sentences.npy          (m, 3) int64: chunk, start, end
    dense.faiss            (n, d) chunk vectors
    sentence_vectors.npy   (m, d) float32
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.dense import DenseIndex
from ragkit.types import Chunk, Document, Section, Span

__all__ = ["IndexData"]

Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class IndexData:
    """Documents, the tables of their chunks and sentences, and a vector for each."""

    documents: tuple[Document, ...]
    chunks: Table
    sentences: Table
    dense: DenseIndex
    sentence_vectors: Vectors

    @classmethod
    def assemble(
        cls,
        documents: Sequence[Document],
        chunks: Sequence[Chunk],
        chunk_vectors: Vectors,
        sentence_vectors: Vectors,
    ) -> IndexData:
        """From the parts in document order; a vector for each chunk and each of its sentences."""
        number = {document.id: i for i, document in enumerate(documents)}
        rows = [(number[c.document_id], c.section, c.start, c.end) for c in chunks]
        sentences = [(i, s.start, s.end) for i, c in enumerate(chunks) for s in c.sentences]
        return cls(
            tuple(documents),
            np.asarray(rows, dtype=np.int64).reshape(-1, 4),
            np.asarray(sentences, dtype=np.int64).reshape(-1, 3),
            DenseIndex.build(chunk_vectors),
            sentence_vectors,
        )

    def __len__(self) -> int:
        return len(self.chunks)

    def document_of(self, chunk: int) -> Document:
        return self.documents[int(self.chunks[chunk, 0])]

    def section_of(self, chunk: int) -> tuple[str, ...]:
        return self.document_of(chunk).sections[int(self.chunks[chunk, 1])].path

    def span_of(self, chunk: int) -> Span:
        return Span(int(self.chunks[chunk, 2]), int(self.chunks[chunk, 3]))

    def sentence_rows(self, chunk: int) -> range:
        """Which rows of ``sentences`` and ``sentence_vectors`` are this chunk's."""
        first, last = np.searchsorted(self.sentences[:, 0], [chunk, chunk + 1])
        return range(int(first), int(last))

    def sentence_span(self, row: int) -> Span:
        return Span(int(self.sentences[row, 1]), int(self.sentences[row, 2]))

    def to_files(self) -> dict[str, bytes]:
        """File name → content; equal data gives equal bytes."""
        lines: list[str] = []
        texts: list[bytes] = []
        position = 0
        for document in self.documents:
            data = document.text.encode()
            lines.append(_document_line(document, position, position + len(data)))
            texts.append(data)
            position += len(data)
        return {
            "documents.jsonl": "".join(lines).encode(),
            "texts.bin": b"".join(texts),
            "chunks.npy": _array_bytes(self.chunks),
            "sentences.npy": _array_bytes(self.sentences),
            "dense.faiss": self.dense.to_bytes(),
            "sentence_vectors.npy": _array_bytes(self.sentence_vectors),
        }

    @classmethod
    def from_files(cls, read: Callable[[str], bytes]) -> IndexData:
        """From checked contents: ``read`` gives a file's bytes by name, or raises."""
        texts = read("texts.bin")
        documents = [
            _document_from(json.loads(line), texts)
            for line in read("documents.jsonl").decode().splitlines()
        ]
        return cls(
            tuple(documents),
            _array_from(read("chunks.npy")),
            _array_from(read("sentences.npy")),
            DenseIndex.from_bytes(read("dense.faiss")),
            _array_from(read("sentence_vectors.npy")),
        )


def _document_line(document: Document, start: int, end: int) -> str:
    content = {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        "bytes": [start, end],
        "sections": [[list(s.path), s.start, s.end] for s in document.sections],
    }
    # ASCII, so that no character of a title can be taken for a line end.
    return json.dumps(content) + "\n"


def _document_from(content: dict[str, Any], texts: bytes) -> Document:
    start, end = content["bytes"]
    sections = tuple(Section(tuple(path), a, b) for path, a, b in content["sections"])
    text = texts[start:end].decode()
    return Document(content["id"], content["title"], text, content["url"], sections)


def _array_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array_from(data: bytes) -> NDArray[Any]:
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
