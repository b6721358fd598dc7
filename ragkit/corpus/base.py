"""What every reader gives, and what all of them need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ragkit.errors import MissingExtraError
from ragkit.types import MetadataValue, Section

__all__ = ["Read", "Reader", "extra"]


@dataclass(frozen=True, slots=True)
class Read:
    """One document as its source says it: the stored text, and what the source calls it.

    ``sections`` and ``pages`` are those of ``Document``. None means that the source does not say.
    """

    text: str
    sections: tuple[Section, ...]
    title: str | None = None
    url: str | None = None
    id: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    pages: tuple[int, ...] = ()


Reader = Callable[[BinaryIO, Path], Iterator[Read]]
"""An open file, and its path for messages → its documents, in order.

The same bytes give the same documents. Whatever is wrong with the bytes is a SourceError.
"""


@contextmanager
def extra(name: str, path: Path) -> Iterator[None]:
    """Around the import of a reader's library: says what to install where it is missing."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"reading {path} needs {error.name or 'a library'}, which is not installed. Install "
            f"it: pip install 'ragkit-cited[{name}]'"
        ) from error
