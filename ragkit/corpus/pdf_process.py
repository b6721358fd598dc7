"""The program that reads a PDF with PDFium, in a process of its own: a PDF in, JSON out.

PDFium is native code that has no limit on time or memory, and a hostile page can crash it. So
``pdf_pages`` runs this file as a program, which limits itself and imports nothing of ragkit.

    (no argument)    the lines of each page, the outline, the properties
    --boxes          the same, with the box of each word of a line
    --mark REQUEST   the picture of a page, with boxes filled: ``_picture`` has the request
"""

from __future__ import annotations

import base64
import ctypes
import json
import logging
import math
import re
import resource
import signal
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

_MAX_BYTES = 2**30
"""Limit on memory, the file itself added; a page of a book takes some megabytes."""
_MAX_SECONDS = 600
_MAX_PAGE_SECONDS = 20
"""Limits on processor time; a page takes 0.02 s."""
_MAX_CHARACTERS = 64 * 2**20
_MAX_ENTRIES = 100_000
"""Entries of an outline."""

_WORD = re.compile(r"[^\s\x00]+")
_LINE_HYPHENS = re.compile("[\x02\ufffe]")  # how PDFium writes a hyphen at the end of a line
_SOFT_HYPHEN = "\u00ad"
_BOLD_FONT = re.compile(rb"bold|black|heavy|demi|CMBX|[-,]B$", re.IGNORECASE)
_BOLD_WEIGHT = 700
_WIDE_GAP = 0.5
"""Of the font's size: a wider gap between two words may be one between columns or cells."""

_MAX_SIDE = 4_000
"""Pixels of a picture in one direction."""

Word = tuple[str, float, float, float, float, bool, int, int]
"""Text, left, baseline, right, size, whether it is bold, its first and its last character."""


def main() -> None:
    """Read a PDF from standard input, and write what it holds to standard output."""
    data = sys.stdin.buffer.read()
    logging.disable()
    _limit(len(data))
    try:
        result = _result(pypdfium2.PdfDocument(data), sys.argv[1:])
    except pypdfium2.PdfiumError as error:
        is_locked = getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD
        result = {"error": "password" if is_locked else str(error)}
    sys.stdout.write(json.dumps(result))


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES + 4 * size, _MAX_BYTES + 4 * size))
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_SECONDS, _MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _result(document: Any, arguments: list[str]) -> dict[str, Any]:
    if arguments[:1] == ["--mark"]:
        signal.setitimer(signal.ITIMER_VIRTUAL, _MAX_PAGE_SECONDS)
        return _picture(document, **json.loads(arguments[1]))
    return _document(document, with_boxes=arguments == ["--boxes"])


def _document(document: Any, *, with_boxes: bool) -> dict[str, Any]:
    pages, characters = [], 0
    for number in range(len(document)):
        # Its default action ends the process, wherever PDFium is.
        signal.setitimer(signal.ITIMER_VIRTUAL, _MAX_PAGE_SECONDS)
        lines = _page(document, number, with_boxes=with_boxes)
        characters += sum(len(line[0]) for line in lines)
        if characters > _MAX_CHARACTERS:
            return {"error": f"it has more than {_MAX_CHARACTERS:,} characters"}
        pages.append(lines)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return {
        "pages": pages,
        "outline": list(_outline(document)),
        "properties": document.get_metadata_dict(skip_empty=True),
    }


def _page(document: Any, number: int, *, with_boxes: bool) -> list[list[Any]]:
    """Return the fragments of a page's lines, in the order in which the file draws them."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError:  # a damaged page; it counts as one without text
        return []
    text = page.get_textpage()
    runs = list(_fragments(text))
    fragments = [_fragment(words) for words in runs]
    if with_boxes:
        for fragment, words in zip(fragments, runs, strict=True):
            fragment.append([_box(text, word) for word in words])
    text.close()
    page.close()
    return fragments


def _fragment(words: list[Word]) -> list[Any]:
    """Return text, left, baseline, right, size, and whether all of it is bold."""
    sizes: Counter[float] = Counter()
    for word in words:
        sizes[word[4]] += len(word[0])
    size = sizes.most_common(1)[0][0]
    # A raised or small word does not say where the line stands.
    baseline = next(word[2] for word in words if word[4] == size)
    text = " ".join(word[0] for word in words)
    right = max(word[3] for word in words)
    is_bold = all(word[5] for word in words if any(map(str.isalpha, word[0])))
    return [text, words[0][1], baseline, right, size, is_bold]


def _box(page: Any, word: Word) -> list[float]:
    """Return left, bottom, right and top of a word, as high as its font, on the unturned page."""
    boxes = []
    for index in (word[6], word[7]):
        box = pdfium.FS_RECTF()
        pdfium.FPDFText_GetLooseCharBox(page, index, box)
        boxes.append((box.left, box.bottom, box.right, box.top))
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return [min(lefts + rights), min(bottoms + tops), max(lefts + rights), max(bottoms + tops)]


def _fragments(page: Any) -> Iterator[list[Word]]:
    """Yield runs of words without a wide gap or a line's end between them."""
    run: list[Word] = []
    for word in _words(page):
        if run and not _is_next(run, word):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _is_next(run: list[Word], word: Word) -> bool:
    """Return whether a word continues a run of words on its line."""
    last = run[-1]
    if last[0].endswith(_SOFT_HYPHEN):
        return False
    size = max(last[4], word[4], 1.0)
    is_same_line = abs(word[2] - last[2]) < 0.6 * size
    return is_same_line and -0.5 * size < word[1] - last[3] < _WIDE_GAP * size


