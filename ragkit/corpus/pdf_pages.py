"""What a PDF holds, page by page: lines with their places and fonts, the outline, the properties.

The reading order of the lines is the order in which the file draws them, except where that jumps
between columns row by row.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from ragkit.corpus.decoding import replace_surrogates
from ragkit.corpus.parser import requires_extra
from ragkit.corpus.pdf_lines import Box, Line
from ragkit.corpus.pdf_tables import is_running_text, with_tables
from ragkit.errors import SourceError

__all__ = ["OutlineEntry", "PdfContent", "parse_pages", "run_pdfium"]

_PROGRAM = Path(__file__).with_name("pdf_process.py")
_ROW_HEIGHT = 0.5
"""Of the font's size: fragments whose baselines differ by less are one line."""
_WIDE_GAP = 1.1
"""Of the font's size: a wider gap is one between columns, or words that are set apart."""
_MIN_COLUMN_ROWS = 3
"""So many rows have a gap where two columns meet."""
_MAX_COLUMN_DEPTH = 4


class OutlineEntry(NamedTuple):
    """``level`` counts from 1, ``page`` from 0; ``height``: place on the page, or None."""

    level: int
    title: str
    page: int
    height: float | None


@dataclass(frozen=True, slots=True)
class PdfContent:
    """The lines of each page in reading order, the outline, and the properties as text."""

    pages: list[list[Line]]
    outline: list[OutlineEntry]
    properties: Mapping[str, str]


def parse_pages(file: BinaryIO, path: Path, *, with_boxes: bool = False) -> PdfContent:
    """Return what a PDF holds; with boxes, lines have those of their words.

    Raises:
        SourceError: the file is damaged, encrypted, or takes too much time or memory.
        MissingExtraError: the library is not installed.

    """
    content = run_pdfium(file.read(), path, *(["--boxes"] if with_boxes else []))
    pages = with_tables([_line(*fields) for fields in page] for page in content["pages"])
    return PdfContent(
        [list(_in_order(page)) for page in pages],
        [OutlineEntry(level, _clean(title), *at) for level, title, *at in content["outline"]],
        {name: _clean(value) for name, value in content["properties"].items()},
    )


