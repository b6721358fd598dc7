"""Questions read against passages: each passage by its best window, with the words that answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from ragkit.reading.spans import best_span
from training.model import CLS, SEP, SLASH, Reader
from training.sampling import REAL, Row, padded, parts
from training.sources import Paragraph
from training.windows import QUESTION_TOKENS, TITLE_TOKENS, Window, token_ids, windows_of


@dataclass(frozen=True)
class Reading:
    """``score`` of the passage, and the words of its best window as ``[start, end)``."""

    score: float
    start: int
    end: int
    words: str
    kind: tuple[float, ...]


@dataclass(frozen=True)
class _Found:
    score: float
    first: int
    last: int
    kind: tuple[float, ...]


class Desk:
    """Reads with one reader; keeps the windows of the paragraphs it has seen."""

    def __init__(self, reader: Reader, device: torch.device, size: int = 32) -> None:
        self.reader = reader.to(device).eval()
        self.device = device
        self.size = size
        self._windows: dict[str, list[Window]] = {}

    def windows(self, paragraph: Paragraph) -> list[Window]:
        if paragraph.id not in self._windows:
            self._windows[paragraph.id] = windows_of(paragraph.text)
        return self._windows[paragraph.id]

    def read(self, asked: Sequence[tuple[str, Paragraph]]) -> list[Reading]:
        """One reading for each pair of a question and a passage."""
        rows, owners = [], []
        for i, (question, paragraph) in enumerate(asked):
            for window in self.windows(paragraph):
                rows.append(self._row(question, paragraph.title, window))
                owners.append((i, window))
        best: dict[int, tuple[_Found, Window]] = {}
        for n, found in self._scored(rows):
            i, window = owners[n]
            if i not in best or found.score > best[i][0].score:
                best[i] = (found, window)
        return [_reading(pair[1], *best[i]) for i, pair in enumerate(asked)]

    def _row(self, question: str, title: str, window: Window) -> Row:
        asked = (CLS, *token_ids(question, QUESTION_TOKENS), SEP)
        head = (CLS, *token_ids(title, TITLE_TOKENS), SLASH)
        return Row(asked, (*head, *window.ids, SEP), len(head), REAL, 0, 0)

    def _scored(self, rows: Sequence[Row]) -> Iterator[tuple[int, _Found]]:
        cuda = self.device.type == "cuda"
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=cuda):
            for places in parts(rows, self.size):
                scores = self.reader(padded([rows[i] for i in places]).to(self.device))
                starts, ends = scores.start.cpu().numpy(), scores.end.cpu().numpy()
                kinds = scores.kind.float().softmax(1).cpu().tolist()
                for n, i in enumerate(places):
                    cut = slice(rows[i].inside, len(rows[i].window) - 1)
                    first, last = best_span(starts[n, cut], ends[n, cut])
                    yield i, _Found(float(scores.answers[n]), first, last, tuple(kinds[n]))


def _reading(paragraph: Paragraph, found: _Found, window: Window) -> Reading:
    start, end = window.offsets[found.first][0], window.offsets[found.last][1]
    return Reading(found.score, start, end, paragraph.text[start:end], found.kind)
