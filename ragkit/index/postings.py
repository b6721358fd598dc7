"""In which chunks each word stands: what a word of a question is worth, and where to look for it.

Words are runs of letters and digits, lower-cased and stemmed (Snowball English, by PyStemmer).
"""

from __future__ import annotations

import math
import re
import threading
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.storage.caching import kept
from ragkit.storage.ragged import borders_of
from ragkit.storage.rows import Rows
from ragkit.storage.tables import Tables

if TYPE_CHECKING:
    from Stemmer import Stemmer

__all__ = ["Lexicon", "LexiconBuilder", "PostingLists", "Word", "words_of"]

_WORD = re.compile(r"\w+")

_ENOUGH = 1 << 16
"""So many postings are looked through, from the rarest word on; a millisecond or two."""

_FREQUENT = 1 << 14
"""Of stems in more chunks than that, and in more than one of 32, a bit for each chunk says more
quickly whether it has them than a search in a list does; it is kept.
"""

_BITS = 1 << 25
"""Bytes of such bits that are kept."""

_SPARE = 4
"""So many times more candidates are weighed by all words than are asked for."""


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


class LexiconBuilder:
    """Takes the chunks' texts one by one; what it holds is four bytes a posting."""

    def __init__(self) -> None:
        self._found: dict[str, array[int]] = {}
        self._chunks = 0

    def add(self, text: str) -> None:
        """What is embedded of the next chunk, its context included."""
        self.add_stems({word.stem for word in words_of(text)})

    def add_stems(self, stems: Iterable[str]) -> None:
        """The next chunk, by its distinct stems."""
        for stem in stems:
            self._found.setdefault(stem, array("i")).append(self._chunks)
        self._chunks += 1

    def write(self, tables: Tables) -> None:
        """Stems in the order of their bytes, then the postings, stem by stem."""
        stems = sorted((stem.encode(), stem) for stem in self._found)
        tables.append("stems.bin", np.frombuffer(b"".join(s for s, _ in stems), dtype=np.uint8))
        lengths = [len(encoded) for encoded, _ in stems]
        tables.append("stem_borders.npy", borders_of(np.asarray(lengths, dtype=np.int64)))
        tables.append("postings.npy", np.zeros(0, dtype=np.int32))
        for _, stem in stems:
            tables.append("postings.npy", np.asarray(self._found[stem], dtype=np.int32))
        numbers = [len(self._found[stem]) for _, stem in stems]
        tables.append("posting_borders.npy", borders_of(np.asarray(numbers, dtype=np.int64)))


