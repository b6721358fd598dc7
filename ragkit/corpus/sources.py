"""Paths and Documents → Documents with sections.

The text of a plain text or Markdown file is its bytes decoded as UTF-8, exactly: line ends, a byte
order mark and unnormalised accents stay, so that a citation's offsets can be checked against the
file itself. The text of any other format is what its parser extracts, always the same for the same
bytes. A file ``NAME.meta.json`` or ``NAME.txt.meta.json`` next to ``NAME.txt`` may set ``title``,
``url``, ``id`` and other properties, which take precedence over those in the file itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from io import BufferedReader
from os import PathLike
from pathlib import Path

from ragkit.corpus.decoding import refuse_surrogates, refuse_unusable
from ragkit.corpus.discovery import DiscoveredFile, discover
from ragkit.corpus.formats import parser_for, split_suffix
from ragkit.corpus.headings import MAX_HEADING_LENGTH, parse_sections
from ragkit.corpus.ids import valid_unicode
from ragkit.corpus.inputs import ParsedFiles, current_inputs, digest_inputs
from ragkit.corpus.left_out import LeftOut, LeftOutBuilder
from ragkit.corpus.metadata import FileMetadata, load_metadata
from ragkit.corpus.parser import ParsedDocument, Parser
from ragkit.corpus.source_file import SourceFile, opened, sha256_of
from ragkit.errors import SourceError
from ragkit.types import Document

__all__ = [
    "Source",
    "SourceIterator",
    "Sources",
    "add_sources",
    "iter_sources",
    "load_sources",
]

Source = str | PathLike[str] | Document
"""A path of a file or folder, a pattern such as ``docs/**/*.md``, or a document in memory."""

Sources = Source | Iterable[Source]
"""One source or several."""


def load_sources(sources: Sources, *, strict: bool = False) -> list[tuple[Document, SourceFile]]:
    """Return all documents that ``iter_sources`` yields."""
    return list(iter_sources(sources, strict=strict))


def add_sources(files: Sequence[Path], sources: Sources) -> list[Source]:
    """Return ``files`` and ``sources``, without the files that ``sources`` stand for as well."""
    listed = _listed(sources)
    paths = [Path(source) for source in listed if not isinstance(source, Document)]
    matches = discover(paths, LeftOutBuilder(strict=False)) if paths else []
    again = {os.path.realpath(file.path) for own in matches for file in own}
    return [*(file for file in files if os.path.realpath(file) not in again), *listed]


def iter_sources(
    sources: Sources,
    *,
    strict: bool = False,
    parsed: ParsedFiles | None = None,
    ids: Mapping[Path, str] | None = None,
    language: str | None = None,
) -> SourceIterator:
    """Load the documents of all sources, one at a time.

    A directory stands for its files of a supported format, sorted, and a pattern for those that it
    matches (``discovery`` has the rules). Of these, files that cannot be indexed are left out, and
    the iterator's ``left_out`` says why. A file may contain several documents. Files that would
    have the same id get one that begins with their folder, or ends with a digest of their path.

    Args:
        sources: one source or several.
        strict: raise the error of a file that would be left out.
        parsed: files that are not parsed again while what their documents follow from is the same.
        ids: as for ``discover``.
        language: that of documents that state none.

    Returns:
        An iterator over each document and where it comes from, in the order of the sources.

    Raises:
        SourceError: while iterating: a source is missing, empty, damaged, unreadable or of an
            unknown format, two documents have the same id, or no document is left. A file that is
            named itself is never left out.
        MissingExtraError: while iterating: the library that parses a format is not installed.

    """
    return SourceIterator(sources, strict=strict, parsed=parsed, ids=ids, language=language)


class SourceIterator(Iterator[tuple[Document, SourceFile]]):
    """Iterates over the documents of sources; ``iter_sources`` creates it.

    Attributes:
        inputs: ``digest_inputs`` of each file whose documents were all yielded.
        sources: the sources, as they were named.

    """

    def __init__(
        self,
        sources: Sources,
        *,
        strict: bool,
        parsed: ParsedFiles | None,
        ids: Mapping[Path, str] | None,
        language: str | None,
    ) -> None:
        self.inputs: dict[Path, str] = {}
        self.sources: Sequence[Source] = _listed(sources)
        self._parsed = parsed
        self._ids = ids
        self._language = language
        self._left_out = LeftOutBuilder(strict=strict)
        self._documents = self._load()

    def __next__(self) -> tuple[Document, SourceFile]:
        """Return the next document and where it comes from."""
        return next(self._documents)

    @property
    def left_out(self) -> LeftOut:
        """What has been left out so far; complete when the iterator is exhausted."""
        return self._left_out.build()

    def unchanged(self) -> tuple[SourceFile, ...] | None:
        """Return where each document comes from if all are those of ``parsed``, in order.

        None if they are not, or if that is not known without parsing a file.
        """
        if self._parsed is None or any(isinstance(source, Document) for source in self.sources):
            return None
        files = [file for own in self._files for file in own]
        with suppress(SourceError):  # a file cannot be read, which iterating reports
            return self._parsed.moved_to(
                [(current_inputs(file, self._language), file.path) for file in files]
            )
        return None

    @cached_property
    def _files(self) -> list[list[DiscoveredFile]]:
        """For each source that is a path, the files that it stands for."""
        paths = [Path(source) for source in self.sources if not isinstance(source, Document)]
        return discover(paths, self._left_out, ids=self._ids) if paths else []

    def _load(self) -> Iterator[tuple[Document, SourceFile]]:
        files = iter(self._files)
        origins: dict[str, SourceFile] = {}
        for source in self.sources:
            if isinstance(source, Document):
                yield from _distinct([_from_memory(self._with_language(source))], origins)
                continue
            for file in next(files):
                before = len(origins)
                try:
                    yield from _distinct(self._from_file(file), origins)
                except SourceError as error:
                    if file.is_source:
                        raise
                    self._left_out.add(file.path, error, indexed=len(origins) - before)
        reasons = self.left_out.lines()
        if reasons and not origins:
            raise SourceError(f"none of the files can be indexed: {' '.join(reasons)}")

    def _from_file(self, file: DiscoveredFile) -> Iterator[tuple[Document, SourceFile]]:
        """Load the documents of a file, from ``parsed`` if it has them."""
        parser, metadata = parser_for(file.path), load_metadata(file.path)
        with opened(file.path) as content:
            # Hashed before it is parsed: a change in between makes the index stale, not wrong.
            sha256 = sha256_of(content)
            inputs = digest_inputs(file, sha256, metadata, self._language)
            documents = self._parsed.documents(inputs) if self._parsed else None
            for document in documents or _parse(parser, file, content, metadata):
                own = self._with_language(document)
                yield own, SourceFile(document.id, file.path, sha256)
        # What was parsed while the file changed may be neither the old file nor the new one.
        if documents is not None or _has_sha256(file.path, sha256):
            self.inputs[file.path] = inputs

    def _with_language(self, document: Document) -> Document:
        is_silent = document.language is None and self._language is not None
        return replace(document, language=self._language) if is_silent else document


def _has_sha256(path: Path, sha256: str) -> bool:
    with suppress(SourceError), opened(path) as content:
        return sha256_of(content) == sha256
    return False


def _distinct(
    documents: Iterable[tuple[Document, SourceFile]], origins: dict[str, SourceFile]
) -> Iterator[tuple[Document, SourceFile]]:
    """Yield documents, and record them in ``origins``. Raises SourceError for an id in there."""
    for document, origin in documents:
        if document.id in origins:
            other = origins[document.id]
            raise SourceError(
                f"two sources have the document id {document.id!r} "
                f"({other.path or 'in memory'} and {origin.path or 'in memory'}); "
                f"ids must be unique. Set another id in the .meta.json or front matter of one."
            )
        origins[document.id] = origin
        yield document, origin


def _listed(sources: Sources) -> list[Source]:
    if isinstance(sources, (str, PathLike, Document)):
        return [sources]
    listed = list(sources)
    for source in listed:
        if not isinstance(source, (str, PathLike, Document)):
            raise SourceError(
                f"a source is a {type(source).__name__}; expected a path or a ragkit.Document."
            )
    return listed


def _from_memory(document: Document) -> tuple[Document, SourceFile]:
    refuse_unusable(document.text, f"the document {document.id!r}")
    refuse_surrogates(_all_names(document), f"a name or property of the document {document.id!r}")
    if not document.sections:
        document = replace(document, sections=parse_sections(document.text))
    sha256 = hashlib.sha256(document.text.encode()).hexdigest()
    return document, SourceFile(document.id, None, sha256)


def _all_names(document: Document) -> str:
    """Return every string of a document but its text."""
    headings = [title for section in document.sections for title in section.path]
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    return "\n".join([document.id, document.title, document.url or "", *headings, metadata])


def _parse(
    parser: Parser, file: DiscoveredFile, content: BufferedReader, metadata: FileMetadata
) -> Iterator[Document]:
    path = file.path
    for number, parsed in enumerate(_parsed(parser(content, path), path)):
        if number and (metadata.title or metadata.url or metadata.id):
            raise SourceError(
                f"{path} contains several documents, but its .meta.json sets one title, url or "
                f"id for all. Remove those from it."
            )
        yield _document(parsed, metadata, file)


def _document(parsed: ParsedDocument, metadata: FileMetadata, source: DiscoveredFile) -> Document:
    # The name of a file may have lone surrogates, which no tokenizer accepts.
    stem = valid_unicode(split_suffix(source.path)[0])
    title = metadata.title or parsed.title or stem.replace("-", " ").replace("_", " ")
    if len(title) > MAX_HEADING_LENGTH:
        raise SourceError(
            f"{source.path} has a title of {len(title):,} characters, and every passage repeats "
            f"the title; expected at most {MAX_HEADING_LENGTH:,}. Set a shorter one in its "
            f".meta.json."
        )
    part = f"-{parsed.part}" if parsed.part else ""
    return Document(
        id=metadata.id or parsed.id or source.default_id + part,
        title=title,
        text=parsed.text,
        url=metadata.url or parsed.url,
        sections=parsed.sections,
        metadata={**parsed.metadata, **metadata.properties},
        pages=parsed.pages,
        language=metadata.language or parsed.language,
    )


def _parsed(documents: Iterator[ParsedDocument], path: Path) -> Iterator[ParsedDocument]:
    """Yield a file's documents; turn an error of the operating system into a SourceError."""
    try:
        yield from documents
    except OSError as error:
        raise SourceError(f"the source {path} cannot be read: {error.strerror}.") from error
