"""Where the tables of a build go, row by row: into memory, or into the files of a folder.

``NAME.npy`` is an array that grows by its rows, any other name a file of bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.storage.rows import Residency, Rows, map_file

__all__ = ["FolderTables", "MemoryTables", "Tables", "copy_tables", "json_bytes"]

_COPIED = 1 << 24


class Tables(Protocol):
    """Appended to by name; read again, whole, once nothing more is appended to that name."""

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """The first rows, which may be none, say type and width."""
        ...

    def rows(self, name: str) -> Rows:
        """All that was appended to ``name``."""
        ...

    def finished(self) -> Mapping[str, Rows]:
        """Everything, by name."""
        ...


class MemoryTables:
    """Tables that no file holds."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}

    def append(self, name: str, rows: NDArray[Any]) -> None:
        self._parts.setdefault(name, []).append(rows)

    def rows(self, name: str) -> Rows:
        parts = self._parts[name]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return Rows(parts[0])

    def finished(self) -> Mapping[str, Rows]:
        return {name: self.rows(name) for name in sorted(self._parts)}


class FolderTables:
    """Tables as files of a folder, which exists; what is read again is memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, _Growing] = {}
        self._residency = Residency(1 << 30)

    def append(self, name: str, rows: NDArray[Any]) -> None:
        if name not in self._open:
            self._open[name] = _Growing((self._folder / name).open("wb"), rows, name)
        self._open[name].append(rows)

    def rows(self, name: str) -> Rows:
        self._open[name].finish()
        return map_file(self._folder / name, self._residency)

    def finished(self) -> Mapping[str, Rows]:
        return {name: self.rows(name) for name in sorted(self._open)}


class _Growing:
    """One file. An ``.npy``'s header leaves room for the number of rows, written at the end."""

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


def copy_tables(files: Mapping[str, Rows], tables: Tables) -> None:
    """Append all of ``files``, piece by piece."""
    for name, rows in files.items():
        size = max(1, rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64)))
        step = max(1, _COPIED // size)
        for start in range(0, max(len(rows), 1), step):
            tables.append(name, rows[start : start + step])


def json_bytes(content: Mapping[str, Any]) -> NDArray[np.uint8]:
    """A small JSON file's content, as rows of bytes."""
    data = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    return np.frombuffer(data.encode(), dtype=np.uint8)
