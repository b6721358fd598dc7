"""What is on disk, and how it gets there whole: data, manifest, store."""

from __future__ import annotations

from ragkit.index.building import Earlier, Progress, build_data
from ragkit.index.data import IndexData
from ragkit.index.journal import Journal
from ragkit.index.lexicon import Lexicon
from ragkit.index.manifest import Manifest, SourceRecord
from ragkit.index.store import checked_path, publish, read_file, record, write_lock
from ragkit.index.weights import Weights

__all__ = [
    "Earlier",
    "IndexData",
    "Journal",
    "Lexicon",
    "Manifest",
    "Progress",
    "SourceRecord",
    "Weights",
    "build_data",
    "checked_path",
    "publish",
    "read_file",
    "record",
    "write_lock",
]
