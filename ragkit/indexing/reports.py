"""Describe what an index holds, and what an update of it changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ragkit.chunking import Chunker
from ragkit.encoding import Fingerprint
from ragkit.index.config import DEFAULT_MEMORY, RetrievalConfig
from ragkit.index.manifest import Manifest
from ragkit.index.vectors import SearchSettings

__all__ = ["IndexInfo", "SourceInfo", "UpdateReport"]


class SourceChecksum(Protocol):
    """A document's id and the checksum of the source that the document came from."""

    @property
    def document_id(self) -> str: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """Which documents an update added, changed and removed.

    Attributes:
        added: ids of documents that the index did not have before, in the index's order.
        changed: ids of documents whose source has another checksum than before, or whose title,
            address or metadata changed without it, in a ``.meta.json`` file for instance. All
            documents of a file count as changed if the file changed.
        removed: ids of documents that the index no longer has.

    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def compare(
        cls,
        before: Iterable[SourceChecksum],
        after: Iterable[SourceChecksum],
        *,
        changed: Collection[str] = (),
    ) -> UpdateReport:
        """Compare the sources of an index before and after an update.

        Args:
            before: one source a document, such as ``Manifest.sources``.
            after: the same after the update.
            changed: ids of documents that changed, whatever the checksums say.

        """
        old = {source.document_id: source.sha256 for source in before}
        new = {source.document_id: source.sha256 for source in after}
        return cls(
            added=tuple(name for name in new if name not in old),
            changed=tuple(
                name
                for name, sha256 in new.items()
                if name in old and (name in changed or old[name] != sha256)
            ),
            removed=tuple(name for name in old if name not in new),
        )

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of ``added``, ``changed`` and ``removed`` documents."""
        return {
            "added": len(self.added),
            "changed": len(self.changed),
            "removed": len(self.removed),
        }


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source of an index.

    Attributes:
        path: path relative to the index's folder, or None if the source was a ``Document``.
        sha256: checksum that the source had when the index was built.
        documents: ids of the documents that came from it.

    """

    path: str | None
    sha256: str
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What made an index and what the index holds, from its manifest alone.

    Example:
        >>> info = Index.info("indexes/notes")  # doctest: +SKIP
        >>> info.counts  # doctest: +SKIP
        {'documents': 12, 'chunks': 340, 'sentences': 2210}

    """

    manifest: Manifest

    @property
    def generation(self) -> str:
        """16 hexadecimal digits computed from all the data: equal for equal indexes."""
        return self.manifest.generation

    @property
    def encoder(self) -> Fingerprint:
        """The encoder that made the vectors: its name, its source and a digest of its weights."""
        return self.manifest.encoder

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        return self.manifest.dimension

    @property
    def runtime(self) -> str | None:
        """What ran the encoder; None if an index of an older format did not say."""
        return self.manifest.runtime

    @property
    def chunker(self) -> Chunker:
        """The settings that split the documents into chunks."""
        return self.manifest.chunker

    @property
    def config(self) -> RetrievalConfig:
        """The parameters of retrieval."""
        return self.manifest.config

    @property
    def search(self) -> SearchSettings:
        """How chunk vectors are searched, and the recall measured for that."""
        return self.manifest.search

    @property
    def token_bits(self) -> int:
        """Bits of one component of a token vector."""
        return self.manifest.token_bits

    @property
    def compact(self) -> bool:
        """Whether it was built with ``compact=True``."""
        return self.manifest.compact

    @property
    def memory(self) -> int:
        """Memory budget of each process that answers questions, in bytes."""
        return DEFAULT_MEMORY if self.manifest.memory is None else self.manifest.memory

    @property
    def counts(self) -> Mapping[str, int]:
        """The numbers of ``documents``, ``chunks`` and ``sentences``."""
        return self.manifest.counts

    @property
    def languages(self) -> Mapping[str, int]:
        """The number of documents in each language, most first; empty if all are English."""
        return self.manifest.languages

    @property
    def bytes(self) -> int:
        """Size of all files on disk, the manifest aside."""
        return sum(record.bytes for record in self.manifest.files.values())

    @property
    def sources(self) -> tuple[SourceInfo, ...]:
        """The sources in the index's order; a file of several documents stands here once."""
        return tuple(
            SourceInfo(source["path"], source["sha256"], tuple(source["documents"]))
            for source in self.to_dict()["sources"]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as a JSON-ready dictionary, with the checksum of every file."""
        return self.manifest.to_dict()
