"""Build, update, open and save an index, in memory or published in a folder."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from ragkit.chunking import Chunker
from ragkit.commands import arguments, command
from ragkit.corpus import (
    LeftOut,
    ParsedFiles,
    Source,
    SourceFile,
    SourceIterator,
    Sources,
    add_sources,
    iter_sources,
)
from ragkit.corpus.ids import is_mailbox, mailbox_id
from ragkit.encoding import Encoder, Fingerprint
from ragkit.errors import (
    IndexDamagedError,
    IndexExistsError,
    IndexMismatchError,
    IndexReadError,
    IndexStaleError,
    InputError,
    SourceError,
)
from ragkit.index.config import DEFAULT_CONFIG, RetrievalConfig
from ragkit.index.documents import is_same
from ragkit.index.journal import EncodedChunk, Journal, Key
from ragkit.index.local import LocalData
from ragkit.index.manifest import MANIFEST, Manifest, SourceRecord, generation_of, recorded_ids
from ragkit.index.protocol import Progress
from ragkit.index.publish import (
    draft_folder,
    open_generation,
    publish,
    publish_manifest,
    remove_superseded,
    verify,
    write_lock,
)
from ragkit.index.vectors import Layout, choose_layout
from ragkit.indexing.pipeline import ChunkEncoder, PreviousBuild, build_data
from ragkit.progress import STAGE
from ragkit.storage.arrays import Table
from ragkit.storage.checksums import FileRecord, file_records
from ragkit.storage.tables import FolderTables, MemoryTables, TableWriter, copy_tables, is_equal
from ragkit.text.languages import UNDETERMINED
from ragkit.types import Chunk, Document, check_language

_log = logging.getLogger("ragkit")

__all__ = [
    "BuildSettings",
    "LocalIndex",
    "PreviousIndex",
    "build",
    "build_and_publish",
    "check_encoder",
    "how_to_freshen",
    "ids_of_files",
    "is_remote",
    "open_index",
    "save",
    "settings_of",
    "sources_of",
    "update",
    "with_stale_sources",
]


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What shapes an index, apart from its sources and its encoder.

    Attributes:
        chunker: the settings that cut documents into chunks.
        config: the retrieval parameters.
        memory: budget in bytes, as for ``choose_layout``.
        compact: as for ``choose_layout``.
        language: that of documents that state none; None if their words are to tell.

    """

    chunker: Chunker = field(default_factory=Chunker)
    config: RetrievalConfig = DEFAULT_CONFIG
    memory: int | None = None
    compact: bool = False
    language: str | None = None

    def __post_init__(self) -> None:
        check_language(self.language, "language")


@dataclass(frozen=True)
class LocalIndex:
    """An index on this machine: its data, and everything that its manifest records.

    Attributes:
        data: the tables, ready to be searched.
        fingerprint: the model that encoded it.
        settings: what shaped it.
        sources: where each document came from.
        published: the record of each file on disk; None for an index in memory.
        left_out: what of its sources it does not contain; empty for an index that was opened.
        changed: ids of the documents that ``update`` replaced, whatever their sources' checksums.
        stale_sources: source files that had changed or were missing when it was opened.
        missing_sources: source files that were missing then.

    """

    data: LocalData
    fingerprint: Fingerprint
    settings: BuildSettings
    sources: tuple[SourceFile, ...]
    published: Mapping[str, FileRecord] | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    changed: Collection[str] = ()
    stale_sources: tuple[Path, ...] = ()
    missing_sources: tuple[Path, ...] = ()

    def manifest(self, directory: Path = Path()) -> Manifest:
        """Return the manifest to publish in ``directory``."""
        return Manifest(
            encoder=self.fingerprint,
            dimension=self.data.quantizer.dimension,
            chunker=self.settings.chunker,
            config=self.settings.config,
            search=self.data.search_settings,
            token_bits=self.data.quantizer.bits,
            compact=self.settings.compact,
            readings=self.data.readings,
            runtime=self.data.runtime,
            memory=self.settings.memory,
            language=self.settings.language,
            languages=self.data.languages,
            counts=dict(self.data.counts),
            files=self.files,
            sources=tuple(_source_record(directory, source) for source in self.sources),
        )

    @cached_property
    def files(self) -> Mapping[str, FileRecord]:
        """The record of each file; of an index in memory, as it would be on disk."""
        if self.published is not None:
            return self.published
        with tempfile.TemporaryDirectory() as folder:
            _copy(self.data, Path(folder))
            return file_records(Path(folder))

    @cached_property
    def generation(self) -> str:
        """The name of the generation that its data has, published or not."""
        return generation_of(self.files)


