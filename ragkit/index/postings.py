"""Postings: which chunks contain each stem, what a stem is worth, and where to look for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ragkit.storage.arrays import Integers, Table, offsets_of
from ragkit.storage.mapped import cached_method
from ragkit.storage.tables import TableWriter
from ragkit.text.compounds import Compound, has_compounds, split_compound
from ragkit.text.languages import DEFAULT

__all__ = ["PostingLists", "Postings", "PostingsBuilder"]

_ENOUGH = 1 << 16
"""Number of postings looked through, from the rarest stem on; a millisecond or two."""

_FREQUENT = 1 << 14
"""A stem in more chunks than this, and in more than one of 32, gets a bitmap over all chunks,
which tells faster than a search in its list whether a chunk has it."""

_BITMAPS = 1 << 25
"""Bytes of such bitmaps that are cached."""

_SPARE = 4
"""For each chunk returned, this many candidates are weighed by all stems."""

_NONE = np.zeros(0, dtype=np.int32)


class PostingsBuilder:
    """Collects the stems and compounds of all chunks; each takes four bytes a chunk."""

    def __init__(self) -> None:
        self._chunks_of: dict[str, array[int]] = {}
        self._chunks_of_compound: dict[Compound, array[int]] = {}
        self._stems_in: dict[str, set[str]] = {}
        self._chunks = 0

    def add(
        self, stems: Collection[str], compounds: Iterable[Compound] = (), language: str = DEFAULT
    ) -> None:
        """Add the next chunk.

        Args:
            stems: its distinct stems.
            compounds: its words that may be compounds.
            language: of its document.

        """
        if has_compounds(language):
            self._stems_in.setdefault(language, set()).update(stems)
        for stem in stems:
            self._chunks_of.setdefault(stem, array("i")).append(self._chunks)
        for compound in compounds:
            self._chunks_of_compound.setdefault(compound, array("i")).append(self._chunks)
        self._chunks += 1

    def write(self, writer: TableWriter) -> None:
        """Write the stems in the order of their bytes, then the postings, stem by stem."""
        stems = sorted((stem.encode(), stem) for stem in self._chunks_of)
        in_compounds = self._in_compounds()
        postings = [_merged(self._chunks_of[stem], in_compounds.get(stem, ())) for _, stem in stems]
        lengths = np.asarray([len(encoded) for encoded, _ in stems], dtype=np.int64)
        numbers = np.asarray([len(chunks) for chunks in postings], dtype=np.int64)
        writer.append("stems.bin", np.frombuffer(b"".join(s for s, _ in stems), dtype=np.uint8))
        writer.append("stem_borders.npy", offsets_of(lengths))
        writer.append("postings.npy", _NONE)
        for chunks in postings:
            writer.append("postings.npy", chunks)
        writer.append("posting_borders.npy", offsets_of(numbers))

    def _in_compounds(self) -> dict[str, list[array[int]]]:
        """The chunks whose compounds have a stem as a part.

        It must be a word of some chunk in the same language: the English "hint" is no part of
        "Hintergrund".
        """
        chunks_of: dict[str, list[array[int]]] = {}
        for compound, chunks in self._chunks_of_compound.items():
            own = self._stems_in.get(compound.language, set())
            for _, stem in split_compound(compound, own.__contains__):
                chunks_of.setdefault(stem, []).append(chunks)
        return chunks_of


def _merged(own: array[int], others: Sequence[array[int]]) -> NDArray[np.int32]:
    """The chunks of several ascending lists, each once."""
    if not others:
        return np.asarray(own, dtype=np.int32)
    return np.unique(np.concatenate([own, *others])).astype(np.int32)


class PostingLists(ABC):
    """The postings of every stem, wherever they are stored."""

    def __init__(self, chunks: int) -> None:
        """``chunks``: number of chunks of the corpus."""
        self._chunks = chunks
        self._bitmap_of = cached_method(self._bitmap, max(1, _BITMAPS * 8 // max(1, chunks)))

    @abstractmethod
    def chunks_with(self, stem: str) -> NDArray[np.int32]:
        """Return the chunks that have the stem, ascending."""

    @abstractmethod
    def frequencies(self, stems: Sequence[str]) -> list[int]:
        """Return for each stem the number of chunks that have it."""

    def allowed_frequencies(self, stems: Sequence[str], allowed: NDArray[np.bool_]) -> list[int]:
        """Return for each stem the number of allowed chunks that have it."""
        return [int(np.count_nonzero(allowed[self.chunks_with(stem)])) for stem in stems]

    def best(
        self, weights: Mapping[str, float], number: int, allowed: NDArray[np.bool_] | None = None
    ) -> Integers:
        """Return at most ``number`` of the allowed chunks, those with most of the weights.

        The heaviest stems give the candidates, until enough postings were looked through; the
        others, which are nearly everywhere then, only weigh them.
        """
        scores = np.zeros(self._chunks, dtype=np.float32)
        matched: list[NDArray[np.int32]] = [_NONE]
        looked_through = 0
        for stem, weight in sorted(weights.items(), key=lambda item: -item[1]):
            if not np.float32(weight) > 0 or looked_through > _ENOUGH:
                break
            chunks = self.chunks_with(stem)
            if allowed is not None:
                chunks = chunks[allowed[chunks]]
            matched.append(chunks[scores[chunks] == 0])
            scores[chunks] += np.float32(weight)
            looked_through += len(chunks)
        every = np.concatenate(matched)
        candidates = np.sort(_top(every, scores[every], _SPARE * number))
        coverage = self.coverage(weights, candidates)
        return np.sort(_top(candidates, coverage, number)).astype(np.int64)

    def coverage(
        self, weights: Mapping[str, float], chunks: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return ``(n,)``: for each chunk the sum of the weights of the stems that it has."""
        sums = np.zeros(len(chunks), dtype=np.float32)
        numbers = chunks.astype(np.int32)
        for (stem, weight), frequency in zip(
            weights.items(), self.frequencies(list(weights)), strict=True
        ):
            sums += self._contains(stem, frequency, numbers) * np.float32(weight)
        return sums

    def _contains(self, stem: str, frequency: int, chunks: NDArray[np.int32]) -> NDArray[np.bool_]:
        """``(n,)``: which of ``chunks`` have the stem."""
        if frequency > max(_FREQUENT, self._chunks // 32):
            bits: NDArray[np.uint8] = self._bitmap_of(stem)[chunks >> 3] >> (chunks & 7)
            return (bits & 1).astype(np.bool_)
        if not frequency:
            return np.zeros(len(chunks), dtype=np.bool_)
        postings = self.chunks_with(stem)
        place = np.searchsorted(postings, chunks)
        contains: NDArray[np.bool_] = postings[np.minimum(place, frequency - 1)] == chunks
        return contains

    def _bitmap(self, stem: str) -> NDArray[np.uint8]:
        """One bit for each chunk, the first in a byte's lowest."""
        has = np.zeros(self._chunks, dtype=np.bool_)
        has[self.chunks_with(stem)] = True
        return np.packbits(has, bitorder="little")


class Postings(PostingLists):
    """Postings in tables; the stems are in the order of their bytes."""

    NAMES = ("stems.bin", "stem_borders.npy", "postings.npy", "posting_borders.npy")

    def __init__(self, tables: Mapping[str, Table], chunks: int) -> None:
        """``tables``: what ``PostingsBuilder.write`` wrote."""
        super().__init__(chunks)
        self._stems, self._stem_offsets = tables["stems.bin"], tables["stem_borders.npy"]
        self._postings, self._offsets = tables["postings.npy"], tables["posting_borders.npy"]
        self._range_of = cached_method(self._range, 4096)

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.int32]]]:
        """Iterate over every stem and the chunks that have it."""
        for row in range(len(self._stem_offsets) - 1):
            stem = self._stem(row).decode()
            yield stem, self.chunks_with(stem)

    def chunks_with(self, stem: str) -> NDArray[np.int32]:
        postings: NDArray[np.int32] = self._postings[slice(*self._range_of(stem))]
        return postings

    def frequencies(self, stems: Sequence[str]) -> list[int]:
        return [end - start for start, end in map(self._range_of, stems)]

    def _range(self, stem: str) -> tuple[int, int]:
        """Where the stem's postings begin and end, by binary search."""
        target = stem.encode("utf-8", "surrogatepass")
        low, high = 0, len(self._stem_offsets) - 1
        while low < high:
            middle = (low + high) // 2
            if self._stem(middle) < target:
                low = middle + 1
            else:
                high = middle
        if low == len(self._stem_offsets) - 1 or self._stem(low) != target:
            return 0, 0
        start, end = self._offsets[low : low + 2].tolist()
        return start, end

    def _stem(self, row: int) -> bytes:
        start, end = self._stem_offsets[row : row + 2].tolist()
        stem: bytes = self._stems[start:end].tobytes()
        return stem


def _top(chunks: NDArray[np.int32], scores: NDArray[np.float32], number: int) -> NDArray[np.int32]:
    """The ``number`` chunks with the highest scores, in any order."""
    if len(chunks) <= number:
        return chunks
    top: NDArray[np.int32] = chunks[np.argpartition(-scores, number - 1)[:number]]
    return top
