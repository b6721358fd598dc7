"""An index on a Milvus server: pushed whole, published in one step, queried like one on disk."""

from __future__ import annotations

from ragkit.index.milvus.data import DEFAULT_CACHE_SIZE, MilvusData, OpenGeneration, open_data
from ragkit.index.milvus.location import MilvusLocation
from ragkit.index.milvus.push import Pushable, push

__all__ = [
    "DEFAULT_CACHE_SIZE",
    "MilvusData",
    "MilvusLocation",
    "OpenGeneration",
    "Pushable",
    "open_data",
    "push",
]
