"""What an index holds, in memory or as files. Immutable, so readers share it freely.

Tables of a generation, each a file where it lies on a disk:

    corpus.json             what the others mean: sizes, how they are searched and coded
    documents.jsonl, document_borders.npy, document_ids.npy, texts.bin
                            the documents, as ``documents`` has them
    chunks.npy              (n, 4) int64: document, section, start, end
    chunk_keys.npy          (n, 16) uint8: a digest of what the model read of each chunk
    first_sentences.npy     (n + 1,) int64: the first row of each chunk in ``sentences``
    sentences.npy           (m, 2) int64: start, end
    stems.bin, stem_borders.npy, postings.npy, posting_borders.npy
                            the ``lexicon``: per stem, which chunks have it (int32)
    dense.faiss             the chunk vectors, as FAISS searches them
    vectors.npy             (n, d) float32: the same in full, where FAISS does not keep them so
    tokens.npy, token_scales.npy, token_starts.npy, segments.npy
                            token vectors for ``late`` interaction, a row each
    centroids.npy           (c, d) float32: what the ``coarse`` order compares a question with
    bags.npy, bag_borders.npy        per chunk, the centroids of its tokens
    within.npy, within_borders.npy   per sentence, the centroids of its tokens
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.centroids import CoarseIndex
from ragkit.index.documents import Documents
from ragkit.index.filters import Conditions, refuse_unknown
from ragkit.index.postings import Lexicon
from ragkit.index.protocol import CoarseRows, Numbers, TokenRows
from ragkit.index.quantization import TokenCode
from ragkit.index.token_vectors import LateIndex, ReadChunk
from ragkit.index.vectors import DenseIndex, Searching
from ragkit.storage.rows import Rows
from ragkit.text.spans import Span
from ragkit.types import Chunk, Document

__all__ = ["LocalData", "describe"]


class LocalData:
    """An index in memory or on disk. What it offers to retrieval says ``IndexData``."""

    def __init__(self, files: Mapping[str, Rows]) -> None:
        """``files``: the tables, by name."""
        self.files = files
        self.about: dict[str, Any] = json.loads(files["corpus.json"][:].tobytes())
        self._chunks, self._sentences = files["chunks.npy"], files["sentences.npy"]
        self._first = files["first_sentences.npy"]
        code = TokenCode(self.about["token_bits"], self.about["dimension"])
        self._documents = Documents(files)
        self._lexicon = Lexicon(files, len(self._chunks))
        self._late = LateIndex(files, code, self._first)
        self._coarse = CoarseIndex(files, self._first)
        self._dense = DenseIndex.open(files, Searching(**self.about["dense"]))

    # What retrieval asks.

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        title: str | None = self.about["title"]
        return title if conditions is None else self._documents.title_of(conditions)

    @property
    def counts(self) -> Mapping[str, int]:
        return {
            "documents": len(self._documents),
            "chunks": len(self._chunks),
            "sentences": len(self._sentences),
        }

    @property
    def documents(self) -> Documents:
        return self._documents

    def __len__(self) -> int:
        return len(self._chunks)

    def document(self, document_id: str) -> Document:
        return self._documents.by_id(document_id)

    def chunk(self, number: int) -> Chunk:
        document, section, start, end = self._chunks[number].tolist()
        first, last = self._first[number : number + 2].tolist()
        sentences = tuple(Span(a, b) for a, b in self._sentences[first:last].tolist())
        return Chunk(self._documents[document].id, section, start, end, sentences)

    def text_of(self, number: int) -> str:
        document, _, start, end = self._chunks[number].tolist()
        return str(self._documents[document].text[start:end])

    def learn(self, stems: Sequence[str]) -> None:
        """Nothing is far away here."""

    def idf(self, stem: str) -> float:
        return self._lexicon.idf(stem)

    def knows(self, stem: str) -> bool:
        return stem in self._lexicon

    def allowed(self, conditions: Conditions) -> NDArray[np.bool_]:
        """``(n,)``: which chunks are of documents that fulfil all conditions."""
        if len(self._documents):
            refuse_unknown(conditions, self.about["properties"])
        found: NDArray[np.bool_] = self._documents.fulfilling(conditions)[self._chunks[:][:, 0]]
        return found

    def nearest(
        self, vector: Vectors, depth: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Numbers, Vectors]:
        cosines, chunks = self._dense.search(vector, depth, allowed)
        return chunks, cosines

    def with_words(
        self, weights: Mapping[str, float], depth: int, allowed: NDArray[np.bool_] | None = None
    ) -> Numbers:
        return self._lexicon.best(weights, depth, allowed)

    def cosines(self, vector: Vectors, chunks: Numbers) -> Vectors:
        found: Vectors = self._dense.vectors_of(chunks) @ vector
        return found

    def coverage(self, weights: Mapping[str, float], chunks: Numbers) -> NDArray[np.float32]:
        return self._lexicon.coverage(weights, chunks)

    def coarse(self, chunks: Numbers) -> CoarseRows:
        return self._coarse.rows(chunks)

    def tokens(self, chunks: Numbers) -> TokenRows:
        return self._late.rows(chunks)

    # What other builds and stores take over.

    @property
    def token_code(self) -> TokenCode:
        """How its token vectors are kept."""
        return self._late.code

    @property
    def searching(self) -> Searching:
        """How its vectors are searched, and how well."""
        return self._dense.searching

    def chunks_of(self, document: int) -> list[Chunk]:
        """The chunks of a document, by its number."""
        borders = np.searchsorted(self._chunks[:][:, 0], [document, document + 1]).tolist()
        return [self.chunk(number) for number in range(*borders)]

    def keys(self) -> NDArray[np.uint8]:
        """``(n, 16)``: a digest of what the model read of each chunk."""
        return self.files["chunk_keys.npy"][:]

    def read_chunk(self, number: int) -> ReadChunk:
        """What is kept of what the model read of a chunk."""
        [vector] = self.vectors_of(np.asarray([number]))
        return ReadChunk(vector, self._late.chunk(number, int(self._chunks[number][2])))

    def vectors_of(self, chunks: Numbers) -> Vectors:
        """``(n, d)``: the one vector of each of ``chunks``."""
        return self._dense.vectors_of(chunks)

    def stems(self) -> Iterator[tuple[str, NDArray[np.int32]]]:
        """Each stem, in the order of its bytes, and the chunks that have it."""
        return iter(self._lexicon)


def describe(
    *, dimension: int, title: str | None, properties: set[str], bits: int, searching: Searching
) -> dict[str, Any]:
    """The content of ``corpus.json``."""
    return {
        "dimension": dimension,
        "title": title,
        "properties": sorted(properties),
        "token_bits": bits,
        "dense": asdict(searching),
    }
