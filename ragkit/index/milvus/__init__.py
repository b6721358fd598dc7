"""An index on a Milvus server: pushed whole, published in one step, asked as one on disk is."""

from __future__ import annotations

from ragkit.index.milvus.data import MEMORY, MilvusData, Opened, open_data
from ragkit.index.milvus.location import MilvusLocation
from ragkit.index.milvus.push import Pushable, push

__all__ = [
    "MEMORY",
    "MilvusData",
    "MilvusLocation",
    "Opened",
    "Pushable",
    "open_data",
    "push",
]
