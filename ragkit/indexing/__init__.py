"""Sources → an index: built, updated, repaired, saved; in this process or on many machines."""

from __future__ import annotations

from ragkit.index.protocol import Progress
from ragkit.indexing.builder import (
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
from ragkit.indexing.pipeline import Reader
from ragkit.indexing.repair import repair

__all__ = [
    "Made",
    "Progress",
    "Reader",
    "Recipe",
    "build",
    "is_remote",
    "read",
    "refuse_changed",
    "refuse_other",
    "repair",
    "save",
    "update",
]