@dataclass(frozen=True, slots=True)
class PreviousIndex:
    """The index that an update starts from, made by the same encoder and chunker.

    Attributes:
        data: its tables.
        rows: the row of each chunk.
        changed: ids of the documents that ``chunks`` was asked for and that are no longer the same.

    """

    data: LocalData
    rows: Mapping[Key, int]
    changed: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, data: LocalData) -> PreviousIndex:
        """Index the chunks of ``data`` by their keys."""
        return cls(data, {key.tobytes(): row for row, key in enumerate(data.keys())})

    def chunks(self, document: Document) -> list[Chunk] | None:
        number = self.data.documents.number_of(document.id)
        if number is None:
            return None
        if not is_same(self.data.documents[number], document):
            self.changed.add(document.id)
            return None
        return self.data.chunks_of(number)

    def get(self, keys: Sequence[Key]) -> list[EncodedChunk | None]:
        rows = [self.rows.get(key) for key in keys]
        return [None if row is None else self.data.encoded_chunk(row) for row in rows]

    def missing(self, keys: Sequence[Key]) -> list[Key]:
        return [key for key in keys if key not in self.rows]

    def unchanged(
        self, draft: Mapping[str, Table], layout: Layout, runtime: str, readings: int
    ) -> LocalData | None:
        old = self.data
        is_same = _is_like(old, layout, runtime, readings) and all(
            is_equal(rows, old.tables[name]) for name, rows in draft.items()
        )
        return old if is_same else None

    def serves(self, layout: Layout, runtime: str) -> bool:
        bits, compact = self.data.quantizer.bits, self.data.quantizer.compact
        return self.data.runtime == runtime and (
            bits == 8 or (bits, compact) == (layout.token_bits, layout.compact)
        )


def _is_like(data: LocalData, layout: Layout, runtime: str, readings: int) -> bool:
    """Whether a build from the same documents would make the same data."""
    return (
        data.runtime == runtime
        and data.readings == readings
        and (data.quantizer.bits, data.quantizer.compact) == (layout.token_bits, layout.compact)
        and data.search_settings.faiss == layout.faiss
    )


def build(
    sources: Sources,
    encoder: Encoder,
    settings: BuildSettings,
    directory: Path | None = None,
    *,
    progress: Progress | None = None,
    chunk_encoder: ChunkEncoder | None = None,
    strict: bool = False,
    replace_existing: bool = False,
) -> LocalIndex:
    """Load, chunk and encode ``sources``; publish the index in ``directory`` if one is given.

    What was encoded before an interruption is kept in ``directory`` and used again.

    Args:
        chunk_encoder: as for ``build_data``.
        strict: as for ``iter_sources``.
        replace_existing: drop the documents of an index in ``directory`` that are not in
            ``sources``.

    Raises:
        SourceError, EncoderError, InputError: a source, the model or an argument is unusable.
        IndexExistsError: documents of an existing index would be dropped.
        IndexLockedError, IndexWriteError: the index cannot be written.

    """
    _check_compact(encoder, settings)
    documents = iter_sources(sources, strict=strict, language=settings.language)
    if directory is None:
        data, origins = _write_tables(
            documents, encoder, settings, MemoryTables(), Journal(None, encoder),
            inputs=documents.inputs, progress=progress, chunk_encoder=chunk_encoder,
        )  # fmt: skip
        return LocalIndex(data, encoder.fingerprint, settings, origins, left_out=documents.left_out)
    # Locked before the work, so that a second builder learns of it now and not at the end.
    with write_lock(directory):
        existing = frozenset() if replace_existing else recorded_ids(directory)
        built = build_and_publish(
            directory, _with_all(documents, existing, directory), encoder, settings,
            inputs=documents.inputs, progress=progress, chunk_encoder=chunk_encoder,
        )  # fmt: skip
    return replace(built, left_out=documents.left_out)


def _check_compact(encoder: Encoder, settings: BuildSettings) -> None:
    if settings.compact and encoder.readings == 2:
        raise InputError(
            f"a compact index needs a model that was trained for late interaction, such as the "
            f"default one; {encoder.fingerprint.name!r} was not, and 2 bits a component would lose "
            f"the order of its token vectors. Build without --compact, or with another model."
        )


_SHOWN = 3
"""Documents that an error names."""


