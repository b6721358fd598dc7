"""Everything that the documents of a file follow from, as one digest.

An index records it for each file. While it stays the same, the file's documents are those of the
index, and need not be parsed again. Times and sizes do not count: an edit may leave both as they
were, and a checkout or a copy changes them.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

from ragkit.corpus.discovery import DiscoveredFile
from ragkit.corpus.formats import plugin_of
from ragkit.corpus.metadata import FileMetadata, load_metadata
from ragkit.corpus.source_file import SourceFile, opened, sha256_of
from ragkit.types import Document

__all__ = ["ParsedFiles", "current_inputs", "digest_inputs"]

_CODE = ("types.py", "chunking.py", "text", "corpus", "storage", "index", "indexing")
"""The modules and rooms that decide what an index holds of a file, apart from its model."""

_LIBRARIES = (
    "justhtml", "mammoth", "markdown-it-py", "nupunkt", "pypdfium2", "PyStemmer", "PyYAML",
)  # fmt: skip
"""The packages that parse files, and split and stem their text."""

_DIGITS = 32


class ParsedFiles:
    """The files that were parsed for an index, and their documents."""

    def __init__(self, origins: Sequence[SourceFile], documents: Sequence[Document]) -> None:
        """``documents``: one for each of ``origins``; loaded when it is used."""
        self._origins = origins
        self._documents = documents
        self._rows = _rows_by_inputs(origins)

    def documents(self, inputs: str) -> Iterator[Document] | None:
        """Return the documents of the file with these inputs, or None if there was no such file."""
        rows = self._rows.get(inputs)
        return None if rows is None else (self._documents[row] for row in rows)

    def moved_to(self, files: Sequence[tuple[str, Path]]) -> tuple[SourceFile, ...] | None:
        """Return all origins, with the paths of ``files``.

        None unless these files, by their inputs, are all that there were, in the same order.
        """
        rows = self._rows.values()
        if [inputs for inputs, _ in files] != list(self._rows) or sum(map(len, rows)) != len(
            self._origins
        ):
            return None
        return tuple(
            replace(self._origins[row], path=path)
            for (_, path), own in zip(files, rows, strict=True)
            for row in own
        )


def _rows_by_inputs(origins: Sequence[SourceFile]) -> dict[str, Sequence[int]]:
    """The rows of each file's documents, which are next to each other."""
    groups = groupby(range(len(origins)), key=lambda row: origins[row].inputs)
    return {inputs: list(rows) for inputs, rows in groups if inputs is not None}


def current_inputs(file: DiscoveredFile, language: str | None) -> str:
    """Return ``digest_inputs`` of the file as it is now. Raises SourceError."""
    metadata = load_metadata(file.path)
    with opened(file.path) as content:
        return digest_inputs(file, sha256_of(content), metadata, language)


def digest_inputs(
    file: DiscoveredFile, sha256: str, metadata: FileMetadata, language: str | None
) -> str:
    """Return the digest of what the documents of a file follow from.

    Args:
        file: the file. Its name and its default id count; where it lies does not.
        sha256: of its bytes.
        metadata: what the file next to it sets.
        language: that of documents that state none.

    """
    plugin = plugin_of(file.path)
    parsed_by = plugin and [plugin.package, plugin.version]
    name = file.path.name
    inputs = [
        _code_digest(), parsed_by, name, file.default_id, sha256, astuple(metadata), language,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:_DIGITS]


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """The digest of the code that reads files, and of the versions of all that it uses."""
    digest = hashlib.sha256(json.dumps(list(_versions())).encode())
    package = Path(__file__).parent.parent
    for name in _CODE:
        path = package / name
        for module in [path] if path.suffix else sorted(path.rglob("*.py")):
            digest.update(hashlib.sha256(module.read_bytes()).digest())
    return digest.hexdigest()


def _versions() -> Iterator[str | None]:
    yield platform.python_version()
    for name in _LIBRARIES:
        try:
            yield version(name)
        except PackageNotFoundError:
            yield None
