"""Loads sources (files, folders, patterns, Documents) as Documents with sections."""

from __future__ import annotations

from ragkit.corpus.ids import slug
from ragkit.corpus.inputs import ParsedFiles
from ragkit.corpus.left_out import LeftOut, LeftOutFile
from ragkit.corpus.source_file import SourceFile
from ragkit.corpus.sources import (
    Source,
    SourceIterator,
    Sources,
    add_sources,
    iter_sources,
    load_sources,
)

__all__ = [
    "LeftOut",
    "LeftOutFile",
    "ParsedFiles",
    "Source",
    "SourceFile",
    "SourceIterator",
    "Sources",
    "add_sources",
    "iter_sources",
    "load_sources",
    "slug",
]
