"""An index: the tables it consists of, the protocol by which it is searched, its files on disk."""

from __future__ import annotations

from ragkit.index.config import Weights
from ragkit.index.filters import Conditions, Where
from ragkit.index.layout import MEMORY, parse_memory
from ragkit.index.local import LocalData
from ragkit.index.manifest import Manifest
from ragkit.index.protocol import Allowed, IndexData, Numbers, TokenRows
from ragkit.index.publish import verify, write_lock

__all__ = [
    "MEMORY",
    "Allowed",
    "Conditions",
    "IndexData",
    "LocalData",
    "Manifest",
    "Numbers",
    "TokenRows",
    "Weights",
    "Where",
    "parse_memory",
    "verify",
    "write_lock",
]
