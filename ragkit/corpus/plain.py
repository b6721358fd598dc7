"""Plain text: the stored text is the file decoded and nothing else; sections by ``==`` lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.base import Read
from ragkit.corpus.decoding import decode, read_whole
from ragkit.corpus.wikitext import parse_sections, parse_title

__all__ = ["read"]


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    text = decode(read_whole(file, str(path)), str(path))
    yield Read(text, parse_sections(text), title=parse_title(text))
