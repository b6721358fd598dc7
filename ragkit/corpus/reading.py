"""Paths and Documents → Documents with sections.

A file's text is its bytes decoded as UTF-8 and nothing else: line ends, a byte order mark and
unnormalised accents stay, so that a citation's offsets can be checked against the file itself.
Beside ``NAME.txt`` may stand ``NAME.meta.json`` with ``title``, ``url`` and provenance.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from ragkit.corpus.wikitext import BOM, parse_sections, parse_title
from ragkit.errors import SourceError
from ragkit.types import Document

__all__ = ["Source", "SourceFile", "Sources", "read_sources", "slug"]

Source = str | PathLike[str] | Document
Sources = Source | Iterable[Source]

SUFFIXES = (".txt", ".text", ".wiki", ".mediawiki")


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
        return hashlib.sha256(_bytes_of(self.path)).hexdigest()


def read_sources(sources: Sources) -> list[tuple[Document, SourceFile]]:
    """Read every source, in the order given; a directory stands for its text files, sorted.

    Raises SourceError for a source that is missing, empty, binary, not UTF-8, unreadable or of an
    unknown kind, and for two documents with one id. Nothing is skipped silently.
    """
    read = [_read(source) for source in _flatten(sources)]
    seen: dict[str, SourceFile] = {}
    for document, origin in read:
        if document.id in seen:
            raise SourceError(
                f"two sources have the document id {document.id!r} "
                f"({seen[document.id].path or 'in memory'} and {origin.path or 'in memory'}); "
                f"ids must be unique. Rename one file, or set the id in its .meta.json."
            )
        seen[document.id] = origin
    return read


def slug(name: str) -> str:
    """A stable id from a name: ``'Köln (1918–41)'`` → ``'koln-1918-41'``."""
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "-", bare.casefold()).strip("-")


def _flatten(sources: Sources) -> Iterator[Source]:
    if isinstance(sources, (str, PathLike, Document)):
        sources = [sources]
    for source in sources:
        if isinstance(source, Document):
            yield source
        elif isinstance(source, (str, PathLike)):
            path = Path(source)
            yield from _files_of(path) if path.is_dir() else [path]
        else:
            raise SourceError(
                f"a source is a {type(source).__name__}; expected a path or a ragkit.Document."
            )


def _files_of(directory: Path) -> list[Path]:
    try:
        found = sorted(p for p in directory.rglob("*") if p.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise SourceError(
            f"{directory} cannot be listed: {error}. Check its permissions."
        ) from error
    if not found:
        raise SourceError(
            f"the directory {directory} holds no text file ({', '.join(SUFFIXES)}). "
            f"Name the files, or put text files there."
        )
    return found


def _read(source: Source) -> tuple[Document, SourceFile]:
    if isinstance(source, Document):
        document, path, data = source, None, source.text.encode("utf-8", "surrogatepass")
        _refuse_unusable(document.text, f"the document {document.id!r}")
    else:
        path = Path(source)
        data = _bytes_of(path)
        document = _document(path, _decode(data, path))
    if not document.sections:
        document = replace(document, sections=parse_sections(document.text))
    return document, SourceFile(document.id, path, hashlib.sha256(data).hexdigest())


def _bytes_of(path: Path) -> bytes:
    if path.suffix.lower() not in SUFFIXES:
        raise SourceError(
            f"{path} has the suffix {path.suffix!r}; readable are {', '.join(SUFFIXES)} "
            f"(UTF-8 text, with == headings == or none). Convert it to text first."
        )
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"the source {path} does not exist. Check the path.") from error
    except OSError as error:
        raise SourceError(f"the source {path} cannot be read: {error.strerror}.") from error


def _decode(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = "binary data" if b"\0" in data else "not UTF-8"
        raise SourceError(
            f"{path} is {kind} (byte {data[error.start]:#04x} at offset {error.start}); expected "
            f"UTF-8 text. Convert it, e.g.: iconv -f latin1 -t utf-8 IN > OUT"
        ) from error
    _refuse_unusable(text, str(path))
    return text


def _refuse_unusable(text: str, name: str) -> None:
    if not text.strip().strip(BOM).strip():
        raise SourceError(f"{name} is empty: it holds no text. Give it text, or leave it out.")
    if "\0" in text:
        raise SourceError(
            f"{name} is binary data (a NUL at offset {text.index(chr(0))}); expected UTF-8 text."
        )
    surrogate = re.search("[\ud800-\udfff]", text)
    if surrogate:
        raise SourceError(
            f"{name} holds a lone surrogate U+{ord(surrogate[0]):04X} at offset "
            f"{surrogate.start()}, which is no character; expected valid Unicode text."
        )


def _document(path: Path, text: str) -> Document:
    meta = _metadata(path)
    # A name that is not UTF-8 comes with lone surrogates, which no tokenizer takes.
    stem = os.fsencode(path.stem).decode("utf-8", "replace")
    title = meta.get("title") or parse_title(text) or stem.replace("-", " ").replace("_", " ")
    name = meta.get("id") or slug(stem) or slug(str(title))
    return Document(id=str(name), title=str(title), text=text, url=meta.get("url"))


def _metadata(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".meta.json")
    if not beside.is_file():
        return {}
    try:
        meta = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{beside} cannot be read as JSON: {error}. Mend or remove it."
        ) from error
    if not isinstance(meta, dict):
        raise SourceError(f"{beside} holds a {type(meta).__name__}; expected a JSON object.")
    return meta
