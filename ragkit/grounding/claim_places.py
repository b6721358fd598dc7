"""Whether a part of a claim stands where the passage has another: by the words around it.

In the passage, the words around a name, a date or a number are the claim's, about as far away and
on the same side. If another part of the same sort has more of the claim's words around it, the
claim may have exchanged the two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

from ragkit.grounding.claim_parts import Part, Sort, agrees, parts_of
from ragkit.grounding.claim_words import STOP_WORDS
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from ragkit.text.words import words_of

__all__ = ["Rival", "Worded", "exchanged", "rival_of", "worded_sentences"]

_FARTHEST: Final = 20  # words on each side that are compared
_NEAR: Final = 3  # words after which the next one counts half
_MOST_PARTS: Final = 20  # of a claim, to exchange two of
_MOST_EXCHANGED: Final = 10  # pairs of parts, the nearest first
_PRIOR: Final = 1.0  # weight that matches nothing: few words around tell little
_OTHER_SIDE: Final = 0.6  # what a word counts on the other side: passive, relative clause


@dataclass(frozen=True)
class Worded:
    """A sentence: its text, the words that carry meaning, and its parts.

    Attributes:
        text: the sentence.
        stems: of its words, in order.
        spans: of these words, in the text.
        places: stem → positions among the words.
        parts: names, dates and numbers.

    """

    text: str
    stems: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    places: Mapping[str, Sequence[int]]
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, text: str) -> Worded:
        words = [w for w in words_of(text) if text[w.start : w.end].lower() not in STOP_WORDS]
        places: dict[str, list[int]] = defaultdict(list)
        for number, word in enumerate(words):
            places[word.stem].append(number)
        spans = tuple((word.start, word.end) for word in words)
        return cls(text, tuple(w.stem for w in words), spans, places, tuple(parts_of(text)))

    def range_of(self, start: int, end: int) -> range:
        """Return the positions of the words in a span."""
        inside = [n for n, (a, b) in enumerate(self.spans) if start < b and a < end]
        return range(inside[0], inside[-1] + 1) if inside else range(0)


class Rival(NamedTuple):
    """The part of the passage that fits a claim's part best, other than itself.

    ``margin``: how much better it fits than the claim's own, −1 to 1; "" and −1 if there is none.
    """

    text: str
    margin: float


def worded_sentences(text: str) -> list[Worded]:
    """Return the sentences of a passage."""
    return [Worded.of(text[a:b]) for a, b in split_sentences(text, Span(0, len(text)))]


def rival_of(claim: Worded, part: Part, sentences: Sequence[Worded]) -> Rival:
    """Return what else the passage has in the place of a part."""
    around = list(_around(claim, claim.range_of(part.start, part.end)))
    best, text = 0.0, ""
    for sentence in sentences:
        for other in sentence.parts:
            if other.sort is part.sort and not agrees(part.sort, part.text, other.text):
                fit = _fit(around, sentence, sentence.range_of(other.start, other.end))
                best, text = max((best, text), (fit, other.text))
    return Rival(text, best - _own_fit(claim, part, sentences)) if text else Rival("", -1.0)


def exchanged(claim: Worded, sentences: Sequence[Worded]) -> float:
    """Return how much better the claim fits, 0 to 1, with two of its parts exchanged."""
    pairs = [
        (one, other)
        for one, other in combinations(claim.parts[:_MOST_PARTS], 2)
        if one.sort is other.sort and not agrees(one.sort, one.text, other.text)
    ]
    pairs.sort(key=lambda pair: pair[1].start - pair[0].end)
    pairs = pairs[:_MOST_EXCHANGED]
    own = {part: _own_fit(claim, part, sentences) for pair in pairs for part in pair}
    margins = [0.0]
    for one, other in pairs:
        turned, parts = _exchange(claim.text, one, other)
        fits = sum(_own_fit(turned, part, sentences) for part in parts)
        margins.append((fits - own[one] - own[other]) / 2)
    return max(margins)


def _exchange(text: str, one: Part, other: Part) -> tuple[Worded, tuple[Part, Part]]:
    """Return a claim with two parts exchanged, and these two where they are now."""
    between = text[one.end : other.start]
    turned = text[: one.start] + other.text + between + one.text + text[other.end :]
    first_end = one.start + len(other.text)
    start = first_end + len(between)
    return Worded.of(turned), (
        Part(one.sort, one.start, first_end, other.text),
        Part(one.sort, start, start + len(one.text), one.text),
    )


def _own_fit(claim: Worded, part: Part, sentences: Sequence[Worded]) -> float:
    """Return how well a part fits where the passage has it, 0–1."""
    around = list(_around(claim, claim.range_of(part.start, part.end)))
    return max(
        (
            _fit(around, sentence, own)
            for sentence in sentences
            for own in _own(claim, part, sentence)
        ),
        default=0.0,
    )


def _own(claim: Worded, part: Part, sentence: Worded) -> Iterator[range]:
    """Where a sentence has the part; of a name, each of its words."""
    for other in sentence.parts:
        if other.sort is part.sort and agrees(part.sort, part.text, other.text):
            yield sentence.range_of(other.start, other.end)
    if part.sort in (Sort.NAME, Sort.PEOPLE):
        yield from (range(number, number + 1) for number in _mentions(claim, part, sentence))


def _mentions(claim: Worded, part: Part, sentence: Worded) -> Iterator[int]:
    """Words of the part that stand in the sentence, even if they are no part there."""
    for number in claim.range_of(part.start, part.end):
        yield from sentence.places.get(claim.stems[number], ())


class _Near(NamedTuple):
    stem: str
    side: int
    away: int


def _around(sentence: Worded, own: range) -> Iterator[_Near]:
    if not own:
        return
    first = max(0, own[0] - _FARTHEST)
    for number, stem in enumerate(sentence.stems[first : own[-1] + 1 + _FARTHEST], first):
        if number not in own:
            yield _Near(stem, *_way(number, own))


def _way(number: int, own: range) -> tuple[int, int]:
    """Return the side of a word, and how many words are between."""
    return (-1, own[0] - 1 - number) if number < own[0] else (1, number - own[-1] - 1)


def _fit(around: Sequence[_Near], sentence: Worded, own: range) -> float:
    """Return how many of the words around, 0–1, are around a place too; near ones count most."""
    if not own:
        return 0.0
    total = 0.0
    for near in around:
        total += _weight(near.away) * max(
            (
                _likeness(near, *_way(n, own))
                for n in sentence.places.get(near.stem, ())
                if n not in own
            ),
            default=0.0,
        )
    return total / (_PRIOR + sum(_weight(near.away) for near in around))


def _weight(away: int) -> float:
    return 1 / (1 + away / _NEAR)


def _likeness(near: _Near, side: int, away: int) -> float:
    return _weight(abs(away - near.away)) * (1.0 if side == near.side else _OTHER_SIDE)
