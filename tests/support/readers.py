"""A reader whose judgement a test can see at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ragkit.reading import Calibration, Kind, Reading, Window
from ragkit.text.spans import Span

__all__ = ["WordReader"]


@dataclass
class WordReader:
    """Answers with ``word`` where a window has it; ``kind`` is what it says of other windows.

    ``read_windows`` are the windows that it was given, in order.
    """

    word: str
    kind: Kind = Kind.NOT_STATED
    sure: float = 4.0
    calibration: Calibration = field(
        default_factory=lambda: Calibration(1.0, (1.0, 0.0), {"read": 1.0}, 0.0, 0.5)
    )
    window_tokens: int = 40
    languages: frozenset[str] = frozenset({"en"})
    read_windows: list[Window] = field(default_factory=list)

    def token_spans(self, texts: Sequence[str]) -> list[list[Span]]:
        return [[Span(*m.span()) for m in re.finditer(r"\w+", text)] for text in texts]

    def read(self, asked: Sequence[tuple[str, Window]]) -> list[Reading]:
        self.read_windows += [window for _, window in asked]
        return [self._reading(window.text) for _, window in asked]

    def _reading(self, text: str) -> Reading:
        at = text.find(self.word)
        if at < 0:
            first = re.search(r"\w+", text)
            span = Span(*first.span()) if first else Span(0, len(text))
            return Reading(-self.sure, span, {Kind.ANSWERS: 0.0, self.kind: 1.0})
        return Reading(self.sure, Span(at, at + len(self.word)), {Kind.ANSWERS: 1.0})
