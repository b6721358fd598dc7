"""Repair a damaged index from its intact files and its sources.

Texts come from the index's own tables, or if those are damaged from the source files, provided that
these are unchanged; chunks whose vectors are intact are not encoded again, unless the index does
not say what ran the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ragkit.commands import command
from ragkit.corpus import SourceFile, iter_sources
from ragkit.encoding import Encoder
from ragkit.errors import IndexDamagedError, SourceError
from ragkit.index.documents import Documents
from ragkit.index.journal import EncodedChunk, Key
from ragkit.index.local import LocalData
from ragkit.index.manifest import Manifest
from ragkit.index.protocol import Progress
from ragkit.index.publish import open_generation, open_tables_of, verify, write_lock
from ragkit.index.vectors import Layout
from ragkit.indexing.builder import (
    PreviousIndex,
    build_and_publish,
    check_encoder,
    settings_of,
    sources_of,
)
from ragkit.indexing.pipeline import PreviousBuild
from ragkit.storage.arrays import Table
from ragkit.storage.checksums import SUMS
from ragkit.types import Chunk, Document

__all__ = ["damaged_files", "repair"]


def damaged_files(directory: Path, manifest: Manifest) -> list[str]:
    """Verify every byte; return the names of the files that differ from the manifest."""
    damaged = []
    for name in manifest.files:
        try:
            verify(directory, manifest, [name])
        except IndexDamagedError:
            damaged.append(name)
    return damaged


def repair(directory: Path, encoder: Encoder, *, progress: Progress | None = None) -> list[str]:
    """Publish the index anew if files of it are damaged; return their names.

    Args:
        encoder: the model that encoded the index, for chunks whose vectors are lost.

    Raises:
        IndexDamagedError: neither the texts nor their sources are intact, or the manifest is
            damaged.
        IndexNotFoundError, IndexReadError, IndexMismatchError: the index cannot be opened.
        IndexLockedError, IndexWriteError: the index cannot be written.

    """
    with write_lock(directory):
        manifest = Manifest.load(directory)
        check_encoder(directory, encoder.fingerprint, manifest.encoder)
        damaged = damaged_files(directory, manifest)
        if damaged:
            build_and_publish(
                directory,
                _documents(directory, manifest, damaged),
                encoder,
                settings_of(manifest),
                previous=_intact(directory, manifest),
                progress=progress,
            )
    return damaged


def _documents(
    directory: Path, manifest: Manifest, damaged: list[str]
) -> Iterator[tuple[Document, SourceFile]]:
    """All documents with their sources, from the index or from the source files."""
    sources = sources_of(directory, manifest)
    if not set(damaged) & {name + end for name in Documents.NAMES for end in ("", SUMS)}:
        documents = Documents(open_tables_of(directory, manifest, list(Documents.NAMES)))
        return zip(documents, sources, strict=True)
    return iter(_from_sources(directory, sources, damaged, manifest.language))


def _from_sources(
    directory: Path, sources: tuple[SourceFile, ...], damaged: list[str], language: str | None
) -> list[tuple[Document, SourceFile]]:
    """All documents from the source files. Raises IndexDamagedError if these have changed."""
    paths = list(dict.fromkeys(source.path for source in sources if source.path is not None))
    with suppress(SourceError, StopIteration):
        loaded: dict[Path | None, list[tuple[Document, SourceFile]]] = {None: []}
        for document, origin in iter_sources(paths, language=language):
            loaded.setdefault(origin.path, []).append((document, origin))
        pending = {path: iter(documents) for path, documents in loaded.items()}
        documents = [next(pending[source.path]) for source in sources]
        if [origin.sha256 for _, origin in documents] == [source.sha256 for source in sources]:
            # A file named alone may have another default id than in its folder. What it was parsed
            # with is not what it was parsed with then, so that its digest no longer holds.
            return [
                (replace(document, id=source.document_id), replace(source, inputs=None))
                for (document, _), source in zip(documents, sources, strict=True)
            ]
    raise IndexDamagedError(
        f"the index at {directory} cannot be repaired: {', '.join(damaged)} is damaged, and not "
        f"all of its {len(paths)} source files are where and what they were. Restore them and "
        f"repair it then, or build the index from others: "
        f"{command('ragkit index build SOURCE… --out', directory)}"
    )


def _intact(directory: Path, manifest: Manifest) -> PreviousBuild | None:
    """What is intact of the encoded chunks."""
    try:
        return _DamagedIndex(PreviousIndex.of(open_generation(directory, manifest)))
    except IndexDamagedError:
        return None


class _DamagedIndex:
    """A previous index with damaged blocks, which counts as not having what they hold."""

    def __init__(self, previous: PreviousIndex) -> None:
        self._previous = previous

    def chunks(self, document: Document) -> list[Chunk] | None:
        with suppress(IndexDamagedError):
            return self._previous.chunks(document)
        return None

    def get(self, keys: Sequence[Key]) -> list[EncodedChunk | None]:
        return [self._get(key) for key in keys]

    def missing(self, keys: Sequence[Key]) -> list[Key]:
        return [key for key in keys if self._get(key) is None]

    def unchanged(self, *_: Mapping[str, Table] | Layout | str | int) -> LocalData | None:
        return None  # a part of it is damaged

    def serves(self, layout: Layout, runtime: str) -> bool:
        return self._previous.serves(layout, runtime)

    def _get(self, key: Key) -> EncodedChunk | None:
        with suppress(IndexDamagedError):
            [chunk] = self._previous.get([key])
            return chunk
        return None
