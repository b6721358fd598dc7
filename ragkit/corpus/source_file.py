"""SourceFile: the bytes that a document comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from ragkit.errors import SourceError

__all__ = ["SourceFile", "opened", "sha256_of"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The bytes that a document comes from.

    Attributes:
        document_id: id of the document.
        path: the file; None for a document from memory.
        sha256: hexadecimal digest of the file, or of the text of a document from memory.
        inputs: digest of all that the file's documents follow from (``digest_inputs``); None if it
            is not known.

    """

    document_id: str
    path: Path | None
    sha256: str
    inputs: str | None = None

    def current_sha256(self) -> str:
        """Return the digest of the file as it is now.

        Raises:
            SourceError: the file cannot be read, or the document comes from memory.

        """
        if self.path is None:
            raise SourceError(f"the document {self.document_id!r} came from memory, not a file.")
        with opened(self.path) as file:
            return sha256_of(file)


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
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


def sha256_of(file: BufferedReader) -> str:
    """Return the digest of an open file, which is at its beginning again afterwards."""
    try:
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
    except OSError as error:
        raise SourceError(f"the source {file.name} cannot be read: {error.strerror}.") from error
    return digest
