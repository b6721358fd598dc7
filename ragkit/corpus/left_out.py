"""What was left out of the sources, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragkit.errors import SourceError

__all__ = ["LeftOut", "LeftOutBuilder", "LeftOutFile"]


@dataclass(frozen=True, slots=True)
class LeftOutFile:
    """A file or folder in the sources that could not be indexed.

    Attributes:
        path: the file or folder.
        reason: what is wrong with it and what to do, in one line that names it.

    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out of the sources: files that are damaged, and files of other formats.

    Hidden files count as neither.

    Attributes:
        files: files that could not be indexed.
        suffixes: suffix in lower case → number of files of no supported format; ``""`` stands for
            files without a suffix.
        lock_files: number of Office's lock files, such as ``~$minutes.docx``.

    """

    files: tuple[LeftOutFile, ...] = ()
    suffixes: Mapping[str, int] = field(default_factory=dict, hash=False)
    lock_files: int = 0

    def __len__(self) -> int:
        """Number of files that were left out, for whatever reason."""
        return len(self.files) + sum(self.suffixes.values()) + self.lock_files

    def lines(self) -> list[str]:
        """Return the report: one line a file that could not be indexed, and one for the others."""
        return [*(file.reason for file in self.files), *self._counts()]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary."""
        return {
            "files": [{"path": str(file.path), "reason": file.reason} for file in self.files],
            "suffixes": dict(self.suffixes),
            "lock_files": self.lock_files,
        }

    def _counts(self) -> list[str]:
        """Return one line for files of other formats, and one for lock files, if there are any."""
        others = [f"{n} {suffix or 'without a suffix'}" for suffix, n in self.suffixes.items()]
        counts = [f"files of other formats: {', '.join(others)}"] if others else []
        return [*counts, f"lock files of Office: {self.lock_files}"] if self.lock_files else counts


class LeftOutBuilder:
    """Collects what is left out while the sources are loaded.

    Args:
        strict: a damaged file is an error instead.

    Attributes:
        suffixes: as in ``LeftOut``.
        lock_files: as in ``LeftOut``.

    """

    def __init__(self, *, strict: bool = False) -> None:
        self.suffixes: Counter[str] = Counter()
        self.lock_files = 0
        self._strict = strict
        self._files: list[LeftOutFile] = []

    def add(self, path: Path, error: SourceError, indexed: int = 0) -> None:
        """Leave out a damaged file; with ``strict``, raise ``error``.

        Args:
            path: the file.
            error: what is wrong with it.
            indexed: number of its documents that are indexed all the same.

        """
        if self._strict:
            raise error
        partly = f" (its first {indexed} documents are indexed)" if indexed else ""
        self.note(path, f"{error}{partly}")

    def note(self, path: Path, reason: str) -> None:
        """Leave out a file that is no error even with ``strict``, such as a link to outside."""
        self._files.append(LeftOutFile(path, " ".join(reason.split())))

    def build(self) -> LeftOut:
        """Return what has been left out so far."""
        return LeftOut(tuple(self._files), dict(sorted(self.suffixes.items())), self.lock_files)
