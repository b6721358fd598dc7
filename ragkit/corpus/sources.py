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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from os import PathLike
from pathlib import Path

from ragkit.corpus.decoding import refuse_surrogates, refuse_unusable
from ragkit.corpus.discovery import DiscoveredFile, discover
from ragkit.corpus.formats import parser_for, split_suffix
from ragkit.corpus.headings import MAX_HEADING_LENGTH, parse_sections
from ragkit.corpus.ids import valid_unicode
from ragkit.corpus.left_out import LeftOut, LeftOutBuilder
from ragkit.corpus.metadata import FileMetadata, load_metadata
from ragkit.corpus.parser import ParsedDocument
from ragkit.errors import SourceError
from ragkit.types import Document

__all__ = [
    "Source",
    "SourceFile",
    "SourceIterator",
    "Sources",
    "iter_sources",
    "load_sources",
]

Source = str | PathLike[str] | Document
"""A path of a file or folder, a pattern such as ``docs/**/*.md``, or a document in memory."""

Sources = Source | Iterable[Source]
"""One source or several."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The bytes that a document comes from.

    Attributes:
        document_id: id of the document.
        path: the file; None for a document from memory.
        sha256: hexadecimal digest of the file, or of the text of a document from memory.

    """

    document_id: str
    path: Path | None
    sha256: str

    def current_sha256(self) -> str:
        """Return the digest of the file as it is now.

        Raises:
            SourceError: the file cannot be read, or the document comes from memory.

        """
        if self.path is None:
            raise SourceError(f"the document {self.document_id!r} came from memory, not a file.")
        with _opened(self.path) as file:
            return _sha256(file)


def load_sources(sources: Sources, *, strict: bool = False) -> list[tuple[Document, SourceFile]]:
    """Return all documents that ``iter_sources`` yields."""
    return list(iter_sources(sources, strict=strict))


def iter_sources(sources: Sources, *, strict: bool = False) -> SourceIterator:
    """Load the documents of all sources, one at a time.

    A directory stands for its files of a supported format, sorted, and a pattern for those that it
    matches (``discovery`` has the rules). Of these, files that cannot be indexed are left out, and
    the iterator's ``left_out`` says why. A file may contain several documents. Files that would
    have the same id get one that begins with their folder, or ends with a digest of their path.

    Args:
        sources: one source or several.
        strict: raise the error of a file that would be left out.

    Returns:
        An iterator over each document and where it comes from, in the order of the sources.

    Raises:
        SourceError: while iterating: a source is missing, empty, damaged, unreadable or of an
            unknown format, two documents have the same id, or no document is left. A file that is
            named itself is never left out.
        MissingExtraError: while iterating: the library that parses a format is not installed.

    """
    return SourceIterator(sources, strict=strict)


class SourceIterator(Iterator[tuple[Document, SourceFile]]):
    """Iterates over the documents of sources; ``iter_sources`` creates it."""

    def __init__(self, sources: Sources, *, strict: bool) -> None:
        self._left_out = LeftOutBuilder(strict=strict)
        self._documents = _load(_listed(sources), self._left_out)

    def __next__(self) -> tuple[Document, SourceFile]:
        """Return the next document and where it comes from."""
        return next(self._documents)

    @property
    def left_out(self) -> LeftOut:
        """What has been left out so far; complete when the iterator is exhausted."""
        return self._left_out.build()


def _load(
    sources: Sequence[Source], left_out: LeftOutBuilder
) -> Iterator[tuple[Document, SourceFile]]:
    paths = [Path(source) for source in sources if not isinstance(source, Document)]
    files = iter(discover(paths, left_out) if paths else [])
    origins: dict[str, SourceFile] = {}
    for source in sources:
        if isinstance(source, Document):
            yield from _distinct([_from_memory(source)], origins)
            continue
        for file in next(files):
            before = len(origins)
            try:
                yield from _distinct(_from_file(file), origins)
            except SourceError as error:
                if file.is_source:
                    raise
                left_out.add(file.path, error, indexed=len(origins) - before)
    reasons = left_out.build().lines()
    if reasons and not origins:
        raise SourceError(f"none of the files can be indexed: {' '.join(reasons)}")


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


def _from_file(source: DiscoveredFile) -> Iterator[tuple[Document, SourceFile]]:
    path = source.path
    parse = parser_for(path)
    metadata = load_metadata(path)
    with _opened(path) as file:
        # Hashed before it is parsed: a change in between makes the index stale, not wrong.
        sha256 = _sha256(file)
        for number, parsed in enumerate(_parsed(parse(file, path), path)):
            if number and (metadata.title or metadata.url or metadata.id):
                raise SourceError(
                    f"{path} contains several documents, but its .meta.json sets one title, url or "
                    f"id for all. Remove those from it."
                )
            document = _document(parsed, metadata, source)
            yield document, SourceFile(document.id, path, sha256)


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
    return Document(
        id=metadata.id or parsed.id or source.default_id,
        title=title,
        text=parsed.text,
        url=metadata.url or parsed.url,
        sections=parsed.sections,
        metadata={**parsed.metadata, **metadata.properties},
        pages=parsed.pages,
    )


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file; a missing, unreadable or other one is a SourceError."""
    try:
        is_file = path.is_file()
        file = path.open("rb") if is_file or not path.exists() else None
    except FileNotFoundError as error:
        raise SourceError(f"the source {path} does not exist. Check the path.") from error
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise SourceError(f"the source {path} cannot be read: {error}.") from error
    if file is None:  # a pipe or a device, which may never end
        raise SourceError(f"the source {path} is not a regular file. Use one, such as a copy.")
    with file:
        yield file


def _sha256(file: BufferedReader) -> str:
    try:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
    except OSError as error:
        raise SourceError(f"the source {file.name} cannot be read: {error.strerror}.") from error
    return digest


def _parsed(documents: Iterator[ParsedDocument], path: Path) -> Iterator[ParsedDocument]:
    """Yield a file's documents; turn an error of the operating system into a SourceError."""
    try:
        yield from documents
    except OSError as error:
        raise SourceError(f"the source {path} cannot be read: {error.strerror}.") from error
