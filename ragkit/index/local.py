"""LocalData: an index in memory or memory-mapped. Immutable, so readers share it freely.

The tables of a generation; on disk each is a file:

    corpus.json             what the others mean: sizes, search settings, quantization
    documents.jsonl, document_borders.npy, document_ids.npy, texts.bin
                            the documents (``documents``)
    chunks.npy              (n, 6) int64: document, section, start, end, start and end of the lead
                            (equal where there is none)
    chunk_keys.npy          (n, 16) uint8: a digest of what the model encoded of each chunk
    first_sentences.npy     (n + 1,) int64: the first row of each chunk in ``sentences``
    sentences.npy           (m, 2) int64: start, end
    stems.bin, stem_borders.npy, postings.npy, posting_borders.npy
                            for each stem, the chunks that have it (``postings``)
    dense.faiss             the chunk vectors as FAISS searches them (``vectors``)
    vectors.npy             (n, d) float32: the full vectors, unless FAISS keeps them
    tokens.npy, token_scales.npy, token_starts.npy
                            the token vectors, one row each (``token_vectors``); a compact index
                            has no scales
    segments.npy            offsets of the runs of tokens (``TokenLayout``)
    centroids.npy           (c, d) float16: centroids of the token vectors (``centroids``)
    bags.npy, bag_borders.npy        for each chunk, the distinct centroid ids of its context and of
                                     its sentences (with two readings: as encoded alone)
    within.npy, within_borders.npy   for each sentence, the same for its tokens within the chunk
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.centroids import CentroidIndex, CentroidRows
from ragkit.index.documents import Documents
from ragkit.index.filters import Conditions, check_properties
from ragkit.index.journal import EncodedChunk
from ragkit.index.postings import Postings
from ragkit.index.protocol import AllowedChunks
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import TokenRows, TokenVectors
from ragkit.index.vectors import SearchSettings, VectorIndex
from ragkit.storage.arrays import Integers, Table
from ragkit.types import Chunk, Document, Span

__all__ = ["CHUNK_COLUMNS", "LocalData", "chunk_of_row", "corpus_record", "row_of_chunk"]

CHUNK_COLUMNS = 6


def row_of_chunk(document: int, chunk: Chunk) -> tuple[int, ...]:
    """Return a row of ``chunks.npy``; ``document``: the number of the chunk's document."""
    return (document, chunk.section, chunk.start, chunk.end, *(chunk.lead or (0, 0)))


def chunk_of_row(document_id: str, place: Sequence[int], sentences: NDArray[np.int64]) -> Chunk:
    """Return the chunk of a row of ``chunks.npy``, given without the document's number."""
    section, start, end, *lead = place
    spans = tuple([Span(a, b) for a, b in sentences.tolist()])
    return Chunk(document_id, section, start, end, spans, Span(*lead) if any(lead) else None)


