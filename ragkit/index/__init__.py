"""An index: the tables it consists of, the protocol by which it is searched, its files on disk."""

from __future__ import annotations

from ragkit.index.config import DEFAULT_CONFIG, DEFAULT_MEMORY, RetrievalConfig, parse_memory
from ragkit.index.filters import Conditions, Where
from ragkit.index.local import LocalData
from ragkit.index.manifest import Manifest
from ragkit.index.protocol import AllowedChunks, IndexData, Progress
from ragkit.index.publish import verify, write_lock
from ragkit.index.restricted import RestrictedData

__all__ = [
    "DEFAULT_CONFIG",
    "DEFAULT_MEMORY",
    "AllowedChunks",
    "Conditions",
    "IndexData",
    "LocalData",
    "Manifest",
    "Progress",
    "RestrictedData",
    "RetrievalConfig",
    "Where",
    "parse_memory",
    "verify",
    "write_lock",
]
