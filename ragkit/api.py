"""Index: build, open, update, save and ask a corpus.

This module only constructs and calls; the work is done in the rooms below it.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from warnings import warn

from ragkit import __version__, indexing
from ragkit.answerer import Answerer
from ragkit.chunking import Chunker
from ragkit.citations.reanchor import AnchorStatus
from ragkit.corpus import Sources
from ragkit.encoding import (
    Encoder,
    Fingerprint,
    LazyEncoder,
    Reranker,
    Runtime,
    load_encoder,
    load_reranker,
    query_encoder,
    recorded_encoder,
)
from ragkit.errors import InputError
from ragkit.index import (
    DEFAULT_CONFIG,
    Conditions,
    Manifest,
    Progress,
    RetrievalConfig,
    Where,
    parse_memory,
    verify,
)
from ragkit.index.config import Weights
from ragkit.indexing import (
    BuildSettings,
    ChunkEncoder,
    LocalIndex,
    RestrictedIndex,
    check_encoder,
    is_remote,
)
from ragkit.indexing.reports import IndexInfo, UpdateReport
from ragkit.reading import SHIPPED, Reader, load_reader
from ragkit.timing import LAP
from ragkit.types import Anchor, Citation

if TYPE_CHECKING:
    from ragkit.indexing.remote import RemoteIndex

__all__ = ["Index"]


class Index(Answerer):
    """A corpus ready to be asked: documents, their chunks, and vectors. Immutable; share it freely.

    Create one with ``Index.build`` or ``Index.open``.
    """

    @classmethod
    def build(
        cls,
        sources: Sources,
        path: str | os.PathLike[str] | None = None,
        *,
        encoder: Encoder | str | None = None,
        chunker: Chunker | None = None,
        config: RetrievalConfig | None = None,
        reranker: Reranker | str | None = None,
        reader: Reader | str | None = SHIPPED,
        memory: int | str | None = None,
        compact: bool = False,
        progress: Progress | None = None,
        workers: str | None = None,
        strict: bool = False,
        replace: bool = False,
        weights: RetrievalConfig | None = None,
        language: str | None = None,
    ) -> Index:
        """Load, chunk and encode ``sources``; save the index to ``path`` if one is given.

        Files of folders and patterns that cannot be indexed are left out; the index's ``left_out``
        says why. With ``path``, an interrupted build resumes where it stopped when it is run again.
        Without sources the index is empty and answers every question with an abstention.

        Args:
            sources: a path, a pattern, a ``Document``, or several; a folder stands for its files.
            path: folder to publish the index in; None keeps it in memory.
            encoder: a name for ``load_encoder`` (default: late-MiniLM-L6), whose int8 export then
                encodes the questions; or an ``Encoder``, which then encodes both.
            chunker: settings that cut documents into chunks.
            config: the free parameters of retrieval.
            reranker: a cross-encoder, or its folder or hub name, that reranks the best 50 chunks.
            reader: reads the best passages for the words that answer: ``"shipped"``, the one that
                ragkit carries; the folder of one; or a ``Reader``. None: similarity alone decides.
            memory: memory budget of a process that answers questions, in bytes or as ``"2GiB"``
                (the default). It and the size of the corpus decide how vectors are searched.
            compact: make the index about half as large, with 2 bits instead of 4 for each
                component of a token vector. Only for models that were trained for late interaction.
            progress: called with (texts encoded, texts in all).
            workers: a Ray cluster that encodes, such as ``"ray://host:10001"``, or ``"ray"`` for
                this machine's (``ragkit.indexing.ray`` says what workers need). The index is the
                same.
            strict: raise SourceError for a file that would be left out.
            replace: drop the documents of an index at ``path`` that are not in ``sources``.
            weights: deprecated name of ``config``.
            language: of all documents that state none, as a code of ISO 639 such as ``"de"``; by
                default their words tell. It decides how words are stemmed and sentences split.

        Raises:
            SourceError: a source is missing, unreadable or ambiguous, or nothing of it is left.
            EncoderError: the model is missing, altered or unusable.
            InputError: an argument cannot be used.
            IndexExistsError: documents of an index at ``path`` would be dropped.
            IndexLockedError, IndexWriteError: with ``path``, the index cannot be written.
            WorkersError, MissingExtraError: with ``workers``, the cluster cannot be used.

        Example:
            >>> from ragkit import Document, Index
            >>> text = "The library opens at nine. On Sundays it is closed."
            >>> index = Index.build([Document(id="hours", title="Library", text=text)])
            >>> index.ask("Can I come on Sunday?").text
            'On Sundays it is closed.'

        """
        if weights is not None:
            _warn_renamed("Index.build(weights=…)", "Index.build(config=…)")
        builder = _resolve_encoder(encoder)
        settings = BuildSettings(
            chunker or Chunker(),
            weights or config or DEFAULT_CONFIG,
            parse_memory(memory) if isinstance(memory, str) else memory,
            compact,
            language,
        )
        second = _resolve_reranker(reranker)
        folder = None if path is None else _path(path)
        with _chunk_encoder(builder, workers) as chunk_encoder:
            built = indexing.build(
                sources, builder, settings, folder,
                progress=progress, chunk_encoder=chunk_encoder, strict=strict,
                replace_existing=replace,
            )  # fmt: skip
        own = builder if builder is encoder else None
        return cls(built, own, reranker=second, reader=_resolve_reader(reader))

    @classmethod
    def update(
        cls,
        path: str | os.PathLike[str],
        sources: Sources | None = None,
        *,
        encoder: Encoder | str | None = None,
        progress: Progress | None = None,
        workers: str | None = None,
        strict: bool = False,
        drop_missing: bool = False,
        add: bool = False,
        language: str | None = None,
    ) -> Index:
        """Update the index at ``path`` to match ``sources``; the result equals a fresh build.

        New and changed documents are chunked, and only chunks whose text changed are encoded;
        documents that are no longer among ``sources``, or that ``build`` would leave out, are
        dropped. Concurrent readers keep the old generation. An interrupted update leaves it
        published and resumes when it is run again. The index that is returned has an
        ``update_report``.

        Args:
            path: folder of the index.
            sources: everything that the index should contain, as for ``build``; None for the files
                that it was built from.
            encoder: the model that encoded the index, if the recorded name no longer finds it.
            progress: as for ``build``.
            workers: as for ``build``.
            strict: as for ``build``.
            drop_missing: without ``sources``, or with ``add``, drop the documents of files that
                are no longer there. Otherwise a missing file is an error.
            add: keep the files that it was built from, and add ``sources`` to them.
            language: as for ``build``, in place of the one that the index was built with.

        Raises:
            RagkitError: what ``open`` and ``build`` raise.

        """
        before = Manifest.load(_path(path))
        builder = (
            _encoder_of(_path(path), before)
            if encoder is None and workers is None
            else _resolve_encoder(encoder, before.encoder, before.runtime)
        )
        with _chunk_encoder(builder, workers) as chunk_encoder:
            opened = indexing.update(
                _path(path), sources, builder,
                progress=progress, chunk_encoder=chunk_encoder, strict=strict,
                drop_missing=drop_missing, add=add, language=language,
            )  # fmt: skip
        updated = cls(opened, builder if builder is encoder else None, reader=load_reader())
        updated._update_report = UpdateReport.compare(
            before.sources, opened.sources, changed=opened.changed
        )
        return updated

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: Encoder | str | None = None,
        reranker: Reranker | str | None = None,
        reader: Reader | str | None = SHIPPED,
        check_sources: bool = True,
        require_fresh: bool = False,
    ) -> Index:
        """Open the index at ``path`` after verifying its files, its model and its sources.

        Questions are encoded by the int8 export of the recorded model, without torch. Of files over
        32 MiB each block is verified when it is first read.

        Args:
            path: folder of the index, or the address that it was pushed to, such as
                ``milvus://host:19530/name``; an index there is always the newest one pushed, and
                has no sources to check.
            encoder: encodes the questions instead: an ``Encoder``, or a name if the recorded one no
                longer finds the model.
            reranker: a cross-encoder, or its folder or hub name, that reranks the best 50 chunks.
            reader: as for ``build``.
            check_sources: compare the source files with those that the index was built from. If
                one changed, or is missing while others are there, a warning is logged, answers are
                from the index as it was built and have ``stale`` set, and ``stale_sources`` names
                the files.
            require_fresh: raise IndexStaleError instead.

        Raises:
            IndexNotFoundError, IndexDamagedError, IndexReadError: the files cannot be used.
            IndexMismatchError: the index has another format, or another model encoded it.
            IndexStaleError: with ``require_fresh``, a source changed after the index was built.
            EncoderError: the model is missing, altered or unusable.
            IndexServerError, MissingExtraError: the server cannot be used.

        """
        opened = _connect(str(path)) if is_remote(path) else indexing.open_index(_path(path))
        LAP.get()("open and verify the index")
        own = _resolve_query_encoder(encoder, opened.fingerprint)
        LAP.get()("find and verify the model")
        # An address may hold a login, which that of an opened index does not show.
        place = path if isinstance(opened, LocalIndex) else str(opened.location)
        check_encoder(place, own.fingerprint, opened.fingerprint)
        if (check_sources or require_fresh) and isinstance(opened, LocalIndex):
            opened = indexing.with_stale_sources(opened, _path(path), require_fresh=require_fresh)
        return cls(
            opened, own, reranker=_resolve_reranker(reranker), reader=_resolve_reader(reader)
        )

    @classmethod
    def repair(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: Encoder | str | None = None,
        progress: Progress | None = None,
    ) -> list[str]:
        """Repair a damaged index from its intact files and its sources.

        Texts come from the index, or from its sources if they are unchanged; only chunks whose
        vectors are damaged are encoded again, or all of them if the index was upgraded from a
        format that did not record what ran the model.

        Returns:
            The names of the files that were damaged.

        Raises:
            IndexDamagedError: too little is intact.
            RagkitError: what ``open`` raises.

        """
        recorded = Manifest.load(_path(path))
        builder = _resolve_encoder(encoder, recorded.encoder, recorded.runtime)
        return indexing.repair(_path(path), builder, progress=progress)

    @classmethod
    def upgrade(cls, path: str | os.PathLike[str], *, progress: Progress | None = None) -> bool:
        """Upgrade the index at ``path`` to the current format; False if it has that already.

        Raises what ``ragkit.indexing.upgrade`` raises.
        """
        return indexing.upgrade(_path(path), progress=progress)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Publish this index at ``path`` in one step: readers see the old index or the new one.

        Raises:
            IndexLockedError, IndexWriteError: the existing index is unchanged.

        """
        indexing.save(self._local(), _path(path))

    def push(self, location: str, *, progress: Progress | None = None) -> None:
        """Copy this index to a server, where ``Index.open(location)`` opens it.

        Args:
            location: such as ``milvus://host:19530/name``. Readers there see the old index whole,
                and then the new one whole.
            progress: called with (chunks pushed, chunks in all).

        Raises:
            InputError: the location cannot be parsed, or this index is on a server itself.
            IndexWriteError, IndexServerError, MissingExtraError: the server cannot be used.

        """
        from ragkit.indexing.remote import push

        push(self._local(), location, progress=progress)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        vectors: bool = False,
        replace: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Write all documents and chunks to a file for other programs.

        Each document's record is followed by those of its chunks. ``Document.from_dict`` rebuilds
        a document from its record; a chunk's ``id`` is the passage id that ``cite`` takes. The
        file appears once it is complete.

        Args:
            path: the file; its suffix is ``.jsonl`` (JSON Lines, whose first line says what made
                the index) or ``.parquet`` (the same records as rows).
            vectors: add the vector of each chunk; token vectors are never exported.
            replace: overwrite the file if it exists.
            progress: called with (chunks written, chunks in all).

        Raises:
            InputError: the suffix is another one, the file exists, or it cannot be written.
            MissingExtraError: for Parquet, pyarrow is not installed.
            StoreError: the index cannot be read.

        """
        encoder = (
            self._opened.fingerprint
        )  # without its source, which may be a path of this machine
        about = {
            "library": __version__,
            "generation": self.generation,
            "encoder": {"name": encoder.name, "digest": encoder.digest},
            "chunker": self.chunker.to_dict(),
            "counts": self.counts,
        }
        indexing.export_index(
            self._data, _path(path), about, vectors=vectors, replace=replace, progress=progress
        )

    def with_config(self, config: RetrievalConfig) -> Index:
        """Return the same index with other parameters; ``save`` it to keep them."""
        settings = replace(self._opened.settings, config=config)
        return Index(
            replace(self._opened, settings=settings),
            self._encoder,
            reranker=self._reranker,
            reader=self._reader,
        )

    def with_reader(self, reader: Reader | str | None) -> Index:
        """Return the same index with another reader, or with none; as for ``build``."""
        resolved = _resolve_reader(reader)
        return Index(self._opened, self._encoder, reranker=self._reranker, reader=resolved)

    def restricted(self, where: Where) -> Index:
        """Return an index of only the documents that fulfil ``where``.

        For whoever holds it the other documents do not exist: it answers, lists, counts and weights
        words as an index of those documents alone would. It can be asked and exported, but
        not saved or pushed.

        Args:
            where: as for ``ask``. A condition on a property that no document has is fulfilled by
                none.

        Raises:
            FilterError: a condition is malformed.

        Example:
            >>> from ragkit import Document, Index
            >>> index = Index.build([
            ...     Document("fees", "Fees", "A card costs 10 euros.", metadata={"for": "all"}),
            ...     Document("pay", "Pay", "Anna earns 3,000 euros.", metadata={"for": "staff"}),
            ... ])
            >>> [document.id for document in index.restricted({"for": "all"}).documents]
            ['fees']

        """
        return Index(
            RestrictedIndex.of(self._opened, Conditions.of(where)),
            self._encoder,
            reranker=self._reranker,
            reader=self._reader,
        )

    @property
    def weights(self) -> Weights:
        """Deprecated name of ``config``."""
        _warn_renamed("Index.weights", "Index.config")
        return Weights(self.config.reverse, self.config.idf_power)

    def with_weights(self, weights: RetrievalConfig) -> Index:
        """Deprecated name of ``with_config``."""
        _warn_renamed("Index.with_weights", "Index.with_config")
        return self.with_config(weights)

    def _local(self) -> LocalIndex:
        if isinstance(self._opened, LocalIndex):
            return self._opened
        if isinstance(self._opened, RestrictedIndex):
            raise InputError(
                "this index is restricted to some documents of another; expected a whole one to "
                "copy. Build one from the sources of these documents."
            )
        raise InputError(
            f"the index at {self._opened.location} is on a server; expected one on this machine to "
            f"copy. Build it here from its sources."
        )

    @classmethod
    def verify(cls, path: str | os.PathLike[str]) -> Index:
        """Verify every byte of every file of the index at ``path``, its encoder and its sources.

        ``Index.open`` verifies large files only as questions need them; this verifies them all.

        Args:
            path: the index's folder.

        Returns:
            The index, opened.

        Raises:
            IndexDamagedError: a file is missing or altered; the message names it.
            IndexStaleError: a source changed or was removed after the index was built.
            IndexMismatchError: the encoder or the format is another one.
            IndexNotFoundError, IndexReadError, EncoderError: as for ``open``.

        """
        verify(_path(path), Manifest.load(_path(path)))
        return cls.open(path, require_fresh=True)

    @classmethod
    def info(cls, path: str | os.PathLike[str]) -> IndexInfo:
        """Return what made the index at ``path`` and what it holds; reads its manifest alone.

        Args:
            path: the index's folder.

        Raises:
            IndexNotFoundError, IndexDamagedError, IndexReadError, IndexMismatchError: as for
                ``open``, as far as they concern the manifest.

        """
        return IndexInfo(Manifest.load(_path(path)))

    def reanchor(self, citation: Citation) -> Anchor:
        """Find a citation's quote again in this index, built from the edited sources.

        Args:
            citation: a citation from an earlier version of the corpus.

        Returns:
            ``Citation.reanchor`` of the document with the same id; ``AnchorStatus.GONE`` if the
            index has no such document.

        """
        try:
            document = self._data.document(citation.document_id)
        except KeyError:
            return Anchor(AnchorStatus.GONE, None, 0.0)
        return citation.reanchor(document)

    @property
    def update_report(self) -> UpdateReport | None:
        """What ``Index.update`` changed; None unless this index came from ``Index.update``."""
        return self._update_report

    _update_report: UpdateReport | None = None


def _path(path: str | os.PathLike[str]) -> Path:
    """The folder. Raises InputError for what is no path."""
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    raise InputError(
        f"the path of the index is {path!r}; expected its folder. Without one, ragkit.ask and "
        f"ragkit.default_index() use the default index."
    )


def _connect(location: str) -> RemoteIndex:
    from ragkit.indexing.remote import connect

    return connect(location)


def _resolve_encoder(
    encoder: Encoder | str | None,
    recorded: Fingerprint | None = None,
    runtime: str | None = None,
) -> Encoder:
    """The encoder given, or the recorded one; a name is loaded with the recorded prompts."""
    if encoder is None:
        return load_encoder() if recorded is None else recorded_encoder(recorded, runtime=runtime)
    if isinstance(encoder, (str, os.PathLike)):
        if recorded is None:
            return load_encoder(os.fspath(encoder))
        return recorded_encoder(replace(recorded, source=os.fspath(encoder)), runtime=runtime)
    return encoder


def _encoder_of(path: Path, manifest: Manifest) -> Encoder:
    """The encoder that an index was built with, loaded when it is needed."""
    if manifest.runtime is None or manifest.runtime not in get_args(Runtime):
        return recorded_encoder(manifest.encoder, runtime=manifest.runtime)

    def load() -> Encoder:
        encoder = recorded_encoder(manifest.encoder, runtime=manifest.runtime)
        check_encoder(path, encoder.fingerprint, manifest.encoder)
        return encoder

    return LazyEncoder(
        load,
        fingerprint=manifest.encoder,
        dimension=manifest.dimension,
        readings=manifest.readings,
        runtime=manifest.runtime,
    )


def _resolve_query_encoder(encoder: Encoder | str | None, recorded: Fingerprint) -> Encoder:
    if encoder is None:
        return query_encoder(recorded)
    if isinstance(encoder, (str, os.PathLike)):
        return query_encoder(_resolve_encoder(encoder, recorded).fingerprint)
    return encoder


def _resolve_reader(reader: Reader | str | None) -> Reader | None:
    if isinstance(reader, (str, os.PathLike)):
        return load_reader(os.fspath(reader))
    return reader


def _resolve_reranker(reranker: Reranker | str | None) -> Reranker | None:
    if isinstance(reranker, (str, os.PathLike)):
        return load_reranker(os.fspath(reranker))
    return reranker


def _chunk_encoder(
    encoder: Encoder, workers: str | None
) -> AbstractContextManager[ChunkEncoder | None]:
    """Context: what encodes the chunks; None for this process."""
    if workers is None:
        return nullcontext()
    from ragkit.indexing.ray import spread

    return spread(encoder, workers)


def _warn_renamed(old: str, new: str) -> None:
    warn(f"{old} is now {new}.", DeprecationWarning, stacklevel=3)
