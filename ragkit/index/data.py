"""What an index holds, in memory and as named files. Immutable, so readers share it freely.

Files of a generation:

    documents.jsonl        a line a document: id, title, url, byte range in texts.bin, sections
    texts.bin              all documents' texts, UTF-8, one after the other
    chunks.npy             (n, 4) int64: document, section, start, end
    sentences.npy          (m, 3) int64: chunk, start, end
    lexicon.json           the stems of all words
    postings.npy, posting_borders.npy   per stem, which chunks have it (int32)
    dense.faiss            (n, d) chunk vectors
    tokens.npy             (t, d) int8: token vectors for late interaction
    token_scales.npy       (t,) float32: int8 × scale = component
    token_starts.npy       (t,) int64: where in its document a token begins, or -1
    segments.npy           (n + 2m + 1,) int64: where each run of token rows begins
    centroids.npy          (c, d) float32: what the coarse order compares a question with
    bags.npy, bag_borders.npy        per chunk, the centroids of its tokens
    within.npy, within_borders.npy   per sentence, the centroids of its tokens
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.index.coarse import CoarseIndex
from ragkit.index.dense import DenseIndex
from ragkit.index.late import LateIndex, ReadChunk
from ragkit.index.lexicon import Lexicon
from ragkit.types import Chunk, Document, Section, Span

__all__ = ["IndexData"]

Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class IndexData:
    """Documents, the tables of their chunks and sentences, and what is searched."""

    documents: tuple[Document, ...]
    chunks: Table
    sentences: Table
    lexicon: Lexicon
    dense: DenseIndex
    late: LateIndex
    coarse: CoarseIndex
    first_sentences: Table = field(init=False, repr=False)
    """``(n + 1,)``: the first row of each chunk in ``sentences``, and their number."""
    only_title: str | None = field(init=False, repr=False)
    """The title of all documents, None if they have several or there are none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "first_sentences", _first(self.sentences, len(self.chunks)))
        titles = {document.title for document in self.documents}
        object.__setattr__(self, "only_title", titles.pop() if len(titles) == 1 else None)

    @classmethod
    def assemble(
        cls,
        documents: Sequence[Document],
        chunks: Sequence[Chunk],
        lexicon: Lexicon,
        dense: DenseIndex,
        late: LateIndex,
    ) -> IndexData:
        """From the parts, chunks in document order."""
        number = {document.id: i for i, document in enumerate(documents)}
        rows = [(number[c.document_id], c.section, c.start, c.end) for c in chunks]
        sentences = np.asarray(
            [(i, s.start, s.end) for i, c in enumerate(chunks) for s in c.sentences],
            dtype=np.int64,
        ).reshape(-1, 3)
        return cls(
            tuple(documents),
            np.asarray(rows, dtype=np.int64).reshape(-1, 4),
            sentences,
            lexicon,
            dense,
            late,
            CoarseIndex.build(late, _first(sentences, len(rows))),
        )

    def __len__(self) -> int:
        return len(self.chunks)

    def document_of(self, chunk: int) -> Document:
        return self.documents[int(self.chunks[chunk, 0])]

    def section_of(self, chunk: int) -> tuple[str, ...]:
        return self.document_of(chunk).sections[int(self.chunks[chunk, 1])].path

    def span_of(self, chunk: int) -> Span:
        return Span(int(self.chunks[chunk, 2]), int(self.chunks[chunk, 3]))

    def chunk(self, chunk: int) -> Chunk:
        """A chunk as the chunker made it."""
        document, section, start, end = self.chunks[chunk].tolist()
        sentences = tuple(self.sentence_span(row) for row in self.sentence_rows(chunk))
        return Chunk(self.documents[document].id, section, start, end, sentences)

    def chunks_of(self, document: int) -> list[Chunk]:
        """The chunks of a document, by its number."""
        first, last = np.searchsorted(self.chunks[:, 0], [document, document + 1]).tolist()
        return [self.chunk(chunk) for chunk in range(first, last)]

    def read_chunk(self, chunk: int) -> ReadChunk:
        """What the model read of a chunk."""
        rows = self.sentence_rows(chunk)
        first, last = chunk + 2 * rows.start, chunk + 1 + 2 * rows.stop
        [vector] = self.dense.vectors_of(np.asarray([chunk]))
        return ReadChunk(vector, self.late.codes_of(first, last, int(self.chunks[chunk, 2])))

    def sentence_rows(self, chunk: int) -> range:
        """Which rows of ``sentences`` are this chunk's."""
        return range(int(self.first_sentences[chunk]), int(self.first_sentences[chunk + 1]))

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
            "lexicon.json": self.lexicon.to_bytes(),
            "postings.npy": _array_bytes(self.lexicon.postings),
            "posting_borders.npy": _array_bytes(self.lexicon.borders),
            "dense.faiss": self.dense.to_bytes(),
            "tokens.npy": _array_bytes(self.late.codes),
            "token_scales.npy": _array_bytes(self.late.scales),
            "token_starts.npy": _array_bytes(self.late.starts),
            "segments.npy": _array_bytes(self.late.segments),
            "centroids.npy": _array_bytes(self.coarse.centroids),
            "bags.npy": _array_bytes(self.coarse.bags),
            "bag_borders.npy": _array_bytes(self.coarse.bag_borders),
            "within.npy": _array_bytes(self.coarse.within),
            "within_borders.npy": _array_bytes(self.coarse.within_borders),
        }

    @classmethod
    def from_files(cls, read: Callable[[str], bytes], locate: Callable[[str], Path]) -> IndexData:
        """From checked contents: ``read`` gives a file's bytes by name, ``locate`` its path.

        What grows with the corpus's tokens is memory-mapped: read where a question needs it.
        """
        texts = read("texts.bin")
        documents = [
            _document_from(json.loads(line), texts)
            for line in read("documents.jsonl").decode().splitlines()
        ]
        return cls(
            tuple(documents),
            _array_from(read("chunks.npy")),
            _array_from(read("sentences.npy")),
            Lexicon.from_parts(
                read("lexicon.json"),
                _mapped_array(locate("postings.npy")),
                _array_from(read("posting_borders.npy")),
            ),
            DenseIndex.from_bytes(read("dense.faiss")),
            LateIndex(
                _mapped_array(locate("tokens.npy")),
                _mapped_array(locate("token_scales.npy")),
                _mapped_array(locate("segments.npy")),
                _mapped_array(locate("token_starts.npy")),
            ),
            CoarseIndex(
                _array_from(read("centroids.npy")),
                _mapped_array(locate("bags.npy")),
                _mapped_array(locate("bag_borders.npy")),
                _mapped_array(locate("within.npy")),
                _mapped_array(locate("within_borders.npy")),
            ),
        )


def _first(sentences: Table, chunks: int) -> Table:
    first: Table = np.searchsorted(sentences[:, 0], np.arange(chunks + 1))
    return first


def _document_line(document: Document, start: int, end: int) -> str:
    content: dict[str, Any] = {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        "bytes": [start, end],
        "sections": [[list(s.path), s.start, s.end] for s in document.sections],
    }
    # What most documents do not have is left out.
    content |= {"metadata": dict(document.metadata)} if document.metadata else {}
    content |= {"pages": list(document.pages)} if document.pages else {}
    # ASCII, so that no character of a title can be taken for a line end.
    return json.dumps(content) + "\n"


def _document_from(content: dict[str, Any], texts: bytes) -> Document:
    start, end = content["bytes"]
    sections = tuple(Section(tuple(path), a, b) for path, a, b in content["sections"])
    text = texts[start:end].decode()
    return Document(
        content["id"],
        content["title"],
        text,
        content["url"],
        sections,
        content.get("metadata", {}),
        tuple(content.get("pages", ())),
    )


def _array_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array_from(data: bytes) -> NDArray[Any]:
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))


def _mapped_array(path: Path) -> NDArray[Any]:
    # As a plain array: every slice of a memmap costs ten times a plain one's.
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
