"""A ZIP file's members, read within a bound: what unpacks to more is refused, not unpacked.

The bound counts bytes as they are unpacked; what the archive's own directory claims is not relied
on. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

from ragkit.errors import SourceError

__all__ = ["MOST_UNPACKED", "Archive"]

MOST_UNPACKED = 64 * 2**20
"""Bytes of text, markup included, that one file may hold; the Bible in XML has a tenth."""
_STEP = 2**16


class Archive:
    """An open ZIP file, and how much of it may still be unpacked."""

    def __init__(self, file: BinaryIO, path: Path, kind: str) -> None:
        self.path = path
        self._kind = kind
        self._left = MOST_UNPACKED
        try:
            self._zip = zipfile.ZipFile(file)
        except Exception as error:  # damaged bytes make zipfile raise anything
            raise self.damaged(f"it is no ZIP archive ({error})") from error
        self.names = frozenset(self._zip.namelist())

    def read(self, name: str) -> bytes:
        """One member. Raises SourceError if it is missing, damaged, encrypted, or too much."""
        if name not in self.names:
            raise self.damaged(f"it has no {name}")
        parts: list[bytes] = []
        try:
            with self._zip.open(name) as member:
                while part := member.read(_STEP):
                    self._left -= len(part)
                    if self._left < 0:
                        raise SourceError(
                            f"{self.path} unpacks to more than {MOST_UNPACKED // 2**20} MiB of "
                            f"text (at {name}); expected a document. Split it, if it is one."
                        )
                    parts.append(part)
        except SourceError:
            raise
        except Exception as error:  # damaged, encrypted, or packed in a way that is not known
            raise self.damaged(f"{name} cannot be unpacked ({error})") from error
        return b"".join(parts)

    def damaged(self, why: str) -> SourceError:
        """The error that says what is wrong with the file."""
        return SourceError(
            f"{self.path} is no readable {self._kind}: {why}. Save it again with the program that "
            f"made it, or convert it to text."
        )
