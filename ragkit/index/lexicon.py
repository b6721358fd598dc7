"""In how many chunks each word stands: what a word of a question is worth.

Words are runs of letters and digits, lower-cased and stemmed (Snowball English, by PyStemmer).
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

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
    """``frequencies``: stem → number of chunks that have it, of ``chunks`` in all."""

    chunks: int
    frequencies: Mapping[str, int]

    @classmethod
    def build(cls, texts: Iterable[str]) -> Lexicon:
        """From what is embedded of each chunk, its context included."""
        frequencies: Counter[str] = Counter()
        number = 0
        for number, text in enumerate(texts, start=1):  # noqa: B007 - the count is what is wanted
            frequencies.update({word.stem for word in words_of(text)})
        return cls(number, dict(sorted(frequencies.items())))

    def idf(self, stem: str) -> float:
        """``ln(1 + (N − n + ½)/(n + ½))`` (Robertson & Spärck Jones); always positive."""
        n = self.frequencies.get(stem, 0)
        return math.log(1 + (self.chunks - n + 0.5) / (n + 0.5))

    def to_bytes(self) -> bytes:
        content = {"chunks": self.chunks, "frequencies": dict(self.frequencies)}
        return (json.dumps(content, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Lexicon:
        content = json.loads(data)
        return cls(content["chunks"], content["frequencies"])


class _Stemmers(threading.local):
    """One stemmer a thread: PyStemmer's are not safe to share."""

    @cached_property
    def english(self) -> Stemmer:
        from Stemmer import Stemmer

        return Stemmer("english")


_STEMMERS = _Stemmers()
