"""A ZIP archive with a limit on what it unpacks to.

The limit counts bytes as they are unpacked; the sizes in the archive's directory are not trusted.
Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

from ragkit.errors import SourceError

__all__ = ["MAX_UNPACKED_BYTES", "Archive"]

MAX_UNPACKED_BYTES = 64 * 2**20
"""Size limit of all text in an archive, markup included; the Bible in XML uses a tenth of it."""
_STEP_BYTES = 2**16


class Archive:
    """An open ZIP archive.

    Args:
        file: the archive, open for reading.
        path: its path, for messages.
        kind: its format, for messages, such as ``"EPUB"``.

    Attributes:
        path: as above.
        names: the names of all members.

    Raises:
        SourceError: the file is not a ZIP archive.

    """

    def __init__(self, file: BinaryIO, path: Path, kind: str) -> None:
        self.path = path
        self._kind = kind
        self._bytes_left = MAX_UNPACKED_BYTES
        try:
            self._zip = zipfile.ZipFile(file)
        except Exception as error:  # damaged bytes make zipfile raise anything
            raise self.damaged(f"it is not a ZIP archive ({error})") from error
        self.names = frozenset(self._zip.namelist())

    def unpack(self, name: str) -> bytes:
        """Return the content of a member.

        Raises:
            SourceError: the member is missing, damaged or encrypted, or all members unpacked so
                far exceed the limit.

        """
        if name not in self.names:
            raise self.damaged(f"it has no {name}")
        parts: list[bytes] = []
        try:
            with self._zip.open(name) as member:
                while part := member.read(_STEP_BYTES):
                    self._bytes_left -= len(part)
                    if self._bytes_left < 0:
                        raise self._too_large(name)
                    parts.append(part)
        except SourceError:
            raise
        except Exception as error:  # damaged, encrypted, or an unsupported compression
            raise self.damaged(f"{name} cannot be unpacked ({error})") from error
        return b"".join(parts)

    def damaged(self, reason: str) -> SourceError:
        """Return the error for a damaged archive."""
        return SourceError(
            f"{self.path} is not a readable {self._kind}: {reason}. Save it again with the program "
            f"that created it, or convert it to text."
        )

    def _too_large(self, name: str) -> SourceError:
        return SourceError(
            f"{self.path} unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB of text (at "
            f"{name}); expected a document. If it is one, split it."
        )