def _with_all(
    documents: SourceIterator, existing: frozenset[str], directory: Path
) -> Iterator[tuple[Document, SourceFile]]:
    """Yield documents. Raises IndexExistsError at the end if one of the existing ones is not there.

    Documents are all loaded before anything is encoded, so this is known soon.
    """
    missing = set(existing)
    for document, origin in documents:
        missing.discard(document.id)
        yield document, origin
    if missing:
        some = ", ".join([*sorted(missing)[:_SHOWN], *(["…"] if len(missing) > _SHOWN else [])])
        sources = _as_arguments(documents.sources)
        raise IndexExistsError(
            f"the index at {directory} has documents that these sources lack, {len(missing)} in "
            f"all ({some}); a build would drop them. To bring it up to date: "
            f"{command('ragkit index update', directory)}. To add to it: "
            f"{command('ragkit index update', directory, end=f'--add {sources}')}. To drop them: "
            f"{command(f'ragkit index build {sources} --out', directory, end='--replace')}"
        )


def _as_arguments(sources: Sequence[Source]) -> str:
    """The sources as a command line has them; a placeholder if they are many, or in memory."""
    if len(sources) > _SHOWN or any(isinstance(source, Document) for source in sources):
        return "SOURCE…"
    return arguments(*sources)


def update(
    directory: Path,
    sources: Sources | None,
    encoder: Encoder,
    *,
    progress: Progress | None = None,
    chunk_encoder: ChunkEncoder | None = None,
    strict: bool = False,
    drop_missing: bool = False,
    add: bool = False,
    language: str | None = None,
) -> LocalIndex:
    """Make the index in ``directory`` equal to a fresh build from ``sources``.

    ``sources``: None for the files that the index was built from; with ``drop_missing``, for those
    of them that are still there. With ``add``, those files and ``sources``. Recorded files keep
    the ids of their documents, which may follow from the folder that they were found in.
    ``language``: replaces the one that was recorded; ``und``: their words are to tell again.

    Raises:
        RagkitError: what ``build`` and ``open_index`` raise.

    """
    with write_lock(directory):
        old = open_index(directory)
        check_encoder(directory, encoder.fingerprint, old.fingerprint)
        if language is not None:
            stated = None if language == UNDETERMINED else language
            old = replace(old, settings=replace(old.settings, language=stated))
        if add and sources is None:
            raise InputError("there is nothing to add; expected sources beside --add.")
        ids: Mapping[Path, str] = {}
        if sources is None or add:
            recorded = _recorded_files(directory, old.sources, drop_missing=drop_missing)
            sources = recorded if sources is None else add_sources(recorded, sources)
            ids = ids_of_files(old.sources)
        STAGE.get()("Comparing the sources", 0, None)
        parsed = ParsedFiles(old.sources, old.data.documents)
        documents = iter_sources(
            sources, strict=strict, parsed=parsed, ids=ids,
            language=old.settings.language,
        )  # fmt: skip
        origins = documents.unchanged() if _would_rebuild(old, encoder) else None
        if origins is not None:
            same = replace(old, sources=origins, fingerprint=encoder.fingerprint)
            _record(directory, same.manifest(directory))
            return replace(same, left_out=documents.left_out)
        previous = PreviousIndex.of(old.data)
        updated = build_and_publish(
            directory, documents, encoder, old.settings, inputs=documents.inputs,
            progress=progress, previous=previous, old=old, chunk_encoder=chunk_encoder,
        )  # fmt: skip
    return replace(updated, left_out=documents.left_out, changed=frozenset(previous.changed))


def _would_rebuild(index: LocalIndex, encoder: Encoder) -> bool:
    """Whether a build of the index's documents with ``encoder`` would make its data again."""
    layout = choose_layout(
        len(index.data), encoder.dimension, index.settings.memory,
        readings=encoder.readings, compact=index.settings.compact,
    )  # fmt: skip
    return _is_like(index.data, layout, encoder.runtime, encoder.readings)


def _recorded_files(
    directory: Path, sources: Sequence[SourceFile], *, drop_missing: bool
) -> list[Path]:
    """The files that an index was built from, or with ``drop_missing`` those that are there.

    Raises SourceError if some are missing and may not be, or all are.
    """
    paths = list(dict.fromkeys([source.path for source in sources]))
    if None in paths:
        raise SourceError(
            f"the index at {directory} was built from documents in memory; expected files. Pass "
            f"all documents: Index.update(path, documents)."
        )
    files = [path for path in paths if path]
    missing = [path for path in files if not path.exists()]
    if len(missing) == len(files) or (missing and not drop_missing):
        drop = command("ragkit index update", directory, end="--drop-missing")
        others = "" if len(missing) == len(files) else f", drop their documents: {drop}"
        raise SourceError(
            f"files that the index at {directory} was built from are missing: "
            f"{_first_of(missing)}. Restore them{others}, or name all sources that it shall have: "
            f"{command('ragkit index update', directory, end='SOURCE…')}"
        )
    return [path for path in files if path not in missing]


