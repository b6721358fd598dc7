"""Store bytes in a database that has only texts and numbers.

A *blob* is a piece of content of any length, with a kind and a number. It begins with a checksum of
its content, kind and number, so that a row that was cut, altered or moved is detected. A blob is
stored as base64 in one or more rows, its *pieces*, since a ``VARCHAR`` has at most 65,535
characters.
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
    "MAX_TEXT",
    "BlobKind",
    "BrokenBlobError",
    "blob_id",
    "delta_decode",
    "delta_encode",
    "join_pieces",
    "number_of_pieces",
    "pack_arrays",
    "split_blob",
    "unpack_arrays",
]

MAX_TEXT = 65_535
"""Length of the longest ``VARCHAR``."""

_PIECE = MAX_TEXT // 4 * 3
"""Bytes of a piece, before base64."""

_HEADER = struct.Struct("<8sI")
"""Checksum and length of a blob's content."""

_ENTRY = struct.Struct("<BI")
"""Type and number of elements of an array."""

_TYPES: tuple[type[Any], ...] = (
    np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64, np.float32,
)  # fmt: skip
_UNSIGNED: tuple[type[Any], ...] = (np.uint8, np.uint16, np.uint32)


class BlobKind(IntEnum):
    """What a blob holds. Three bits."""

    TABLE = 0
    """A table that a generation has once, numbered by ``head.TableBlob``."""
    ROW = 1
    """What approximate scoring needs of a chunk."""
    TOKENS = 2
    """The text and the token vectors of a chunk."""
    DOCUMENT = 3
    STEMS = 4
    POSTINGS = 5
    IDS = 6
    COLUMNS = 7


class BrokenBlobError(ValueError):
    """A blob is not what was written."""


def blob_id(kind: BlobKind, number: int, piece: int = 0) -> int:
    """Return the primary key of a piece: 3 bits kind, 40 bits number, 20 bits piece."""
    return kind << 60 | number << 20 | piece


def split_blob(kind: BlobKind, number: int, content: bytes) -> Iterator[tuple[int, str]]:
    """Yield the primary key and the text of each piece of a blob."""
    data = _HEADER.pack(_checksum(kind, number, content), len(content)) + content
    for piece, start in enumerate(range(0, len(data), _PIECE)):
        text = b64encode(data[start : start + _PIECE]).decode()
        yield blob_id(kind, number, piece), text


def number_of_pieces(first: str) -> int:
    """Return how many pieces the blob has whose first is ``first``. Raises BrokenBlobError."""
    data = _decode_base64(first[:16])
    if len(data) < _HEADER.size:
        raise BrokenBlobError("it is cut")
    return -(-(_HEADER.size + int(_HEADER.unpack_from(data)[1])) // _PIECE)


def join_pieces(kind: BlobKind, number: int, texts: Sequence[str]) -> bytes:
    """Return the verified content of the blob with these pieces. Raises BrokenBlobError."""
    data = b"".join(map(_decode_base64, texts))
    if len(data) < _HEADER.size:
        raise BrokenBlobError("it is cut")
    checksum, length = _HEADER.unpack_from(data)
    content = data[_HEADER.size :]
    if len(content) != length or _checksum(kind, number, content) != checksum:
        raise BrokenBlobError("its checksum does not match")
    return content


def pack_arrays(*arrays: NDArray[Any]) -> bytes:
    """Concatenate arrays with their types and lengths; shapes are not stored."""
    header = struct.pack("<B", len(arrays)) + b"".join(
        _ENTRY.pack(_TYPES.index(array.dtype.type), array.size) for array in arrays
    )
    return header + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def unpack_arrays(data: bytes) -> list[NDArray[Any]]:
    """Return the flat arrays that ``pack_arrays`` concatenated; the data must be verified."""
    entries = [_ENTRY.unpack_from(data, 1 + i * _ENTRY.size) for i in range(data[0])]
    arrays: list[NDArray[Any]] = []
    start = 1 + len(entries) * _ENTRY.size
    for type_number, size in entries:
        arrays.append(np.frombuffer(data, _TYPES[type_number], size, start))
        start += arrays[-1].nbytes
    return arrays


def delta_encode(ascending: NDArray[np.int32]) -> NDArray[Any]:
    """Return the differences of distinct ascending numbers ≥ 0, in the smallest type that fits."""
    differences = np.diff(ascending, prepend=np.int32(0))
    largest = int(differences.max(initial=0))
    smallest_type = next(kind for kind in _UNSIGNED if largest <= np.iinfo(kind).max)
    return differences.astype(smallest_type)


def delta_decode(differences: NDArray[Any]) -> NDArray[np.int32]:
    """Return the numbers of which ``delta_encode`` took the differences."""
    return np.cumsum(differences, dtype=np.int32)


def _decode_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise BrokenBlobError("it is not base64") from error


def _checksum(kind: BlobKind, number: int, content: bytes) -> bytes:
    key = blob_id(kind, number).to_bytes(8, "little")
    return hashlib.blake2b(content, digest_size=8, key=key).digest()
