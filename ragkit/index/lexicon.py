"""In which chunks each word stands: what a word of a question is worth, and where to look for it.

Words are runs of letters and digits, lower-cased and stemmed (Snowball English, by PyStemmer).
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.index.segments import borders_of

if TYPE_CHECKING:
    from Stemmer import Stemmer

__all__ = ["Lexicon", "Word", "words_of"]

_WORD = re.compile(r"\w+")


class Word(NamedTuple):
    """A word of a text: its stem, and where it stands."""

    stem: str
    start: int
    end: int


def words_of(text: str) -> Iterator[Word]:
    """The words of a text, in order."""
    stemmer = _STEMMERS.english
    for match in _WORD.finditer(text):
        yield Word(stemmer.stemWord(match[0].lower()), *match.span())


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``rows``: stem → its row. ``postings``: which chunks have the stem, ascending, stem by stem.

    ``borders``: ``(s + 1,)``, where each stem's postings begin. ``chunks``: how many there are.
    """

    chunks: int
    rows: Mapping[str, int]
    postings: NDArray[np.int32]
    borders: NDArray[np.int64]

    @classmethod
    def build(cls, texts: Iterable[str]) -> Lexicon:
        """From what is embedded of each chunk, its context included."""
        found: dict[str, list[int]] = {}
        number = 0
        for number, text in enumerate(texts, start=1):
            for stem in {word.stem for word in words_of(text)}:
                found.setdefault(stem, []).append(number - 1)
        stems = sorted(found)
        postings = [chunk for stem in stems for chunk in found[stem]]
        return cls(
            number,
            {stem: row for row, stem in enumerate(stems)},
            np.asarray(postings, dtype=np.int32),
            borders_of(np.asarray([len(found[stem]) for stem in stems], dtype=np.int64)),
        )

    def __contains__(self, stem: str) -> bool:
        return stem in self.rows

    def chunks_with(self, stem: str) -> NDArray[np.int32]:
        """The chunks that have the stem, ascending."""
        row = self.rows.get(stem)
        return _NONE if row is None else self.postings[self.borders[row] : self.borders[row + 1]]

    def idf(self, stem: str) -> float:
        """``ln(1 + (N − n + ½)/(n + ½))`` (Robertson & Spärck Jones); always positive."""
        n = len(self.chunks_with(stem))
        return math.log(1 + (self.chunks - n + 0.5) / (n + 0.5))

    def coverage(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """``(chunks,)``: the sum of the weights of the stems that a chunk has."""
        found = np.zeros(self.chunks, dtype=np.float32)
        for stem, weight in weights.items():
            found[self.chunks_with(stem)] += np.float32(weight)
        return found

    def to_bytes(self) -> bytes:
        """Stems and the number of chunks; the arrays are kept beside it."""
        content = {"chunks": self.chunks, "stems": list(self.rows)}
        return (json.dumps(content, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_parts(
        cls, data: bytes, postings: NDArray[np.int32], borders: NDArray[np.int64]
    ) -> Lexicon:
        content = json.loads(data)
        rows = {stem: row for row, stem in enumerate(content["stems"])}
        return cls(content["chunks"], rows, postings, borders)


_NONE = np.zeros(0, dtype=np.int32)


class _Stemmers(threading.local):
    """One stemmer a thread: PyStemmer's are not safe to share."""

    @cached_property
    def english(self) -> Stemmer:
        from Stemmer import Stemmer

        return Stemmer("english")


_STEMMERS = _Stemmers()
