"""Write the documents and chunks of an index to one file for other programs: JSON Lines or Parquet.

Each record is a document, followed by the records of its chunks. What is written is read piece by
piece, so that an index of any size can be exported.

``Document.from_dict`` rebuilds a document from its record. A chunk's ``id`` is the passage id that
``Index.cite`` takes, and its ``text`` is ``document.text[start:end]``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ragkit.citations.passage_ids import format_passage_id
from ragkit.errors import InputError, MissingExtraError
from ragkit.index import Conditions, IndexData, Progress
from ragkit.types import Chunk, Document, Span

__all__ = ["FORMAT", "export_index"]

FORMAT = 1
_CHUNKS_AT_ONCE = 256
_RECORDS_IN_A_GROUP = 1024
_CHARACTERS_IN_A_GROUP = 1 << 22
"""A row group of Parquet is written when it has as many records, or as much text."""

Record = dict[str, Any]
Write = Callable[[Record], None]


def export_index(
    data: IndexData, path: Path, about: Mapping[str, Any], *, vectors: bool = False,
    replace: bool = False, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Write all documents and chunks to a file, which appears once it is complete.

    Args:
        data: the index.
        path: the file; ``.jsonl`` or ``.parquet``.
        about: what made the index; the first line of JSON Lines, the metadata of Parquet's schema.
        vectors: add the vector of each chunk.
        replace: overwrite the file if it exists.
        progress: called with (chunks written, chunks in all).

    Raises:
        InputError: the suffix is another one, the file exists, or it cannot be written.
        MissingExtraError: for Parquet, pyarrow is not installed.
        StoreError: the index cannot be read.

    """
    opened = _writer(path)
    partial = path.with_name(f".partial-{path.name}")
    try:
        if path.exists() and not replace:
            raise InputError(
                f"{path} exists. Choose another file, or overwrite it with replace=True "
                f"(--replace)."
            )
        with opened(partial, {"format": FORMAT, **about}, vectors) as write:
            for record in _records(data, vectors=vectors, progress=progress):
                write(record)
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. Choose another path."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _records(data: IndexData, *, vectors: bool, progress: Progress | None) -> Iterator[Record]:
    """Yield each document and, after it, its chunks: both are in the order of the corpus."""
    chunks = _chunks(data, vectors=vectors, progress=progress)
    chunk = next(chunks, None)
    for document in data.documents:
        yield {"kind": "document", **document.to_dict()}
        while chunk is not None and chunk[1].document_id == document.id:
            yield _chunk_record(document, *chunk)
            chunk = next(chunks, None)


def _chunks(
    data: IndexData, *, vectors: bool, progress: Progress | None
) -> Iterator[tuple[int, Chunk, list[float] | None]]:
    """Yield each chunk after its number in the export; with its vector if they are exported."""
    # A restricted index has some of the chunks of a whole one, by their numbers there.
    every = np.flatnonzero(data.allowed(Conditions({})).chunks)
    for start in range(0, len(every), _CHUNKS_AT_ONCE):
        numbers = every[start : start + _CHUNKS_AT_ONCE]
        rows = data.vectors_of(numbers).tolist() if vectors else [None] * len(numbers)
        own = range(start, start + len(numbers))
        yield from zip(own, data.chunks(numbers.tolist()), rows, strict=True)
        if progress:
            progress(own.stop, len(every))


def _chunk_record(
    document: Document, number: int, chunk: Chunk, vector: list[float] | None
) -> Record:
    span = Span(chunk.start, chunk.end)
    record = {
        "kind": "chunk",
        "id": format_passage_id(document.id, span),
        "document_id": document.id,
        "number": number,
        "section": list(document.sections[chunk.section].path),
        "start": chunk.start,
        "end": chunk.end,
        "text": document.text[chunk.start : chunk.end],
        "sentences": [_place(sentence) for sentence in chunk.sentences],
        "lead": chunk.lead and _place(chunk.lead),
    }
    return record if vector is None else {**record, "vector": vector}


def _place(span: Span) -> dict[str, int]:
    return {"start": span.start, "end": span.end}


Opened = Callable[[Path, Mapping[str, Any], bool], AbstractContextManager[Write]]


def _writer(path: Path) -> Opened:
    """Return what opens a file of this format."""
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return _json_lines
    if suffix == ".parquet":
        _pyarrow()
        return _parquet
    raise InputError(
        f"{path} ends in {suffix or 'no suffix'}; expected .jsonl or .parquet, which decides the "
        f"format of the export."
    )


@contextmanager
def _json_lines(path: Path, about: Mapping[str, Any], vectors: bool) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:

        def write(record: Record) -> None:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

        write({"kind": "index", **about, "vectors": vectors})
        yield write


@contextmanager
def _parquet(path: Path, about: Mapping[str, Any], vectors: bool) -> Iterator[Write]:
    from pyarrow import Table
    from pyarrow.parquet import ParquetWriter

    schema = _schema({**about, "vectors": vectors})
    group: list[Record] = []
    characters = 0
    with ParquetWriter(os.fspath(path), schema, compression="zstd") as file:

        def flush() -> None:
            nonlocal characters
            file.write_table(Table.from_pylist(group, schema))
            group.clear()
            characters = 0

        def write(record: Record) -> None:
            nonlocal characters
            group.append(_without_types(record))
            characters += len(record["text"])
            if len(group) >= _RECORDS_IN_A_GROUP or characters >= _CHARACTERS_IN_A_GROUP:
                flush()

        yield write
        flush()


def _without_types(record: Record) -> Record:
    """Return the record with its metadata as JSON, since their types differ by document."""
    if "metadata" not in record:
        return record
    return {**record, "metadata": json.dumps(record["metadata"], ensure_ascii=False)}


def _schema(about: Mapping[str, Any]) -> Any:
    """Return the columns: the fields of both kinds of records, in the order of JSON Lines."""
    pa = _pyarrow()
    texts, place = pa.list_(pa.string()), [("start", pa.int64()), ("end", pa.int64())]
    columns = [
        ("kind", pa.string()),
        ("id", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("url", pa.string()),
        ("sections", pa.list_(pa.struct([("path", texts), *place]))),
        ("metadata", pa.string()),
        ("pages", pa.list_(pa.int64())),
        ("language", pa.string()),
        ("document_id", pa.string()),
        ("number", pa.int64()),
        ("section", texts),
        *place,
        ("sentences", pa.list_(pa.struct(place))),
        ("lead", pa.struct(place)),
        *([("vector", pa.list_(pa.float32()))] if about["vectors"] else ()),
    ]
    return pa.schema(columns, metadata={"ragkit": json.dumps(about, ensure_ascii=False)})


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError.of(
            "parquet", "pyarrow", what="an export to Parquet", end="; or export to .jsonl"
        ) from error
    return pa
