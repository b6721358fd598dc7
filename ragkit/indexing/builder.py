"""Sources → an index, in memory or published in a folder; and how one is read again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ragkit.chunking import Chunker
from ragkit.corpus import SourceFile, Sources, iter_sources
from ragkit.encoding import Encoder, Fingerprint
from ragkit.errors import (
    IndexDamagedError,
    IndexMismatchError,
    IndexReadError,
    IndexStaleError,
    SourceError,
)
from ragkit.index.config import Weights
from ragkit.index.journal import Journal
from ragkit.index.local import LocalData
from ragkit.index.manifest import FileRecord, Manifest, SourceRecord
from ragkit.index.protocol import Progress
from ragkit.index.publish import drafting, opened, publish, records, write_lock
from ragkit.indexing.pipeline import Earlier, Known, Reader, build_data
from ragkit.storage.tables import FolderTables, MemoryTables, Tables, copy_tables
from ragkit.types import Document

__all__ = [
    "Made",
    "Recipe",
    "build",
    "is_remote",
    "publish_read",
    "read",
    "recipe_of",
    "refuse_changed",
    "refuse_other",
    "save",
    "sources_of",
    "update",
]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What shapes an index beside its sources and its model.

    ``memory``: as for ``choose_layout``.
    """

    chunker: Chunker = field(default_factory=Chunker)
    weights: Weights = field(default_factory=Weights)
    memory: int | None = None


@dataclass(frozen=True)
class Made:
    """An index with all that its manifest says.

    ``published``: what the manifest says of its files; None for one in memory.
    """

    data: LocalData
    fingerprint: Fingerprint
    recipe: Recipe
    sources: tuple[SourceFile, ...]
    published: Mapping[str, FileRecord] | None = None

    def manifest(self, directory: Path = Path()) -> Manifest:
        """What to publish in ``directory``."""
        return Manifest(
            encoder=self.fingerprint,
            dimension=self.data.token_code.dimension,
            chunker=self.recipe.chunker,
            weights=self.recipe.weights,
            searching=self.data.searching,
            token_bits=self.data.token_code.bits,
            memory=self.recipe.memory,
            sources=tuple(_source_record(directory, source) for source in self.sources),
            counts=dict(self.data.counts),
            files=self.files,
        )

    @cached_property
    def files(self) -> Mapping[str, FileRecord]:
        """What its files are, or would be."""
        if self.published is not None:
            return self.published
        with tempfile.TemporaryDirectory() as folder:
            _copy(self.data, Path(folder))
            return records(Path(folder))

    @property
    def named(self) -> str:
        """The generation that its data has, published or not."""
        return self.manifest().generation


def build(
    sources: Sources,
    encoder: Encoder,
    recipe: Recipe,
    directory: Path | None = None,
    *,
    progress: Progress | None = None,
    reader: Reader | None = None,
) -> Made:
    """Read, chunk and encode; publish in ``directory`` if one is given.

    What was encoded until an interruption is kept there and used again. ``reader``: as for
    ``build_data``.

    Raises SourceError, EncoderError, InputError, IndexLockedError, IndexWriteError.
    """
    read = iter_sources(sources)
    if directory is None:
        data, origins = _filled(
            read, encoder, recipe, MemoryTables(), Journal(None, encoder),
            progress=progress, reader=reader,
        )  # fmt: skip
        return Made(data, encoder.fingerprint, recipe, origins)
    # Locked before the work, so that a second builder is told now and not at the end.
    with write_lock(directory):
        return publish_read(directory, read, encoder, recipe, progress=progress, reader=reader)


def update(
    directory: Path,
    sources: Sources,
    encoder: Encoder,
    *,
    progress: Progress | None = None,
    reader: Reader | None = None,
) -> Made:
    """Make the index in ``directory`` that of ``sources``, as a fresh build would.

    Raises what ``build`` and ``read`` raise.
    """
    with write_lock(directory):
        old = read(directory)
        refuse_other(directory, encoder.fingerprint, old.fingerprint)
        return publish_read(
            directory, iter_sources(sources), encoder, old.recipe,
            progress=progress, earlier=Earlier.of(old.data), reader=reader,
        )  # fmt: skip


def save(made: Made, directory: Path) -> None:
    """Publish a copy in ``directory``. Raises IndexLockedError or IndexWriteError."""
    with write_lock(directory), drafting(directory) as folder:
        _copy(made.data, folder)
        copied = replace(made, published=records(folder))
        publish(directory, folder, copied.manifest(directory))


