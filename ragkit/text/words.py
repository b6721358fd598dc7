"""Split a text into words: runs of letters, marks and digits, lower-cased and stemmed.

Ligatures and other compatibility characters match the letters they stand for (Unicode's NFKC), and
letters match whatever their accents or vowel points: "cafe" and "café". Where a script is written
without blanks, each two characters in a row are a word, overlapping, as is usual in retrieval for
Chinese and Japanese (Nie & Ren 1999).

The stemmer is Snowball's for English (Porter 2001, https://snowballstem.org).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from Stemmer import Stemmer

__all__ = ["Word", "compounds_of", "words_of"]

# What \w lacks: the vowel signs and other marks of these scripts, without which words fall apart.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06e8\u06ea-\u06ed\u0900-\u0903\u093a-\u094f\u0951-\u0957"
    "\u0962-\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03"
    "\u0b3c-\u0b4d\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3c-\u0c56\u0c81-\u0c83\u0cbc-\u0ccd\u0d00-\u0d03"
    "\u0d3b-\u0d4d\u0d81-\u0d83\u0dca-\u0ddf\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ebc\u0ec8-\u0ece\u0f71-\u0f84"
    "\u102b-\u103e\u17b4-\u17d3"
)
_WORD = re.compile(f"\\w[\\w{_MARKS}]*")
# Thai, Lao, Myanmar, Khmer; kana; Chinese characters.
_WITHOUT_BLANKS = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17d3\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u0640\u064b-\u065f\u0670]")
_COMPOUND = re.compile(r"\w+(?:[-\u2010\u2011]\w+)+")


class Word(NamedTuple):
    """The stem of a word, and its span ``[start, end)`` in the text, in code points."""

    stem: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words of a text, in order.

    Example:
        >>> words_of("Treaties!")
        [Word(stem='treati', start=0, end=8)]
        >>> [word.stem for word in words_of("东码头 Café")]
        ['东码', '码头', 'cafe']

    """
    stemmer = _STEMMERS.english
    return [
        Word(stemmer.stemWord(_folded(text[start:end])), start, end)
        for match in _WORD.finditer(text)
        for start, end in _parts(text, *match.span())
    ]


def compounds_of(text: str) -> set[str]:
    """Return the stems of words with hyphens, written as one: of "Wi-Fi", "wifi"."""
    stemmer = _STEMMERS.english
    return {
        stemmer.stemWord(_folded(re.sub(r"[-\u2010\u2011]", "", found)))
        for found in _COMPOUND.findall(text)
    }


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a word, or the pairs of characters of each part of it that has no blanks."""
    if text[start:end].isascii():
        yield start, end
        return
    at = start
    for run in _WITHOUT_BLANKS.finditer(text, start, end):
        if run.start() > at:
            yield at, run.start()
        first, at = run.span()
        last = max(first + 1, at - 1)
        yield from ((place, min(place + 2, at)) for place in range(first, last))
    if at < end:
        yield at, end


def _folded(word: str) -> str:
    """Lower case, without accents, with compatibility characters as the letters they stand for."""
    if word.isascii():
        return word.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", word))
    return unicodedata.normalize("NFKC", bare).lower()


class _Stemmers(threading.local):
    """One stemmer per thread, since PyStemmer's are not thread-safe."""

    @cached_property
    def english(self) -> Stemmer:
        from Stemmer import Stemmer

        return Stemmer("english")


_STEMMERS = _Stemmers()