class PostingLists(ABC):
    """Of each stem the chunks that have it, wherever that is kept."""

    def __init__(self, chunks: int) -> None:
        """``chunks``: how many there are."""
        self._chunks = chunks
        self._bits = kept(self._bits_of, max(1, _BITS * 8 // max(1, chunks)))

    @abstractmethod
    def chunks_with(self, stem: str) -> NDArray[np.int32]:
        """The chunks that have the stem, ascending."""

    @abstractmethod
    def frequency(self, stem: str) -> int:
        """How many those are."""

    def __contains__(self, stem: str) -> bool:
        return self.frequency(stem) > 0

    def idf(self, stem: str) -> float:
        """``ln(1 + (N − n + ½)/(n + ½))`` (Robertson & Spärck Jones); always positive."""
        n = self.frequency(stem)
        return math.log(1 + (self._chunks - n + 0.5) / (n + 0.5))

    def best(
        self, weights: Mapping[str, float], number: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """At most ``number`` chunks that have the most of the weights, of those allowed.

        The heaviest words bring the candidates, until enough postings were looked through; the
        others, which stand nearly everywhere then, only weigh them.
        """
        found = np.zeros(self._chunks, dtype=np.float32)
        met: list[NDArray[np.int32]] = [_NONE]
        seen = 0
        for stem, weight in sorted(weights.items(), key=lambda item: -item[1]):
            if not np.float32(weight) > 0 or seen > _ENOUGH:
                break
            chunks = self.chunks_with(stem)
            if allowed is not None:
                chunks = chunks[allowed[chunks]]
            met.append(chunks[found[chunks] == 0])
            found[chunks] += np.float32(weight)
            seen += len(chunks)
        every = np.concatenate(met)
        candidates = np.sort(_best(every, found[every], _SPARE * number))
        scores = self.coverage(weights, candidates)
        return np.sort(_best(candidates, scores, number)).astype(np.int64)

    def coverage(
        self, weights: Mapping[str, float], chunks: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """``(n,)``: of each of ``chunks`` the sum of the weights of the stems that it has."""
        found = np.zeros(len(chunks), dtype=np.float32)
        looked_for = chunks.astype(np.int32)
        for stem, weight in weights.items():
            found += self._have(stem, looked_for) * np.float32(weight)
        return found

    def _have(self, stem: str, chunks: NDArray[np.int32]) -> NDArray[np.bool_]:
        """``(n,)``: which of ``chunks`` have the stem."""
        frequency = self.frequency(stem)
        if frequency > max(_FREQUENT, self._chunks // 32):
            bits: NDArray[np.uint8] = self._bits(stem)[chunks >> 3] >> (chunks & 7)
            return (bits & 1).astype(np.bool_)
        if not frequency:
            return np.zeros(len(chunks), dtype=np.bool_)
        postings = self.chunks_with(stem)
        place = np.searchsorted(postings, chunks)
        found: NDArray[np.bool_] = postings[np.minimum(place, frequency - 1)] == chunks
        return found

    def _bits_of(self, stem: str) -> NDArray[np.uint8]:
        """A bit for each chunk, the first in a byte's lowest."""
        has = np.zeros(self._chunks, dtype=np.bool_)
        has[self.chunks_with(stem)] = True
        return np.packbits(has, bitorder="little")


class Lexicon(PostingLists):
    """Stems in the order of their bytes, and their postings, as tables."""

    def __init__(self, files: Mapping[str, Rows], chunks: int) -> None:
        """``files``: what ``LexiconBuilder.write`` wrote."""
        super().__init__(chunks)
        self._stems, self._borders = files["stems.bin"], files["stem_borders.npy"]
        self._postings, self._runs = files["postings.npy"], files["posting_borders.npy"]
        self._run = kept(self._found, 4096)

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.int32]]]:
        """Each stem and the chunks that have it."""
        for row in range(len(self._borders) - 1):
            stem = self._stem(row).decode()
            yield stem, self.chunks_with(stem)

    def chunks_with(self, stem: str) -> NDArray[np.int32]:
        return self._postings[slice(*self._run(stem))]

    def frequency(self, stem: str) -> int:
        start, end = self._run(stem)
        return end - start

    def _found(self, stem: str) -> tuple[int, int]:
        """Where the stem's postings begin and end."""
        wanted = stem.encode("utf-8", "surrogatepass")
        low, high = 0, len(self._borders) - 1
        while low < high:
            middle = (low + high) // 2
            if self._stem(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self._borders) - 1 or self._stem(low) != wanted:
            return 0, 0
        start, end = self._runs[low : low + 2].tolist()
        return start, end

    def _stem(self, row: int) -> bytes:
        start, end = self._borders[row : row + 2].tolist()
        return self._stems[start:end].tobytes()


def _best(chunks: NDArray[np.int32], scores: NDArray[np.float32], number: int) -> NDArray[np.int32]:
    if len(chunks) <= number:
        return chunks
    found: NDArray[np.int32] = chunks[np.argpartition(-scores, number - 1)[:number]]
    return found


_NONE = np.zeros(0, dtype=np.int32)


class _Stemmers(threading.local):
    """One stemmer a thread: PyStemmer's are not safe to share."""

    @cached_property
    def english(self) -> Stemmer:
        from Stemmer import Stemmer

        return Stemmer("english")


_STEMMERS = _Stemmers()
