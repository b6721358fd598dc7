"""Which reader reads which file: the one place to add a format."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from ragkit.corpus.base import Reader
from ragkit.errors import SourceError

__all__ = ["SUFFIXES", "reader_of", "split_suffix"]

# Suffix → module of this package that reads it, imported when such a file is met.
_MODULES = {
    ".txt": "plain", ".text": "plain",
    ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".wiki": "mediawiki", ".mediawiki": "mediawiki",
    ".xml": "dump", ".xml.bz2": "dump", ".xml.gz": "dump",
    ".pdf": "pdf", ".docx": "docx", ".epub": "epub",
}  # fmt: skip

SUFFIXES = tuple(_MODULES)
"""What can be read; upper and lower case are the same."""


def split_suffix(path: Path) -> tuple[str, str]:
    """A file's name without its readable suffix, and that; ``""`` where it has none."""
    # .xml.bz2 before a suffix .bz2 that there may be one day.
    for suffix in sorted(_MODULES, key=len, reverse=True):
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[: -len(suffix)], suffix
    return path.stem, ""


def reader_of(path: Path) -> Reader:
    """The reader for a file, by its suffix. Raises SourceError where there is none."""
    suffix = split_suffix(path)[1]
    if not suffix:
        raise SourceError(
            f"{path} has the suffix {path.suffix!r}; readable are {', '.join(SUFFIXES)}. Convert "
            f"it to one of them first."
        )
    return cast(Reader, import_module(f"ragkit.corpus.{_MODULES[suffix]}").read)
