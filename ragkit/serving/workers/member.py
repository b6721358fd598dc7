"""What the worker processes of a server share, and what they report to their supervisor."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ragkit.errors import RagkitError

__all__ = [
    "INTERRUPTS",
    "Failed",
    "Member",
    "Opened",
    "Ready",
    "database_file",
    "metrics_folder",
]

INTERRUPTS = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)
)
"""Signals that a terminal sends to all processes of a server: only the supervisor heeds them."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the worker processes of a server, as its app sees it.

    Attributes:
        number: its number, from 1; its replacement has the same.
        folder: what it shares with the others; the supervisor deletes it when the server ends.
        announce: called with the generation of an index that was opened; the supervisor says when
            to serve it.

    """

    number: int
    folder: Path
    announce: Callable[[str], None]


def database_file(folder: Path) -> Path:
    """Return the file of the conversations, and of how much each user has asked."""
    return folder / "requests.sqlite"


def metrics_folder(folder: Path) -> Path:
    """Return the folder of what each process has counted."""
    return folder / "metrics"


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker serves this generation."""

    generation: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A worker has opened this generation, and serves it when it is told to."""

    generation: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker cannot serve."""

    error: RagkitError
