"""Bytes in a database that knows texts and numbers only.

What is kept is a *blob*: of a kind, with a number, any length. Its bytes stand as base64 in one
``VARCHAR`` or more, as that type ends at 65,535 characters, and begin with a checksum of where they
belong and what they are, so that a row that was cut, altered or put elsewhere is never believed.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "TEXT",
    "BrokenBlobError",
    "Kind",
    "blob_id",
    "deltas",
    "joined",
    "packed",
    "pieces",
    "pieces_of",
    "undeltas",
    "unpacked",
]

TEXT = 65_535
"""The longest ``VARCHAR``."""

_PIECE = TEXT // 4 * 3
_HEAD = struct.Struct("<8sI")
_ENTRY = struct.Struct("<BI")
_TYPES: tuple[type[Any], ...] = (
    np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64, np.float32,
)  # fmt: skip
_UNSIGNED: tuple[type[Any], ...] = (np.uint8, np.uint16, np.uint32)


class Kind(IntEnum):
    """What a blob is of. Three bits."""

    TABLE = 0
    """One of a generation: ``HEAD`` and the others that ``layout`` numbers."""
    ROW = 1
    """Of a chunk, what candidates are sorted by."""
    TOKENS = 2
    """Of a chunk, its text and token vectors."""
    DOCUMENT = 3
    STEMS = 4
    POSTINGS = 5
    IDS = 6
    COLUMNS = 7


class BrokenBlobError(ValueError):
    """What was read is not what was written."""


def blob_id(kind: Kind, number: int, piece: int = 0) -> int:
    """The primary key of a piece: 3 bits the kind, 40 the number, 20 the piece."""
    return kind << 60 | number << 20 | piece


def pieces(kind: Kind, number: int, content: bytes) -> Iterator[tuple[int, str]]:
    """The keys and texts of a blob."""
    data = _HEAD.pack(_checksum(kind, number, content), len(content)) + content
    for piece, start in enumerate(range(0, len(data), _PIECE)):
        text = b64encode(data[start : start + _PIECE]).decode()
        yield blob_id(kind, number, piece), text


def pieces_of(first: str) -> int:
    """How many pieces the blob has whose first is ``first``. Raises BrokenBlobError."""
    data = _decoded(first[:16])
    if len(data) < _HEAD.size:
        raise BrokenBlobError("it is cut")
    return -(-(_HEAD.size + int(_HEAD.unpack_from(data)[1])) // _PIECE)


def joined(kind: Kind, number: int, texts: Sequence[str]) -> bytes:
    """The content of the blob whose pieces are ``texts``. Raises BrokenBlobError."""
    data = b"".join(map(_decoded, texts))
    if len(data) < _HEAD.size:
        raise BrokenBlobError("it is cut")
    checksum, length = _HEAD.unpack_from(data)
    content = data[_HEAD.size :]
    if len(content) != length or _checksum(kind, number, content) != checksum:
        raise BrokenBlobError("its checksum is another")
    return content


def packed(*arrays: NDArray[Any]) -> bytes:
    """Flat arrays, one after the other; more dimensions are the reader's knowledge."""
    head = struct.pack("<B", len(arrays)) + b"".join(
        _ENTRY.pack(_TYPES.index(array.dtype.type), array.size) for array in arrays
    )
    return head + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def unpacked(data: bytes) -> list[NDArray[Any]]:
    """What was packed. Trusts its argument: the checksum has matched."""
    entries = [_ENTRY.unpack_from(data, 1 + i * _ENTRY.size) for i in range(data[0])]
    place, found = 1 + len(entries) * _ENTRY.size, []
    for type_number, size in entries:
        found.append(np.frombuffer(data, _TYPES[type_number], size, place))
        place += found[-1].nbytes
    return found


def deltas(ascending: NDArray[np.int32]) -> NDArray[Any]:
    """The differences of distinct ascending numbers from 0 up, in as few bytes each as they fit."""
    differences = np.diff(ascending, prepend=np.int32(0))
    most = int(differences.max(initial=0))
    fitting = next(kind for kind in _UNSIGNED if most <= np.iinfo(kind).max)
    return differences.astype(fitting)


def undeltas(differences: NDArray[Any]) -> NDArray[np.int32]:
    """The numbers again."""
    return np.cumsum(differences, dtype=np.int32)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise BrokenBlobError("it is no base64") from error


def _checksum(kind: Kind, number: int, content: bytes) -> bytes:
    key = blob_id(kind, number).to_bytes(8, "little")
    return hashlib.blake2b(content, digest_size=8, key=key).digest()
