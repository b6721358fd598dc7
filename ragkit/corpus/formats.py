"""Which parser parses which file, by suffix or name: the one place to add a format."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from ragkit.corpus.parser import Parser
from ragkit.errors import SourceError

__all__ = ["SUFFIXES", "is_supported", "parser_for", "split_suffix"]

# Suffix → module of this package with a function ``parse``, imported for the first such file.
_MODULES = {
    ".txt": "plain", ".text": "plain",
    ".md": "markdown", ".markdown": "markdown", ".mdx": "markdown",
    ".rst": "rst",
    ".csv": "rows", ".tsv": "rows",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".wiki": "mediawiki", ".mediawiki": "mediawiki",
    ".xml": "mediawiki_dump", ".xml.bz2": "mediawiki_dump", ".xml.gz": "mediawiki_dump",
    ".pdf": "pdf", ".docx": "docx", ".epub": "epub",
}  # fmt: skip

# Names of files that are plain text by convention and have no suffix, in lower case.
_PLAIN_NAMES = frozenset(
    "authors changelog changes contributing copying history install license news notice readme "
    "todo".split()
)

SUFFIXES = tuple(_MODULES)
"""Suffixes of all formats, in lower case; case does not matter in a file's name."""


def split_suffix(path: Path) -> tuple[str, str]:
    """Split a file's name into stem and suffix.

    Returns:
        The stem, and the suffix in lower case as in ``SUFFIXES``; ``""`` for any other suffix.

    """
    # Longest first, so that .xml.bz2 would win over a later .bz2.
    for suffix in sorted(_MODULES, key=len, reverse=True):
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[: -len(suffix)], suffix
    return path.stem, ""


def is_supported(path: Path) -> bool:
    """Return whether a file has a parser, by its name alone."""
    return _module_of(path) is not None


def parser_for(path: Path) -> Parser:
    """Return the parser for a file by its suffix or name.

    Raises:
        SourceError: no format has that suffix.

    """
    module = _module_of(path)
    if module is None:
        raise SourceError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(SUFFIXES)}. "
            f"Convert the file to one of these formats first."
        )
    return cast(Parser, import_module(f"ragkit.corpus.{module}").parse)


def _module_of(path: Path) -> str | None:
    suffix = split_suffix(path)[1]
    if not suffix and path.name.lower() in _PLAIN_NAMES:
        return "plain"
    return _MODULES.get(suffix)
