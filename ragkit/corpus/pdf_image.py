"""Pictures of the pages of a PDF on which a passage stands, with the passage marked.

The boxes are those of the very words that became the passage's text: the file is read once more as
it was when it was indexed, so that words that a line breaks, columns and the ends of pages are told
apart as they were then.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ragkit.commands import command
from ragkit.corpus.pdf import PlacedWord, place_words
from ragkit.corpus.pdf_lines import Box
from ragkit.corpus.pdf_pages import run_pdfium
from ragkit.corpus.source_file import SourceFile, opened
from ragkit.errors import IndexStaleError, InputError, SourceError
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = ["PageImage", "PixelBox", "page_images"]

_MAX_PAGES = 20
"""Pages of one passage; each takes about 0.2 s."""
_PASSAGE_COLOUR = (255, 244, 176)
_HIGHLIGHT_COLOUR = (255, 208, 64)


class PixelBox(NamedTuple):
    """A rectangle on a picture, in pixels from its upper left corner."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page of a PDF as a picture, with a passage marked.

    A notebook shows it.

    Attributes:
        page: number of the page, from 1.
        png: the picture, as PNG.
        width: of the picture in pixels.
        height: of the picture in pixels.
        boxes: where the passage stands: one for each of its lines.
        highlights: where the highlights stand, the same.

    """

    page: int
    png: bytes
    width: int
    height: int
    boxes: tuple[PixelBox, ...]
    highlights: tuple[PixelBox, ...] = ()

    def _repr_png_(self) -> bytes:
        return self.png


def page_images(
    document: Document,
    source: SourceFile,
    span: Span,
    *,
    highlights: Sequence[Span] = (),
    scale: float = 2.0,
) -> list[PageImage]:
    """Return a picture of each page on which a span of a document stands.

    Args:
        document: the document, as it was parsed from the file.
        source: the file, and the checksum that it had then.
        span: what to mark.
        highlights: spans to mark more strongly.
        scale: pixels a point, a 72nd of an inch; above 4,000 pixels a side it is reduced.

    Raises:
        InputError: the document is not from a PDF, ``scale`` cannot be used, or the span is on more
            than 20 pages.
        IndexStaleError: the file changed or is missing.
        SourceError: the file cannot be read.
        MissingExtraError: the library that reads PDFs is not installed.

    """
    if not 0.1 <= scale <= 10:
        raise InputError(f"scale is {scale!r}; expected pixels a point, 0.1 to 10, such as 2.")
    path, data = _unchanged(document, source)
    text, words = place_words(data, path)
    if text != document.text:
        raise IndexStaleError(
            f"{path} is unchanged, but this version of ragkit parses it otherwise than the one "
            f"that indexed it. Update the index with this version: "
            f"{command('ragkit index update INDEX')}"
        )
    pages = _by_page(words, [span])
    if len(pages) > _MAX_PAGES:
        raise InputError(
            f"the passage is on {len(pages)} pages of {path}; expected at most {_MAX_PAGES}. "
            f"Choose a shorter one."
        )
    stronger = _by_page(words, highlights)
    return [
        _drawn(data, path, page, scale=scale, marks=(boxes, stronger.get(page, [])))
        for page, boxes in pages.items()
    ]


def _unchanged(document: Document, source: SourceFile) -> tuple[Path, bytes]:
    """Return the path and the bytes of a PDF, which are those that were indexed."""
    path = source.path
    if path is None or not path.name.lower().endswith(".pdf"):
        raise InputError(
            f"the document {document.id!r} comes from {path or 'memory'}; expected a PDF, since "
            f"only that has pages to show."
        )
    try:
        with opened(path) as file:
            data = file.read()
    except SourceError as error:
        raise IndexStaleError(
            f"the page cannot be shown: {error} Put the file back, or drop its documents: "
            f"{command('ragkit index update INDEX --drop-missing')}"
        ) from error
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise IndexStaleError(
            f"{path} has changed since it was indexed, so that the passage may stand elsewhere. "
            f"Update the index: {command('ragkit index update INDEX')}"
        )
    return path, data


def _by_page(words: Iterable[PlacedWord], spans: Sequence[Span]) -> dict[int, list[Box]]:
    """Page from 0 → the boxes of spans, one for each line of each."""
    boxes: dict[int, list[Box]] = {}
    for start, end in spans:
        inside = (word for word in words if word.span.start < end and start < word.span.end)
        for (page, _), run in groupby(inside, key=lambda word: (word.page, word.line)):
            boxes.setdefault(page, []).append(_around([word.box for word in run]))
    return dict(sorted(boxes.items()))


def _around(boxes: Sequence[Box]) -> Box:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _drawn(
    data: bytes, path: Path, page: int, *, scale: float, marks: Sequence[list[Box]]
) -> PageImage:
    """Draw a page from 0; ``marks``: the boxes of the passage and those of its highlights."""
    coloured = list(zip((_PASSAGE_COLOUR, _HIGHLIGHT_COLOUR), marks, strict=True))
    request = json.dumps({"page": page, "scale": scale, "marks": coloured})
    drawn = run_pdfium(data, path, "--mark", request)
    own, stronger = (tuple([PixelBox(*box) for box in group]) for group in drawn["boxes"])
    return PageImage(
        page + 1, base64.b64decode(drawn["png"]), drawn["width"], drawn["height"], own, stronger
    )
