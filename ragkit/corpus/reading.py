"""Paths and Documents → Documents with sections.

A plain text or Markdown file's text is its bytes decoded as UTF-8 and nothing else: line ends, a
byte order mark and unnormalised accents stay, so that a citation's offsets can be checked against
the file itself. Of another format the text is what its reader makes of it, the same at each reading
of the same bytes. Beside ``NAME.txt`` may stand ``NAME.meta.json`` with ``title``, ``url``, ``id``
and other properties, which count more than what the file says of itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

from ragkit.corpus.base import Read
from ragkit.corpus.decoding import refuse_surrogates, refuse_unusable
from ragkit.corpus.finding import NamedFile, Source, Sources, find
from ragkit.corpus.headings import LONGEST_HEADING
from ragkit.corpus.metadata import About, beside
from ragkit.corpus.naming import slug, utf8
from ragkit.corpus.readers import reader_of, split_suffix
from ragkit.corpus.wikitext import parse_sections
from ragkit.errors import SourceError
from ragkit.types import Document

__all__ = ["Source", "SourceFile", "Sources", "iter_sources", "read_sources", "slug"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Which bytes a document was read from."""

    document_id: str
    path: Path | None
    sha256: str

    def current_sha256(self) -> str:
        """What the file hashes to now. Raises SourceError if it cannot be read, or has no path."""
        if self.path is None:
            raise SourceError(f"the document {self.document_id!r} came from memory, not a file.")
        with _opened(self.path) as file:
            return _sha256(file)


def read_sources(sources: Sources) -> list[tuple[Document, SourceFile]]:
    """``iter_sources``, all at once."""
    return list(iter_sources(sources))


def iter_sources(sources: Sources) -> Iterator[tuple[Document, SourceFile]]:
    """Read every source, in the order given, one document at a time.

    A source is a path, a ``Document`` or a pattern such as ``docs/**/*.md``; a directory stands for
    its readable files, sorted (``finding`` says which). A file may hold many documents. Files that
    were found in directories and would have the same id get one with their folder.

    Raises SourceError for a source that is missing, empty, damaged, unreadable or of an unknown
    kind, and for two documents with one id; MissingExtraError where a format's library is not
    installed. Nothing is skipped silently among files that were named.
    """
    seen: dict[str, Path | None] = {}
    for source in find(sources):
        for document, origin in _given(source) if isinstance(source, Document) else _file(source):
            if document.id in seen:
                raise SourceError(
                    f"two sources have the document id {document.id!r} "
                    f"({seen[document.id] or 'in memory'} and {origin.path or 'in memory'}); "
                    f"ids must be unique. Rename one file, or set the id in its .meta.json."
                )
            seen[document.id] = origin.path
            yield document, origin


def _given(document: Document) -> Iterator[tuple[Document, SourceFile]]:
    refuse_unusable(document.text, f"the document {document.id!r}")
    refuse_surrogates(_said(document), f"what is said of the document {document.id!r}")
    if not document.sections:
        document = replace(document, sections=parse_sections(document.text))
    sha256 = hashlib.sha256(document.text.encode()).hexdigest()
    yield document, SourceFile(document.id, None, sha256)


def _said(document: Document) -> str:
    """All that stands beside the text of a document."""
    paths = [title for section in document.sections for title in section.path]
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    return "\n".join([document.id, document.title, document.url or "", *paths, metadata])


def _file(source: NamedFile) -> Iterator[tuple[Document, SourceFile]]:
    path = source.path
    reader = reader_of(path)
    said = beside(path, split_suffix(path)[0])
    with _opened(path) as file:
        # Before it is read, so that a change meanwhile makes the index stale, not wrong.
        sha256 = _sha256(file)
        several = False
        for read in _same_bytes(reader(file, path), path):
            if several and (said.title or said.url or said.id):
                raise SourceError(
                    f"{path} holds several documents, but its .meta.json gives one title, url or "
                    f"id for all. Leave those out there."
                )
            several = True
            document = _document(read, said, source)
            yield document, SourceFile(document.id, path, sha256)


def _document(read: Read, said: About, source: NamedFile) -> Document:
    # A name that is not UTF-8 comes with lone surrogates, which no tokenizer takes.
    stem = utf8(split_suffix(source.path)[0])
    title = said.title or read.title or stem.replace("-", " ").replace("_", " ")
    if len(title) > LONGEST_HEADING:
        raise SourceError(
            f"{source.path} has a title of {len(title):,} characters, and a title stands in front "
            f"of every passage; expected at most {LONGEST_HEADING:,}. Give it one by .meta.json."
        )
    return Document(
        id=said.id or read.id or source.name or slug(title) or "document",
        title=title,
        text=read.text,
        url=said.url or read.url,
        sections=read.sections,
        metadata={**read.metadata, **said.metadata},
        pages=read.pages,
    )


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        is_file = path.is_file()
        file = path.open("rb") if is_file or not path.exists() else None
    except FileNotFoundError as error:
        raise SourceError(f"the source {path} does not exist. Check the path.") from error
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise SourceError(f"the source {path} cannot be read: {error}.") from error
    if file is None:  # a pipe or a device, which may never end
        raise SourceError(f"the source {path} is no regular file. Give one, such as a copy of it.")
    with file:
        yield file


def _sha256(file: BufferedReader) -> str:
    try:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
    except OSError as error:
        raise SourceError(f"the source {file.name} cannot be read: {error.strerror}.") from error
    return found


def _same_bytes(reads: Iterator[Read], path: Path) -> Iterator[Read]:
    """The file's documents; what the system does not let read is told as such."""
    try:
        yield from reads
    except OSError as error:
        raise SourceError(f"the source {path} cannot be read: {error.strerror}.") from error