def run_pdfium(data: bytes, path: Path, *arguments: str) -> dict[str, Any]:
    """Run the program that reads PDFs on one, and return its result. Raises as ``parse_pages``."""
    with requires_extra("documents", path):
        import pypdfium2  # noqa: F401
    # -P: the folder of the program has modules named as those of the standard library.
    command = [sys.executable, "-P", str(_PROGRAM), *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise _unreadable(path, _ending(done.returncode, done.stderr))
    content: dict[str, Any] = json.loads(done.stdout)
    if content.get("error") == "password":
        raise SourceError(f"{path} is encrypted with a password. Save a copy without one.")
    if "error" in content:
        raise _unreadable(path, content["error"])
    return content


def _unreadable(path: Path, reason: str) -> SourceError:
    return SourceError(
        f"{path} is not a readable PDF: {reason}. Save it again with the program that created it, "
        f"or convert it to text."
    )


def _ending(code: int, errors: bytes) -> str:
    """Say how the program ended that did not finish."""
    if code < 0 or b"MemoryError" in errors:
        return f"one page takes too much time or memory, or crashes the parser (status {code})"
    last = errors.decode(errors="replace").strip().splitlines()[-1:]
    return f"the parser failed ({''.join(last)[:200]})"


def _clean(text: str) -> str:
    return " ".join(replace_surrogates(text).replace("\0", "\ufffd").split())


def _line(text: str, *place: Any) -> Line:
    left, baseline, right, size, is_bold, *boxes = place
    words = tuple([cast(Box, tuple(box)) for own in boxes for box in own])
    return Line(_clean(text), left, baseline, right, size, is_bold, boxes=words)


# --- Reading order


def _in_order(page: Sequence[Line]) -> Iterator[Line]:
    """Yield the lines of a page: rows of tables as they are, and what is between in its order."""
    for is_table, group in groupby(page, key=lambda line: bool(line.table)):
        lines = list(group)
        yield from lines if is_table else _reading_order(list(_fragments(lines)))


def _fragments(parts: Iterable[Line]) -> Iterator[Line]:
    """Yield runs of fragments with narrow gaps between them, as in justified text, as one."""
    run: list[Line] = []
    for part in parts:
        if run and not _is_next(run[-1], part):
            yield _joined(run)._replace(parts=())
            run = []
        run.append(part)
    if run:
        yield _joined(run)._replace(parts=())


def _is_next(before: Line, part: Line) -> bool:
    size = max(before.size, part.size, 1.0)
    is_same_line = abs(part.baseline - before.baseline) < 0.6 * size
    return is_same_line and -0.5 * size < part.left - before.right < _WIDE_GAP * size


def _reading_order(fragments: Sequence[Line], depth: int = 0) -> list[Line]:
    """Return the lines of a page, or of a column, with columns one after the other."""
    rows = list(_rows(fragments))
    gutter = _gutter(rows) if depth < _MAX_COLUMN_DEPTH else None
    if gutter is None:
        return [_joined(row) for row in rows]
    lines: list[Line] = []
    for zone, has_columns in _zones(rows, gutter):
        left, right = _sides(zone, gutter)
        if has_columns and _are_columns(left, depth) and _are_columns(right, depth):
            lines += _reading_order(left, depth + 1) + _reading_order(right, depth + 1)
        else:
            lines += [_joined(row) for row in zone]
    return lines


def _rows(fragments: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield runs of fragments, in order, that stand beside each other."""
    row: list[Line] = []
    for fragment in fragments:
        height = _ROW_HEIGHT * max(fragment.size, 1.0)
        if row and (
            abs(fragment.baseline - row[-1].baseline) > height
            or fragment.left < row[-1].right - height
        ):
            yield row
            row = []
        row.append(fragment)
    if row:
        yield row


def _gutter(rows: Sequence[Sequence[Line]]) -> float | None:
    """Return the place that lies in the gaps of the most rows; None if these are too few."""
    edges: list[tuple[float, int]] = []
    for row in rows:
        for before, after in pairwise(row):
            if after.left > before.right:
                edges += [(before.right, 1), (after.left, -1)]
    edges.sort()
    best, best_place, count = 0, 0.0, 0
    for (place, change), (following, _) in pairwise(edges):
        count += change
        if count > best:
            best, best_place = count, (place + following) / 2
    return best_place if best >= _MIN_COLUMN_ROWS else None


def _zones(
    rows: Iterable[Sequence[Line]], gutter: float
) -> Iterator[tuple[list[Sequence[Line]], bool]]:
    """Yield runs of rows that all leave the gutter free, or all cross it."""
    zone: list[Sequence[Line]] = []
    is_free = True
    for row in rows:
        is_row_free = all(part.right <= gutter or part.left >= gutter for part in row)
        if zone and is_row_free != is_free:
            yield zone, is_free
            zone = []
        is_free = is_row_free
        zone.append(row)
    if zone:
        yield zone, is_free


def _sides(rows: Iterable[Sequence[Line]], gutter: float) -> tuple[list[Line], list[Line]]:
    parts = [part for row in rows for part in row]
    left = [part for part in parts if part.right <= gutter]
    return left, [part for part in parts if part.left >= gutter]


def _are_columns(parts: Sequence[Line], depth: int) -> bool:
    """Return whether fragments are one column of running text, or several."""
    if is_running_text(parts):
        return True
    rows = list(_rows(parts))
    gutter = _gutter(rows) if depth < _MAX_COLUMN_DEPTH else None
    return gutter is not None and all(
        _are_columns(side, depth + 1) for side in _sides(rows, gutter)
    )


def _joined(row: Sequence[Line]) -> Line:
    if len(row) == 1:
        return row[0]
    widest = max(row, key=lambda part: len(part.text))
    text = " ".join(part.text for part in row)
    is_bold = all(part.is_bold for part in row)
    place = (row[0].left, widest.baseline, row[-1].right)
    boxes = tuple([box for part in row for box in part.boxes])
    return Line(text, *place, widest.size, is_bold, tuple(row), boxes)
