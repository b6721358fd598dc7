"""Split a text into words: runs of letters and digits, lower-cased and stemmed.

Ligatures and other compatibility characters match the letters they stand for (Unicode's NFKC).

The stemmer is Snowball's for English (Porter 2001, https://snowballstem.org).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from Stemmer import Stemmer

__all__ = ["Word", "words_of"]

_WORD = re.compile(r"\w+")


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

    """
    stemmer = _STEMMERS.english
    return [Word(stemmer.stemWord(_folded(m[0])), *m.span()) for m in _WORD.finditer(text)]


def _folded(word: str) -> str:
    """Lower case, with compatibility characters as the letters they stand for."""
    return (word if word.isascii() else unicodedata.normalize("NFKC", word)).lower()


class _Stemmers(threading.local):
    """One stemmer per thread, since PyStemmer's are not thread-safe."""

    @cached_property
    def english(self) -> Stemmer:
        from Stemmer import Stemmer

        return Stemmer("english")


_STEMMERS = _Stemmers()