def read(directory: Path) -> Made:
    """The published generation; if it is replaced meanwhile, the new one.

    Raises IndexNotFoundError, IndexDamagedError, IndexReadError, IndexMismatchError.
    """
    manifest = Manifest.read(directory)
    while True:
        try:
            data = opened(directory, manifest)
        except (IndexDamagedError, IndexReadError):  # Windows refuses what is being removed
            current = Manifest.read(directory)
            if current.generation == manifest.generation:
                raise
            manifest = current
            continue
        return Made(
            data,
            manifest.encoder,
            recipe_of(manifest),
            sources_of(directory, manifest),
            manifest.files,
        )


def is_remote(location: object) -> bool:
    """Whether it is an address, and no path."""
    return isinstance(location, str) and "://" in location


def refuse_other(
    directory: str | os.PathLike[str], found: Fingerprint, expected: Fingerprint
) -> None:
    """Raises IndexMismatchError if another model would read for the index than made it."""
    if found.digest != expected.digest:
        raise IndexMismatchError(
            f"the index at {directory} was made by the model {expected.name!r} (fingerprint "
            f"{expected.digest[:16]}), but {found.name!r} (fingerprint {found.digest[:16]}) would "
            f"read for it; their vectors cannot be compared. Use that model, or rebuild: "
            f"ragkit index build SOURCE… --out {directory}"
        )


def refuse_changed(directory: Path, sources: Sequence[SourceFile]) -> None:
    """Raises IndexStaleError if a source lies where it lay, but is another."""
    # Of many documents in one file, each has its path and checksum.
    for source in {(source.path, source.sha256): source for source in sources}.values():
        try:
            found = source.current_sha256()
        except SourceError:
            continue  # The index was carried elsewhere; it stands for itself.
        if found != source.sha256:
            raise IndexStaleError(
                f"{source.path} has sha256 {found[:16]}…, but the index at {directory} was built "
                f"from {source.sha256[:16]}…. Rebuild it: ragkit index build {source.path} --out "
                f"{directory} (or open it with check_sources=False)."
            )


def publish_read(
    directory: Path,
    read: Iterable[tuple[Document, SourceFile]],
    encoder: Encoder,
    recipe: Recipe,
    *,
    progress: Progress | None = None,
    earlier: Known | None = None,
    reader: Reader | None = None,
) -> Made:
    """Make an index of documents and publish it; the lock must be held.

    ``earlier``, ``reader``: as for ``build_data``.
    """
    with drafting(directory) as folder:
        data, origins = _filled(
            read, encoder, recipe, FolderTables(folder), Journal(directory, encoder),
            progress=progress, earlier=earlier, reader=reader,
        )  # fmt: skip
        made = Made(data, encoder.fingerprint, recipe, origins, records(folder))
        manifest = made.manifest(directory)
        publish(directory, folder, manifest)
    return replace(made, data=opened(directory, manifest))


def recipe_of(manifest: Manifest) -> Recipe:
    """What shaped the index of that manifest."""
    return Recipe(manifest.chunker, manifest.weights, manifest.memory)


def sources_of(directory: Path, manifest: Manifest) -> tuple[SourceFile, ...]:
    """Where each document of the index in ``directory`` came from."""
    return tuple(_source_file(directory, source) for source in manifest.sources)


def _filled(
    read: Iterable[tuple[Document, SourceFile]],
    encoder: Encoder,
    recipe: Recipe,
    tables: Tables,
    journal: Journal,
    *,
    progress: Progress | None,
    earlier: Known | None = None,
    reader: Reader | None,
) -> tuple[LocalData, tuple[SourceFile, ...]]:
    origins: list[SourceFile] = []

    def documents() -> Iterator[Document]:
        for document, origin in read:
            origins.append(origin)
            yield document

    data = build_data(
        documents(), encoder, recipe.chunker, tables, journal,
        progress=progress, earlier=earlier, memory=recipe.memory, reader=reader,
    )  # fmt: skip
    return data, tuple(origins)


def _copy(data: LocalData, folder: Path) -> None:
    tables = FolderTables(folder)
    copy_tables(data.files, tables)
    tables.finished()


def _source_record(directory: Path, source: SourceFile) -> SourceRecord:
    """The path is kept relative to the index, so that a checkout can lie anywhere."""
    if source.path is None:
        return SourceRecord(source.document_id, None, source.sha256)
    relative = os.path.relpath(source.path.resolve(), directory.resolve())
    return SourceRecord(source.document_id, Path(relative).as_posix(), source.sha256)


def _source_file(directory: Path, source: SourceRecord) -> SourceFile:
    path = None if source.path is None else directory / source.path
    return SourceFile(source.document_id, path, source.sha256)
