"""Writing and opening the tables of an index, in memory or as the files of a folder.

``NAME.npy`` is an array that grows by rows; any other name is a file of bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.storage.arrays import Table
from ragkit.storage.checksums import (
    SUMS,
    FileDamagedError,
    FileRecord,
    unreadable,
    verify_files,
)
from ragkit.storage.mapped import Residency, map_file

__all__ = [
    "FolderTables",
    "MemoryTables",
    "TableWriter",
    "copy_tables",
    "is_equal",
    "json_bytes",
    "open_tables",
]

_COPIED = 1 << 24


class TableWriter(Protocol):
    """Collects tables by name; a table can be read once nothing more is appended to it."""

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Append rows. The first call for a name fixes dtype and shape; it may be empty."""
        ...

    def table(self, name: str) -> Table:
        """Return everything that was appended to ``name``."""
        ...

    def finish(self) -> Mapping[str, Table]:
        """Return all tables by name."""
        ...


class MemoryTables:
    """Tables that live in memory only."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}

    def append(self, name: str, rows: NDArray[Any]) -> None:
        self._parts.setdefault(name, []).append(rows)

    def table(self, name: str) -> Table:
        parts = self._parts[name]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0]

    def finish(self) -> Mapping[str, Table]:
        return {name: self.table(name) for name in sorted(self._parts)}


class FolderTables:
    """Tables as files of an existing folder; a finished table is memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, _GrowingFile] = {}
        self._residency = Residency(1 << 30)

    def append(self, name: str, rows: NDArray[Any]) -> None:
        if name not in self._open:
            self._open[name] = _GrowingFile((self._folder / name).open("wb"), rows, name)
        self._open[name].append(rows)

    def table(self, name: str) -> Table:
        self._open[name].finish()
        return map_file(self._folder / name, self._residency)

    def finish(self) -> Mapping[str, Table]:
        return {name: self.table(name) for name in sorted(self._open)}


class _GrowingFile:
    """One file. The header of an ``.npy`` leaves room for the row count, written at the end."""

    def __init__(self, file: IO[bytes], like: NDArray[Any], name: str) -> None:
        self._file = file
        self._like = like[:0]
        self._number = 0
        self._is_array = name.endswith(".npy")
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        if rows.dtype != self._like.dtype or rows.shape[1:] != self._like.shape[1:]:
            raise TypeError(f"{self._file.name}: {rows.dtype} {rows.shape} after {self._like}")
        self._number += len(rows)
        self._file.write(np.ascontiguousarray(rows).data)

    def finish(self) -> None:
        if not self._file.closed:
            self._write_header()
            self._file.close()

    def _write_header(self) -> None:
        if self._is_array:
            self._file.seek(0)
            np.lib.format.write_array_header_1_0(
                self._file,
                {
                    "descr": np.lib.format.dtype_to_descr(self._like.dtype),
                    "fortran_order": False,
                    "shape": (self._number, *self._like.shape[1:]),
                },
            )


def copy_tables(files: Mapping[str, Table], writer: TableWriter) -> None:
    """Append all tables to ``writer``, piece by piece."""
    for name, rows in files.items():
        size = max(1, rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64)))
        step = max(1, _COPIED // size)
        for start in range(0, max(len(rows), 1), step):
            writer.append(name, rows[start : start + step])


def is_equal(one: Table, other: Table) -> bool:
    """Whether two tables have the same rows, compared piece by piece."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    size = max(1, one.dtype.itemsize * int(np.prod(one.shape[1:], dtype=np.int64)))
    step = max(1, _COPIED // size)
    pieces = (slice(start, start + step) for start in range(0, len(one), step))
    return all(np.array_equal(one[piece], other[piece]) for piece in pieces)


def json_bytes(content: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the content of a small JSON file as rows of bytes."""
    data = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    return np.frombuffer(data.encode(), dtype=np.uint8)


def open_tables(
    folder: Path,
    records: Mapping[str, FileRecord],
    names: list[str],
    residency: Residency,
    damage: Callable[[Path, int], Exception],
) -> dict[str, Table]:
    """Open some tables of a folder, memory-mapped.

    Small files are verified now. A large file, which has block digests beside it, is verified block
    by block as it is read.

    Args:
        records: the record of every file in ``folder``.
        names: the tables to open.
        damage: the error to raise when a block, by its number, turns out to be damaged later.

    Raises:
        FileDamagedError: a file differs from its record.
        FileUnreadableError: a file is missing or cannot be read or mapped.

    """
    has_sums = {name for name in names if name + SUMS in records}
    verify_files(folder, records, [n + SUMS if n in has_sums else n for n in names])
    tables = {}
    for name in names:
        path = folder / name
        with unreadable(path):
            sums = _block_digests(path, records[name]) if name in has_sums else None
            tables[name] = map_file(path, residency, sums, partial(damage, path))
    return tables


def _block_digests(path: Path, expected: FileRecord) -> bytes:
    size = path.stat().st_size
    if size != expected.bytes:
        raise FileDamagedError(path, f"is damaged: found {size} bytes, expected {expected.bytes}.")
    return path.with_name(path.name + SUMS).read_bytes()
