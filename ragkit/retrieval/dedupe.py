"""Passages that say the same in the same words stand once in an answer.

Likeness is the Jaccard index of word triples (w-shingling: Broder 1997). It is looked for among
what was found, so a corpus of any size costs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ragkit.index import IndexData
from ragkit.retrieval.retriever import Ranked

__all__ = ["distinct"]

LIKENESS = 0.8
"""From here on two passages are the same."""

_SAME_WORDS = 0.6
"""Jaccard index of their words below which two passages cannot have as many triples in common; told
far faster, and enough for nearly all pairs."""

_TRIPLE = 3


def distinct(data: IndexData, ranking: Sequence[Ranked], k: int) -> list[Ranked]:
    """The ``k`` first that are no copies of one before; each knows those met until then."""
    kept: list[Ranked] = []
    seen: list[_Text] = []
    for ranked in ranking:
        if len(kept) == k:
            break
        own = _Text.of(data, ranked.chunk)
        copied = next((i for i, other in enumerate(seen) if own.is_like(other)), None)
        if copied is None:
            kept.append(ranked)
            seen.append(own)
        else:
            kept[copied] = replace(kept[copied], also=(*kept[copied].also, ranked.chunk))
    return kept


@dataclass(frozen=True)
class _Text:
    words: tuple[str, ...]
    distinct: frozenset[str]

    @classmethod
    def of(cls, data: IndexData, chunk: int) -> _Text:
        words = data.text_of(chunk).casefold().split()
        return cls(tuple(words), frozenset(words))

    @cached_property
    def triples(self) -> frozenset[tuple[str, ...]]:
        size = min(_TRIPLE, len(self.words))
        return frozenset(self.words[i : i + size] for i in range(len(self.words) - size + 1))

    def is_like(self, other: _Text) -> bool:
        if _jaccard(self.distinct, other.distinct) < _SAME_WORDS:
            return False
        return _jaccard(self.triples, other.triples) >= LIKENESS


def _jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)
