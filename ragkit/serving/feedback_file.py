"""The file of what people said about answers: JSON Lines, one record a line, oldest first.

A record says nothing about the person who sent it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ragkit.errors import InputError

__all__ = ["Feedback", "FeedbackFile", "NotStoredError", "Verdict", "load_feedback"]

_TEXTS = ("question", "standalone", "short", "text", "comment", "generation", "time")
_MODE = 0o600  # questions and comments are for their owner alone


class Verdict(StrEnum):
    """What a person thinks of an answer."""

    GOOD = "good"
    BAD = "bad"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one person said about one answer.

    Attributes:
        question: the question as typed.
        standalone: the question as understood.
        answered: whether there was an answer; else the corpus was said not to hold it.
        passages: ids of the answer's passages, best first.
        short: the shortest words that answered; empty if there were none.
        text: the words that answered, as ``Answer.text``.
        verdict: what the person thinks of it.
        comment: what the person added.
        generation: the generation of the index that answered.
        time: when it was received, in UTC, such as ``2025-03-01T12:00:00Z``.

    """

    question: str
    standalone: str
    answered: bool
    passages: tuple[str, ...]
    short: str
    text: str
    verdict: Verdict
    comment: str
    generation: str
    time: str

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, JSON-ready, for ``from_dict``."""
        return {**asdict(self), "passages": list(self.passages), "verdict": self.verdict.value}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Feedback:
        """Return the feedback that ``to_dict`` described.

        Raises:
            KeyError: a field is missing.
            TypeError: a field has another type.
            ValueError: the verdict is not a verdict.

        """
        texts = {name: content[name] for name in _TEXTS}
        answered, passages = content["answered"], content["passages"]
        if not (
            isinstance(answered, bool)
            and isinstance(passages, list)
            and all(isinstance(text, str) for text in (*texts.values(), *passages))
        ):
            raise TypeError(
                "expected true or false as answered, a list of strings as passages, strings else"
            )
        verdict = Verdict(content["verdict"])
        return cls(**texts, answered=answered, passages=tuple(passages), verdict=verdict)


class NotStoredError(Exception):
    """The file has no room for another record, or can no longer be written."""


class FeedbackFile:
    """Appends records to a file, created for its owner alone. Thread-safe.

    Only with ``shared`` may several processes of one machine append to it.

    The file is opened for each record, so that it can be moved away at any time.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int, shared: bool = False
    ) -> None:
        """Create the file if there is none.

        Args:
            path: The file.
            max_bytes: Size that the file may reach.
            shared: Whether other processes append to it, too. Each then locks it while it writes,
                which some network file systems refuse.

        Raises:
            InputError: It cannot be written.

        """
        self._path = Path(path)
        self._max_bytes = max_bytes
        self._shared = shared
        self._lock = threading.Lock()
        try:
            os.close(self._open())
        except OSError as error:
            raise InputError(
                f"the feedback file {self._path} cannot be written: {error.strerror or error}. "
                f"Name a file in a folder that exists and that the server may write."
            ) from error

    def append(self, feedback: Feedback) -> None:
        """Append a record, whole or not at all.

        Raises:
            NotStoredError: The file or its disk has no room for it, or it cannot be opened.

        """
        line = json.dumps(feedback.to_dict(), ensure_ascii=False).encode() + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            raise NotStoredError(f"{self._path}: {error.strerror or error}") from error

    def _append(self, line: bytes) -> None:
        descriptor = self._open()
        try:
            if self._shared:
                _wait_for_turn(descriptor)
            before = os.fstat(descriptor).st_size
            if before + len(line) > self._max_bytes:
                raise NotStoredError(f"{self._path} has reached {self._max_bytes:,} bytes")
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, before)
                raise NotStoredError(f"{self._path}: the disk is full")
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        # Opening a pipe would wait for its reader.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self._path, flags, _MODE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a regular file")
        return descriptor


def _wait_for_turn(descriptor: int) -> None:
    """Lock an open file against other processes. Closing it unlocks it."""
    if sys.platform != "win32":  # where there is one process
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def load_feedback(path: Path) -> Iterator[Feedback]:
    """Yield the records of a file.

    Raises:
        InputError: the file cannot be read, or a line is not a record; the error names the line.

    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the feedback file {path} cannot be read: {error}. Expected the file that "
            f"'ragkit serve --feedback' writes."
        ) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Feedback.from_dict(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}, line {number}, is not feedback ({type(error).__name__}: {error}); "
                f"expected a line that 'ragkit serve --feedback' wrote. Remove the line."
            ) from error
