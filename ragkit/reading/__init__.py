"""Reading question and passage together: does it answer, with which words?"""

from __future__ import annotations

from ragkit.reading.passages import ChunkReading, Result, read_result
from ragkit.reading.reader import SHIPPED, Calibration, Kind, Reader, Reading, Window
from ragkit.reading.shipped import load_reader

__all__ = [
    "SHIPPED",
    "Calibration",
    "ChunkReading",
    "Kind",
    "Reader",
    "Reading",
    "Result",
    "Window",
    "load_reader",
    "read_result",
]
