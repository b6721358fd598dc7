"""A damaged index made whole again, from what of it is whole and from its sources.

Texts come from the index's own tables, or where those are damaged from the source files, if they
are what they were; chunks whose vectors are whole are not read by the model again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ragkit.corpus import SourceFile, iter_sources
from ragkit.encoding import Encoder
from ragkit.errors import IndexDamagedError, SourceError
from ragkit.index.documents import Documents
from ragkit.index.journal import Key
from ragkit.index.layout import Layout
from ragkit.index.manifest import Manifest
from ragkit.index.protocol import Progress
from ragkit.index.publish import mapped, opened, verify, write_lock
from ragkit.index.token_vectors import ReadChunk
from ragkit.indexing.builder import publish_read, recipe_of, refuse_other, sources_of
from ragkit.indexing.pipeline import Earlier, Known
from ragkit.storage.rows import SUMS
from ragkit.types import Chunk, Document

__all__ = ["damaged_files", "repair"]


def damaged_files(directory: Path, manifest: Manifest) -> list[str]:
    """The names of the files that are not what the manifest says, by proving every byte."""
    found = []
    for name in manifest.files:
        try:
            verify(directory, manifest, [name])
        except IndexDamagedError:
            found.append(name)
    return found


def repair(directory: Path, encoder: Encoder, *, progress: Progress | None = None) -> list[str]:
    """Publish the index anew where files of it are damaged; their names.

    ``encoder``: the model that made it, for chunks whose vectors are lost.

    Raises IndexDamagedError where neither the texts nor their sources are left as they were, or the
    manifest is damaged; IndexNotFoundError, IndexReadError, IndexMismatchError, IndexLockedError,
    IndexWriteError.
    """
    with write_lock(directory):
        manifest = Manifest.read(directory)
        refuse_other(directory, encoder.fingerprint, manifest.encoder)
        damaged = damaged_files(directory, manifest)
        if damaged:
            publish_read(
                directory,
                _documents(directory, manifest, damaged),
                encoder,
                recipe_of(manifest),
                earlier=_salvaged(directory, manifest),
                progress=progress,
            )
    return damaged


def _documents(
    directory: Path, manifest: Manifest, damaged: list[str]
) -> Iterator[tuple[Document, SourceFile]]:
    """All documents with their sources, from the index or from the files they were read from."""
    sources = sources_of(directory, manifest)
    if not set(damaged) & {name + end for name in Documents.NAMES for end in ("", SUMS)}:
        documents = Documents(mapped(directory, manifest, Documents.NAMES))
        return zip(documents, sources, strict=True)
    return iter(_read_again(directory, sources, damaged))


def _read_again(
    directory: Path, sources: tuple[SourceFile, ...], damaged: list[str]
) -> list[tuple[Document, SourceFile]]:
    """From the source files. Raises IndexDamagedError if they are not what they were."""
    paths = list(dict.fromkeys(source.path for source in sources if source.path is not None))
    with suppress(SourceError):
        read = {document.id: (document, origin) for document, origin in iter_sources(paths)}
        found = [read[source.document_id] for source in sources if source.document_id in read]
        if [origin.sha256 for _, origin in found] == [source.sha256 for source in sources]:
            return found
    raise IndexDamagedError(
        f"the index at {directory} cannot be repaired: {', '.join(damaged)} is damaged, and not "
        f"all of its {len(paths)} source files are where and what they were. Restore them, or "
        f"build the index from others: ragkit index build SOURCE… --out {directory}"
    )


def _salvaged(directory: Path, manifest: Manifest) -> Known | None:
    """What is whole of what the model read."""
    try:
        return _Salvaged(Earlier.of(opened(directory, manifest)))
    except IndexDamagedError:
        return None


class _Salvaged:
    """An earlier index of which blocks may be damaged: what they hold is not known."""

    def __init__(self, earlier: Earlier) -> None:
        self._earlier = earlier

    def chunks(self, document: Document) -> list[Chunk] | None:
        with suppress(IndexDamagedError):
            return self._earlier.chunks(document)
        return None

    def get(self, key: Key) -> ReadChunk | None:
        with suppress(IndexDamagedError):
            return self._earlier.get(key)
        return None

    def __contains__(self, key: Key) -> bool:
        return self.get(key) is not None

    def serves(self, layout: Layout) -> bool:
        return self._earlier.serves(layout)
