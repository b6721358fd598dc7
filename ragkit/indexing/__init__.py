"""Sources → an index: built, updated, repaired, saved; in this process or on many machines."""

from __future__ import annotations

from ragkit.indexing.builder import (
    BuildSettings,
    LocalIndex,
    build,
    check_encoder,
    how_to_freshen,
    is_remote,
    open_index,
    save,
    update,
    with_stale_sources,
)
from ragkit.indexing.export import export_index
from ragkit.indexing.pipeline import ChunkEncoder
from ragkit.indexing.repair import repair
from ragkit.indexing.restricted import RestrictedIndex
from ragkit.indexing.upgrade import upgrade

__all__ = [
    "BuildSettings",
    "ChunkEncoder",
    "LocalIndex",
    "RestrictedIndex",
    "build",
    "check_encoder",
    "export_index",
    "how_to_freshen",
    "is_remote",
    "open_index",
    "repair",
    "save",
    "update",
    "upgrade",
    "with_stale_sources",
]
