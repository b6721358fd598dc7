"""Compound words of languages that write them in one piece, such as German: Kündigungsfrist.

A compound is found by its parts, provided that all of them are words of the corpus, so that no
dictionary is needed: "frist" finds it where the documents say "Frist" somewhere. Linking letters
between two parts, such as the s in front of "frist", belong to neither.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from ragkit.text.languages import function_words
from ragkit.text.spans import Span
from ragkit.text.words import stem_in

__all__ = ["Compound", "compounds_in", "has_compounds", "possible_stems", "split_compound"]

_LINKS = {
    "de": ("", "s", "es", "n", "en", "er", "e"),
    "nl": ("", "s", "e", "en", "er"),
    "sv": ("", "s"),
    "da": ("", "s", "e"),
    "no": ("", "s", "e"),
}
"""Letters between two parts, by language."""

_LEAST, _MOST = 7, 32
"""Letters of a compound. The number of its possible parts grows with the square."""

_LEAST_FIRST, _LEAST_LAST = 4, 3
"""Letters of the first part and of the others: prefixes such as "ver" or "auf" are shorter."""

_LONG_WORD = re.compile(rf"(?<!\w)[^\W\d_]{{{_LEAST},{_MOST}}}(?!\w)")
_PARTICLES = {
    "de": "unter über gegen hinter zwischen neben außer während ohne durch wieder zurück heit keit "
    "lich schaft ungen isch haft",
    "nl": "tegen onder over tussen achter zonder heid",
    "sv": "genom mellan under över utan",
    "da": "mellem under over uden",
    "no": "gjennom mellom under over uten",
}
"""What begins or ends many words of a language, and is no part of a compound."""

_CAPITALISED = frozenset({"de"})
"""Languages that write nouns with a capital: other words are hardly ever compounds of their parts,
such as "beinhalten" of "Bein"."""


class Compound(NamedTuple):
    """A word that may be one: lower case, with its language."""

    word: str
    language: str


def has_compounds(language: str) -> bool:
    """Return whether a language writes compounds in one piece, and their parts can be told."""
    return language in _LINKS


def compounds_in(text: str, language: str) -> set[Compound]:
    """Return the words of a text that may be compounds of its language: long enough, and nouns.

    Example:
        >>> compounds_in("Die Kündigungsfrist beginnt.", "de")
        {Compound(word='kündigungsfrist', language='de')}
        >>> compounds_in("The cancellation.", "en")
        set()

    """
    if not has_compounds(language):
        return set()
    return {
        Compound(word.lower(), language)
        for word in _LONG_WORD.findall(unicodedata.normalize("NFC", text))
        if language not in _CAPITALISED or word[0].isupper()
    }


def possible_stems(compound: Compound) -> set[str]:
    """Return the stems of everything in a compound that may be a part of it."""
    word, language = compound
    length = len(word)
    stems = {
        stem_in(word[start:end], language)
        for start in (0, *range(_LEAST_FIRST, length - _LEAST_LAST + 1))
        for end in range(start + _LEAST_LAST, length + 1)
        if end - start < length
    }
    return {stem for stem in stems if stem}


def split_compound(
    compound: Compound, in_corpus: Callable[[str], bool]
) -> tuple[tuple[Span, str], ...]:
    """Return the parts of a compound, each with its span and its stem; empty if it has none.

    Of several ways to split it, the one with the fewest parts and the longest last one is taken.

    Args:
        compound: the word.
        in_corpus: whether a stem is one of the corpus.

    Example:
        >>> known = {"kundig", "frist"}.__contains__
        >>> split_compound(Compound("kündigungsfrist", "de"), known)
        ((Span(start=0, end=9), 'kundig'), (Span(start=10, end=15), 'frist'))

    """
    ways: dict[int, tuple[tuple[Span, str], ...] | None] = {}

    def parts_from(start: int) -> tuple[tuple[Span, str], ...] | None:
        """The parts from a place to the end; None if it cannot be split there."""
        if start not in ways:
            splits = list(ways_from(start))
            ways[start] = min(splits, key=len) if splits else None
        return ways[start]

    def ways_from(start: int) -> Iterator[tuple[tuple[Span, str], ...]]:
        word, language = compound
        last = _part(compound, Span(start, len(word)), in_corpus) if start else None
        if last:
            yield (last,)
        for end in range(start + _least_at(start), len(word) - _LEAST_LAST + 1):
            first = _part(compound, Span(start, end), in_corpus)
            if first is None:
                continue
            for link in _LINKS[language]:
                rest = parts_from(end + len(link)) if word.startswith(link, end) else None
                if rest:
                    yield (first, *rest)

    return parts_from(0) or ()


@cache
def _no_parts(language: str) -> frozenset[str]:
    return function_words(language).union(_PARTICLES.get(language, "").split())


def _least_at(start: int) -> int:
    return _LEAST_LAST if start else _LEAST_FIRST


def _part(
    compound: Compound, span: Span, in_corpus: Callable[[str], bool]
) -> tuple[Span, str] | None:
    part = compound.word[span.start : span.end]
    if len(part) < _least_at(span.start) or part in _no_parts(compound.language):
        return None
    stem = stem_in(part, compound.language)
    return (span, stem) if stem and in_corpus(stem) else None