def ids_of_files(sources: Sequence[SourceFile]) -> dict[Path, str]:
    """Return the id of each file that is one document, or a mailbox."""
    ids: dict[Path, list[str]] = {}
    for source in sources:
        if source.path:
            ids.setdefault(source.path, []).append(source.document_id)
    own = {path: names[0] for path, names in ids.items() if len(names) == 1}
    mailboxes = {path: names[0] for path, names in ids.items() if is_mailbox(path)}
    return own | {path: mailbox_id(name) for path, name in mailboxes.items()}


def save(index: LocalIndex, directory: Path) -> None:
    """Publish a copy in ``directory``. Raises IndexLockedError or IndexWriteError."""
    with write_lock(directory), draft_folder(directory) as folder:
        _copy(index.data, folder)
        copy = replace(index, published=file_records(folder))
        publish(directory, folder, copy.manifest(directory))


def open_index(directory: Path) -> LocalIndex:
    """Open the published generation; if it is replaced meanwhile, the new one.

    Raises:
        IndexNotFoundError, IndexDamagedError, IndexReadError, IndexMismatchError: see
            ``Manifest.load`` and ``open_generation``.

    """
    manifest = Manifest.load(directory)
    while True:
        try:
            data = open_generation(directory, manifest)
        except (IndexDamagedError, IndexReadError):  # Windows refuses what is being removed
            current = Manifest.load(directory)
            if current.generation == manifest.generation:
                raise
            manifest = current
            continue
        sources = sources_of(directory, manifest)
        return LocalIndex(data, manifest.encoder, settings_of(manifest), sources, manifest.files)


def is_remote(location: object) -> bool:
    """Return whether ``location`` is an address rather than a path."""
    return isinstance(location, str) and "://" in location


def check_encoder(
    directory: str | os.PathLike[str], actual: Fingerprint, expected: Fingerprint
) -> None:
    """Raise IndexMismatchError if ``actual`` is not the model that encoded the index."""
    if actual.digest != expected.digest:
        raise IndexMismatchError(
            f"the index at {directory} was encoded by the model {expected.name!r} (fingerprint "
            f"{expected.digest[:16]}), but {actual.name!r} (fingerprint {actual.digest[:16]}) was "
            f"given; their vectors cannot be compared. Use the model of the index, or "
            f"{_how_to_encode_again(directory, actual)}"
        )


def _how_to_encode_again(directory: str | os.PathLike[str], model: Fingerprint) -> str:
    if is_remote(directory):
        return f"push one that it encoded: {command('ragkit index push INDEX', directory)}"
    build = command("ragkit index build SOURCE… --out", directory, "--encoder", model.source)
    return f"rebuild it: {build}"


def with_stale_sources(opened: LocalIndex, directory: Path, *, require_fresh: bool) -> LocalIndex:
    """Return the index with the source files that are no longer as they were, and log them.

    Those are files that changed, and files that are missing while others are there. An index whose
    files are all missing was copied elsewhere without them, which says nothing.

    Raises:
        IndexStaleError: with ``require_fresh``, if there are any.

    """
    # The documents of one file have the same path and checksum.
    files = {(source.path, source.sha256): source for source in opened.sources}.values()
    paths = [source.path for source in files if source.path]
    missing = [path for path in paths if not path.exists()]
    opened = replace(opened, missing_sources=tuple(missing))
    if len(missing) == len(paths):
        return opened
    changed = [source.path for source in files if source.path and _has_changed(source)]
    if not changed and not missing:
        return opened
    message = _stale_message(directory, changed, missing)
    if require_fresh:
        raise IndexStaleError(message)
    _log.warning("%s. Until then, answers are from the index as it was built.", message)
    return replace(opened, stale_sources=(*changed, *missing))


def _stale_message(directory: Path, changed: Sequence[Path], missing: Sequence[Path]) -> str:
    facts = [
        f"{_first_of(paths)} {what} after the index at {directory} was built"
        for paths, what in ((changed, "changed"), (missing, "was removed"))
        if paths
    ]
    return f"{', and '.join(facts)}. {how_to_freshen(directory, is_one_missing=bool(missing))}"


def how_to_freshen(directory: str | os.PathLike[str], *, is_one_missing: bool) -> str:
    """Return what to do about an index whose sources changed, or one of which is missing."""
    if is_one_missing:
        drop = command("ragkit index update", directory, end="--drop-missing")
        return f"Restore what was removed, or drop its documents: {drop}"
    return f"Update it: {command('ragkit index update', directory)}"