def _words(page: Any) -> Iterator[Word]:
    count = page.count_chars()
    text = page.get_text_range()
    if len(text) != count:  # characters beyond 16 bits, or unpaired halves of them
        codes = (pdfium.FPDFText_GetUnicode(page, index) for index in range(count))
        text = "".join(chr(code) if code < sys.maxunicode else "\ufffd" for code in codes)
    for match in _WORD.finditer(text):
        start = match.start()
        pieces = _LINE_HYPHENS.split(match[0])
        for number, piece in enumerate(pieces, 1):
            hyphen = _SOFT_HYPHEN if number < len(pieces) else ""
            if piece:
                yield _word(page, piece + hyphen, start, start + len(piece) - 1)
            start += len(piece) + 1


def _word(page: Any, text: str, first: int, last: int) -> Word:
    x, y, box = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
    pdfium.FPDFText_GetCharOrigin(page, first, x, y)
    pdfium.FPDFText_GetLooseCharBox(page, last, box)
    turn = round(pdfium.FPDFText_GetCharAngle(page, first) / (math.pi / 2)) % 4
    left, baseline, right = (
        (x.value, y.value, box.right),
        (y.value, -x.value, box.top),
        (-x.value, -y.value, -box.left),
        (-y.value, x.value, -box.bottom),
    )[turn]
    size, is_bold = _font(page, first)
    place = round(left, 1), round(baseline, 1), round(right, 1)
    return text, *place, size, is_bold, first, last


def _font(page: Any, index: int) -> tuple[float, bool]:
    name, matrix = ctypes.create_string_buffer(200), pdfium.FS_MATRIX()
    pdfium.FPDFText_GetFontInfo(page, index, name, len(name), None)
    size = pdfium.FPDFText_GetFontSize(page, index)
    if pdfium.FPDFText_GetMatrix(page, index, matrix):
        size *= math.hypot(matrix.c, matrix.d)
    weight = pdfium.FPDFText_GetFontWeight(page, index)
    is_bold = bool(_BOLD_FONT.search(name.value)) or weight >= _BOLD_WEIGHT
    return round(size, 1), is_bold


def _outline(document: Any) -> Iterator[tuple[int, str, int, float | None]]:
    """Yield level from 1, title, page from 0, and the height on it that an entry refers to."""
    for number, entry in enumerate(document.get_toc()):
        target = entry.get_dest()
        page = target.get_index() if target else None
        if number == _MAX_ENTRIES:
            return
        if page is not None and 0 <= page < len(document):
            _, view = target.get_view()
            is_place = len(view) == 3  # left, top, zoom
            yield entry.level + 1, entry.get_title(), page, view[1] if is_place else None


def _picture(
    document: Any, *, page: int, scale: float, marks: list[tuple[list[int], list[list[float]]]]
) -> dict[str, Any]:
    """Draw a page, with the boxes of each of ``marks`` filled in its colour, as PNG.

    Args:
        document: the PDF.
        page: from 0.
        scale: pixels a point.
        marks: colours (red, green, blue; 0–255), and boxes in points as ``_box`` returns them.

    """
    drawn = document[page]
    for colour, boxes in marks:
        for box in boxes:
            _fill(drawn, colour, box)
    scale = min(scale, _MAX_SIDE / max(drawn.get_size()))
    bitmap = drawn.render(scale=scale, rev_byteorder=True, may_draw_forms=False)
    pixels = [[_pixels(drawn, bitmap, box) for box in boxes] for _, boxes in marks]
    png = base64.b64encode(_png(bitmap)).decode()
    return {"png": png, "width": bitmap.width, "height": bitmap.height, "boxes": pixels}


def _fill(page: Any, colour: list[int], box: list[float]) -> None:
    """Fill a box like a marker pen: what is dark below it stays dark."""
    left, bottom, right, top = box
    shape = pdfium.FPDFPageObj_CreateNewRect(left, bottom, right - left, top - bottom)
    pdfium.FPDFPageObj_SetFillColor(shape, *colour, 255)
    pdfium.FPDFPath_SetDrawMode(shape, pdfium.FPDF_FILLMODE_WINDING, False)
    pdfium.FPDFPageObj_SetBlendMode(shape, b"Multiply")
    pdfium.FPDFPage_InsertObject(page, shape)


def _pixels(page: Any, bitmap: Any, box: list[float]) -> list[int]:
    """Return left, top, right and bottom of a box in pixels of the picture."""
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for across, up in (box[:2], box[2:]):
        size = bitmap.width, bitmap.height
        pdfium.FPDF_PageToDevice(page, 0, 0, *size, 0, across, up, x, y)
        corners.append((x.value, y.value))
    lefts, tops = zip(*corners, strict=True)
    return [min(lefts), min(tops), max(lefts), max(tops)]


def _png(bitmap: Any) -> bytes:
    """Encode a picture as PNG (ISO/IEC 15948): no filters, eight bits a channel."""
    channels, width = bitmap.n_channels, bitmap.width
    used = min(channels, 3)  # the fourth byte of a pixel is unused, since the page is opaque
    data = bytes(bitmap.buffer)
    rows = []
    for number in range(bitmap.height):
        row = data[number * bitmap.stride :][: channels * width]
        if channels == 4:
            thinned = bytearray(used * width)
            for channel in range(used):
                thinned[channel::used] = row[channel::channels]
            row = bytes(thinned)
        rows.append(b"\0" + row)
    head = struct.pack(">IIBBBBB", width, bitmap.height, 8, 0 if used == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, content) for name, content in chunks)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


if __name__ == "__main__":
    main()