class LocalData:
    """An index on this machine. Implements ``IndexData``, which documents the shared methods."""

    def __init__(
        self, tables: Mapping[str, Table], check_files: Callable[[], None] | None = None
    ) -> None:
        """Args:
        tables: all tables, by name.
        check_files: raises IndexDamagedError if a file that they are mapped from was cut short.

        """
        self.tables = tables
        self._check_files = check_files
        self.about: dict[str, Any] = json.loads(tables["corpus.json"][:].tobytes())
        self._chunks, self._sentences = tables["chunks.npy"], tables["sentences.npy"]
        self._first = tables["first_sentences.npy"]
        quantizer = TokenQuantizer(
            self.about["token_bits"], self.about["dimension"], self.about.get("compact", False)
        )
        self._documents = Documents(tables)
        self._postings = Postings(tables, len(self._chunks))
        self._tokens = TokenVectors(
            tables, quantizer, self._first, self._sentences, self.about["readings"]
        )
        self._centroids = CentroidIndex(tables, self._first)
        self._vectors = VectorIndex.open(tables, SearchSettings(**self.about["dense"]))

    # What retrieval asks (IndexData).

    def check_files(self) -> None:
        if self._check_files is not None:
            self._check_files()

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

    @property
    def properties(self) -> Sequence[str]:
        names: Sequence[str] = self.about["properties"]
        return names

    @property
    def languages(self) -> Mapping[str, int]:
        languages: Mapping[str, int] = self.about.get("languages", {})
        return languages

    def __len__(self) -> int:
        return len(self._chunks)

    def title_of(self, conditions: Conditions | None = None) -> str | None:
        title: str | None = self.about["title"]
        return title if conditions is None else self._documents.title_of(conditions)

    def document(self, document_id: str) -> Document:
        return self._documents.by_id(document_id)

    def chunks(self, numbers: Sequence[int]) -> list[Chunk]:
        return [self._chunk(number) for number in numbers]

    def texts(self, numbers: Sequence[int]) -> list[str]:
        rows = [self._chunks[number].tolist() for number in numbers]
        texts = {document: self._documents[document].text for document in {row[0] for row in rows}}
        return [texts[row[0]][row[2] : row[3]] for row in rows]

    def frequencies(self, stems: Sequence[str], allowed: AllowedChunks | None = None) -> list[int]:
        if allowed is None:
            return self._postings.frequencies(stems)
        return self._postings.allowed_frequencies(stems, allowed.chunks)

    def allowed(self, conditions: Conditions) -> AllowedChunks:
        if len(self._documents):
            check_properties(conditions, self.properties)
        documents = self._documents.matching(conditions)
        return AllowedChunks(documents[self._chunks[:][:, 0]], documents)

    def nearest(
        self, vector: Vectors, depth: int, allowed: AllowedChunks | None = None
    ) -> tuple[Integers, Vectors]:
        cosines, chunks = self._vectors.search(
            vector, depth, None if allowed is None else allowed.chunks
        )
        return chunks, cosines

    def with_stems(
        self, weights: Mapping[str, float], depth: int, allowed: AllowedChunks | None = None
    ) -> Integers:
        return self._postings.best(weights, depth, None if allowed is None else allowed.chunks)

    def vectors_of(self, chunks: Integers) -> Vectors:
        return self._vectors.vectors_of(chunks)

    def cosines(self, vector: Vectors, chunks: Integers) -> Vectors:
        cosines: Vectors = self.vectors_of(chunks) @ vector
        return cosines

    def coverage(self, weights: Mapping[str, float], chunks: Integers) -> NDArray[np.float32]:
        return self._postings.coverage(weights, chunks)

    def centroid_ids(self, chunks: Integers) -> CentroidRows:
        return self._centroids.rows(chunks)

    def token_vectors(self, chunks: Integers) -> TokenRows:
        return self._tokens.rows(chunks)

    # What builds and other stores take over.

    @property
    def quantizer(self) -> TokenQuantizer:
        """The quantizer of its token vectors."""
        return self._tokens.quantizer

    @property
    def readings(self) -> int:
        """How often the model read each chunk."""
        return self._tokens.readings

    @property
    def runtime(self) -> str | None:
        """What ran the model; None if an index of an older format did not say."""
        runtime: str | None = self.about["runtime"]
        return runtime

    @property
    def search_settings(self) -> SearchSettings:
        """How its vectors are searched, and how well."""
        return self._vectors.settings

    def chunks_of(self, document: int) -> list[Chunk]:
        """Return the chunks of a document, by its number."""
        first, last = np.searchsorted(self._chunks[:][:, 0], [document, document + 1]).tolist()
        return self.chunks(range(first, last))

    def keys(self) -> NDArray[np.uint8]:
        """Return ``(n, 16)``: a digest of what the model encoded of each chunk."""
        keys: NDArray[np.uint8] = self.tables["chunk_keys.npy"][:]
        return keys

    def encoded_chunk(self, number: int) -> EncodedChunk:
        """Return the vector and the token vectors of a chunk, as they are stored."""
        [vector] = self.vectors_of(np.asarray([number]))
        first = int(self._first[number])
        return EncodedChunk(vector, self._tokens.chunk(number, int(self._sentences[first][0])))

    def stems(self) -> Iterator[tuple[str, NDArray[np.int32]]]:
        """Iterate over the stems, in the order of their bytes, and the chunks that have them."""
        return iter(self._postings)

    def _chunk(self, number: int) -> Chunk:
        document, *place = self._chunks[number].tolist()
        first, last = self._first[number : number + 2].tolist()
        return chunk_of_row(self._documents[document].id, place, self._sentences[first:last])


def corpus_record(
    *,
    title: str | None,
    properties: set[str],
    languages: Mapping[str, int],
    quantizer: TokenQuantizer,
    readings: int,
    runtime: str,
    settings: SearchSettings,
) -> dict[str, Any]:
    """Return the content of ``corpus.json``."""
    return {
        "dimension": quantizer.dimension,
        "title": title,
        "properties": sorted(properties),
        **({"languages": dict(languages)} if languages else {}),
        "token_bits": quantizer.bits,
        **({"compact": True} if quantizer.compact else {}),
        "readings": readings,
        "runtime": runtime,
        "dense": asdict(settings),
    }