def _first_of(paths: Sequence[Path]) -> str:
    """The first path, and how many more there are."""
    return str(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _has_changed(source: SourceFile) -> bool:
    try:
        return source.current_sha256() != source.sha256
    except SourceError:
        return False  # it is missing, or may not be read


def build_and_publish(
    directory: Path,
    documents: Iterable[tuple[Document, SourceFile]],
    encoder: Encoder,
    settings: BuildSettings,
    *,
    inputs: Mapping[Path, str] = MappingProxyType({}),
    progress: Progress | None = None,
    previous: PreviousBuild | None = None,
    old: LocalIndex | None = None,
    chunk_encoder: ChunkEncoder | None = None,
) -> LocalIndex:
    """Build an index of documents and publish it; the write lock must be held.

    Args:
        inputs: as of ``SourceIterator``: what is known of a file once ``documents`` is exhausted;
            other files have what their ``SourceFile`` says.
        previous: as for ``build_data``.
        old: the index whose data ``previous`` is, if it is the published one and intact.
        chunk_encoder: as for ``build_data``.

    """
    with draft_folder(directory) as folder:
        data, origins = _write_tables(
            documents, encoder, settings, FolderTables(folder), Journal(directory, encoder),
            inputs=inputs, progress=progress, previous=previous, chunk_encoder=chunk_encoder,
        )  # fmt: skip
        if old is not None and data is old.data:
            return _republish(
                directory, replace(old, sources=origins, fingerprint=encoder.fingerprint)
            )
        records = file_records(folder)
        built = LocalIndex(data, encoder.fingerprint, settings, origins, records)
        manifest = built.manifest(directory)
        publish(directory, folder, manifest)
    return replace(built, data=open_generation(directory, manifest))


def _republish(directory: Path, index: LocalIndex) -> LocalIndex:
    """Record the sources of data that is published already.

    Raises:
        IndexDamagedError: a file of it is damaged, which a build would not have kept.

    """
    manifest = index.manifest(directory)
    verify(directory, manifest)
    _record(directory, manifest)
    return index


def _record(directory: Path, manifest: Manifest) -> None:
    """Publish the manifest of the published data, unless it is the published one."""
    if manifest.to_bytes() != (directory / MANIFEST).read_bytes():
        publish_manifest(directory, manifest)
    else:
        remove_superseded(directory, manifest)


def settings_of(manifest: Manifest) -> BuildSettings:
    """Return what shaped the index of that manifest."""
    return BuildSettings(
        manifest.chunker, manifest.config, manifest.memory, manifest.compact, manifest.language
    )


def sources_of(directory: Path, manifest: Manifest) -> tuple[SourceFile, ...]:
    """Return where each document of the index in ``directory`` came from."""
    return tuple(_source_file(directory, source) for source in manifest.sources)


def _write_tables(
    documents: Iterable[tuple[Document, SourceFile]],
    encoder: Encoder,
    settings: BuildSettings,
    writer: TableWriter,
    journal: Journal,
    *,
    inputs: Mapping[Path, str],
    progress: Progress | None,
    previous: PreviousBuild | None = None,
    chunk_encoder: ChunkEncoder | None,
) -> tuple[LocalData, tuple[SourceFile, ...]]:
    origins: list[SourceFile] = []

    def only_documents() -> Iterator[Document]:
        for document, origin in documents:
            origins.append(origin)
            yield document

    data = build_data(
        only_documents(), encoder, settings.chunker, writer, journal,
        progress=progress, previous=previous, memory=settings.memory, compact=settings.compact,
        chunk_encoder=chunk_encoder,
    )  # fmt: skip
    return data, tuple(
        origin
        if origin.path is None
        else replace(origin, inputs=inputs.get(origin.path, origin.inputs))
        for origin in origins
    )


def _copy(data: LocalData, folder: Path) -> None:
    writer = FolderTables(folder)
    copy_tables(data.tables, writer)
    writer.finish()


def _source_record(directory: Path, source: SourceFile) -> SourceRecord:
    """A path is recorded relative to the index, so that a checkout can be anywhere."""
    if source.path is None:
        return SourceRecord(source.document_id, None, source.sha256)
    relative = os.path.relpath(source.path.resolve(), directory.resolve())
    path = Path(relative).as_posix()
    return SourceRecord(source.document_id, path, source.sha256, source.inputs)


def _source_file(directory: Path, source: SourceRecord) -> SourceFile:
    path = None if source.path is None else directory / source.path
    return SourceFile(source.document_id, path, source.sha256, source.inputs)
