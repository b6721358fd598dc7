"""Upgrade an index of an older format.

Format 5 records how often the model read each chunk, and what ran the model. In every index of
format 4 it was read twice, by a runtime that is not known, and the index is copied with that; the
next update encodes everything again. Format 4 cuts documents into other chunks than those before
it, so that nothing of theirs can be converted: an older index is built again, from the sources and
settings that its manifest records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragkit.chunking import Chunker
from ragkit.commands import beside, command
from ragkit.corpus import SourceFile, iter_sources
from ragkit.encoding import Fingerprint, recorded_encoder
from ragkit.errors import IndexDamagedError, IndexMismatchError, IndexStaleError, SourceError
from ragkit.index.config import RetrievalConfig
from ragkit.index.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    damaged_manifest,
    documents_of,
    format_of,
)
from ragkit.index.protocol import Progress
from ragkit.index.publish import draft_folder, open_tables_of, publish, write_lock
from ragkit.indexing.builder import BuildSettings, build_and_publish, ids_of_files
from ragkit.storage.checksums import SUMS, SealBrokenError, file_records, unseal
from ragkit.storage.tables import FolderTables, copy_tables, json_bytes

__all__ = ["upgrade"]

_CONVERTED, _READINGS, _ABOUT = 4, 2, "corpus.json"


def upgrade(directory: Path, *, progress: Progress | None = None) -> bool:
    """Upgrade the index in ``directory`` to the current format.

    Returns:
        Whether there was anything to do: False if the index has the current format already.

    Raises:
        IndexMismatchError: the index is newer than this version of ragkit, or was built from
            documents in memory, which cannot be loaded again.
        IndexStaleError: a source is missing or changed.
        RagkitError: what ``Manifest.load`` and ``build`` raise.

    """
    if format_of(directory) == FORMAT:
        Manifest.load(directory)  # raises if the manifest is damaged
        return False
    with write_lock(directory):
        try:
            record = unseal((directory / MANIFEST).read_bytes())
        except SealBrokenError as error:
            raise damaged_manifest(directory / MANIFEST, str(error)) from error
        if record["format"] == _CONVERTED:
            with suppress(IndexDamagedError):  # then it is built again, as an older one is
                _convert(directory, record)
                return True
        paths = _source_paths(directory, record)
        settings = BuildSettings(
            Chunker(**record["chunker"]),
            RetrievalConfig(record["weights"]["reverse"], record["weights"]["rarity"]),
            record.get("memory"),
        )
        encoder = recorded_encoder(Fingerprint.from_dict(record["encoder"]))
        recorded = [
            SourceFile(name, directory / source["path"], source["sha256"])
            for source in record["sources"]
            for name in documents_of(source)
        ]
        # The ids stay, since what people said about the documents has them.
        documents = iter_sources(paths, ids=ids_of_files(recorded))
        build_and_publish(
            directory, documents, encoder, settings, inputs=documents.inputs, progress=progress
        )
    return True


def _convert(directory: Path, record: Mapping[str, Any]) -> None:
    """Publish the same data again, with what the current format adds."""
    tokens = {**record["tokens"], "readings": _READINGS}
    encoder = {**record["encoder"], "runtime": None}
    old = Manifest.from_dict({**record, "tokens": tokens, "encoder": encoder})
    names = [name for name in old.files if not name.endswith(SUMS)]
    tables = open_tables_of(directory, old, names)
    about = {**json.loads(tables[_ABOUT][:].tobytes()), "readings": _READINGS, "runtime": None}
    with draft_folder(directory) as folder:
        writer = FolderTables(folder)
        copy_tables({name: table for name, table in tables.items() if name != _ABOUT}, writer)
        writer.append(_ABOUT, json_bytes(about))
        writer.finish()
        publish(directory, folder, replace(old, files=file_records(folder)))


def _source_paths(directory: Path, record: Mapping[str, Any]) -> list[Path]:
    """The source files of an index, unchanged since it was built."""
    paths: dict[Path, None] = {}
    for source in record["sources"]:
        if source["path"] is None:
            raise IndexMismatchError(
                f"the index at {directory} has format {record['format']} and was built from "
                f"documents in memory; expected source files. Build it again from the documents."
            )
        path = directory / source["path"]
        try:
            actual = SourceFile("", path, source["sha256"]).current_sha256()
        except SourceError as error:
            raise IndexStaleError(
                f"the index at {directory} has format {record['format']} and has to be built "
                f"again, but: {error} {_how_to_build_anew(directory)}"
            ) from error
        if actual != source["sha256"]:
            raise IndexStaleError(
                f"the source {path} has sha256 {actual[:16]}…, but the index at {directory} was "
                f"built from {source['sha256'][:16]}…. {_how_to_build_anew(directory)}"
            )
        paths[path] = None
    return list(paths)


def _how_to_build_anew(directory: Path) -> str:
    return (
        f"Restore the file, or build a new index from the changed sources beside it: "
        f"{command('ragkit index build SOURCE… --out', beside(directory, '-new'))}"
    )
