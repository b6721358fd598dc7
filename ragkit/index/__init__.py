"""What is on disk, and how it gets there whole: data, manifest, store."""

from __future__ import annotations

from ragkit.index.base import Allowed, IndexData, Numbers, TokenRows
from ragkit.index.building import Progress, Reader
from ragkit.index.data import LocalData
from ragkit.index.filtering import Conditions, Where
from ragkit.index.layout import MEMORY, parse_memory
from ragkit.index.making import (
    Made,
    Recipe,
    build,
    is_remote,
    read,
    refuse_changed,
    refuse_other,
    save,
    update,
)
from ragkit.index.manifest import Manifest
from ragkit.index.repairing import repair
from ragkit.index.store import verify, write_lock
from ragkit.index.weights import Weights

__all__ = [
    "MEMORY",
    "Allowed",
    "Conditions",
    "IndexData",
    "LocalData",
    "Made",
    "Manifest",
    "Numbers",
    "Progress",
    "Reader",
    "Recipe",
    "TokenRows",
    "Weights",
    "Where",
    "build",
    "is_remote",
    "parse_memory",
    "read",
    "refuse_changed",
    "refuse_other",
    "repair",
    "save",
    "update",
    "verify",
    "write_lock",
]
