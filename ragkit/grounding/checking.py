"""Whether a passage says what a sentence says, by its words: strict, fast, without a model.

A passage supports a sentence if each number and each name in it stands in the passage, nearly all
its other words do (stemmed), no word that both have is denied in one and not in the other, and
each quotation in it stands there verbatim. Title and headings count as part of the passage.

What it cannot tell: the passage's own words put together wrongly ("Chicherin signed for Germany"
of a passage that has both, the other way round). It is a gate for what was made up, not a judge of
meaning; where that matters, show the passage, which ragkit always gives.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ragkit.answering.quotes import QuoteChecker, QuoteStatus
from ragkit.index.lexicon import words_of
from ragkit.types import GOOD, Document, Passage, Sentence, Support

__all__ = ["Checker", "leading_markers", "without_markers"]

COVERAGE = 0.8
"""Which part of a sentence's words, names and numbers aside, must stand in the passage."""

_DENIED_REACH = 3  # words after "not" that it denies
_DEMONYM = 2  # letters between a country and its people: Germany, German; Austria, Austrian
_STOP = frozenset(
    """a about according after again all also although an and answer any are as at be became because
    been before being between both but by can could did do does during each for from further had
    has have having he her here hers herself him himself his how however i if in into is it its
    itself just may me might more most must my of off on once one only or other our out over own
    s same she should so some such t than that the their them then there these they this those
    through thus to too under until up upon very was we were what when where which while who
    whom whose why will with would you your""".split()
)
_DENYING = frozenset(
    """not no never without neither nor none cannot nobody nothing didn doesn don isn wasn weren
    aren hasn haven hadn couldn wouldn shouldn won""".split()
)
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        """two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
        sixteen seventeen eighteen nineteen twenty""".split(),
        start=2,
    )
}
_GROUPED = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}(?!\d))")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_MARKER = re.compile(
    r"\s*[\[【]\s*(?:\^|(?:passages?|sources?|refs?|references?)\b)?[\s:#.]*"
    r"(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*(?:†[^】\]]{0,100})?(?:[\]】]|$)",
    re.IGNORECASE,
)
_LAYOUT = re.compile(r"^(?:[-*•>#]+\s+|\d{1,2}[.)]\s+)+|\*\*|__|`")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})


class Checker:
    """The passages that a language model was given, made ready to check what it says."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._grounds = [_Ground.of(passage) for passage in passages]

    def check(self, said: str, *, keep_all: bool = False) -> Sentence | None:
        """What one sentence is worth, with the markers it came with; None if nothing is left of it.

        ``keep_all``: keep also what is not supported.
        """
        text, named = without_markers(said)
        if not any(character.isalnum() for character in text):
            return None
        status, ranks, reason = self._judge(text, named)
        return Sentence(text, status, ranks, status in GOOD or keep_all, reason)

    def _judge(self, text: str, named: Sequence[int]) -> tuple[Support, tuple[int, ...], str]:
        every = range(1, len(self._grounds) + 1)
        cited = [rank for rank in named if rank in every]
        claim = _Claim.of(text)
        found = self._supporting(claim, cited or every) if cited or not named else None
        if found:
            status, ranks = found
            if not named:
                return status, ranks[:1], "the model named no passage; this one says it"
            beside = [rank for rank in named if rank not in ranks]
            return status, ranks, f"not in {_shown(beside)}" if beside else ""
        elsewhere = self._supporting(claim, [rank for rank in every if rank not in cited])
        if elsewhere:
            where = f"it stands in {_shown(elsewhere[1][:1])}, not in {_shown(named)}"
            return Support.MISATTRIBUTED, tuple(cited), where
        nearest = cited or [max(every, key=lambda r: claim.coverage(self._grounds[r - 1]))]
        why = claim.missing([self._grounds[rank - 1] for rank in nearest])
        return Support.UNSUPPORTED, tuple(cited), why

    def _supporting(
        self, claim: _Claim, ranks: Sequence[int]
    ) -> tuple[Support, tuple[int, ...]] | None:
        """Which passages alone support a claim, or else all of them together."""
        ways = ((claim.stands_in, Support.VERBATIM), (claim.follows, Support.SUPPORTED))
        for holds, status in ways:
            alone = tuple(rank for rank in ranks if holds([self._grounds[rank - 1]]))
            if alone:
                return status, alone
        if 1 < len(ranks) < len(self._grounds) and claim.follows(
            [self._grounds[rank - 1] for rank in ranks]
        ):
            return Support.SUPPORTED, tuple(ranks)
        return None


def without_markers(said: str) -> tuple[str, list[int]]:
    """A sentence without markers and Markdown, and the numbers its markers name, in order.

    Markers: ``[1]``, ``[1, 2]``, ``[1-3]``, ``[^1]``, ``[passage 1]``, ``【1】``, one cut short.
    """
    named: dict[int, None] = {}
    for match in _MARKER.finditer(said):
        named.update(dict.fromkeys(_numbers(match[1])))
    text = _LAYOUT.sub("", " ".join(_MARKER.sub("", said).split()))
    return text.strip(), list(named)


def leading_markers(text: str) -> int:
    """How many characters of ``text`` are markers at its beginning."""
    end = 0
    while match := _MARKER.match(text, end):
        end = match.end()
    return end


def _numbers(group: str) -> Iterator[int]:
    for part in re.split(r"\s*[,;]\s*", group):
        first, *last = (int(number) for number in re.split(r"\s*[–-]\s*", part))
        yield from range(first, min(last[0], first + 20) + 1) if last else (first,)


def _shown(ranks: Sequence[int]) -> str:
    return ", ".join(f"[{rank}]" for rank in ranks) or "any passage"


class _Word(NamedTuple):
    """A word that says something. ``stem`` of a number is its digits."""

    stem: str
    shown: str
    is_number: bool
    is_name: bool
    denied: bool


def _words(text: str) -> Iterator[_Word]:
    """The words of a text that say something, with whether a "not" stands close before each."""
    plain = _ORDINAL.sub("", _GROUPED.sub("", unicodedata.normalize("NFC", text)))
    since_denial = _DENIED_REACH
    for word in words_of(plain):
        shown = plain[word.start : word.end]
        low = shown.lower()
        if low in _DENYING:
            # "non-aggression" denies nothing, and neither does "No. 5".
            since_denial = 0
            continue
        if low in _STOP:
            continue
        digits = _NUMBER_WORDS.get(low, low)
        is_number = any(character.isdigit() for character in digits)
        yield _Word(
            digits if is_number else word.stem,
            shown,
            is_number,
            not is_number and shown[:1].isupper(),
            since_denial < _DENIED_REACH,
        )
        since_denial += 1


def _folded(text: str) -> str:
    """The tokens of a text between blanks, so that whole ones are found as substrings."""
    plain = unicodedata.normalize("NFC", text).translate(_SAME).casefold()
    return f" {' '.join(_TOKEN.findall(plain))} "


@dataclass(frozen=True)
class _Ground:
    """A passage, read once. ``polarity``: for each stem, whether it stands there denied or not."""

    passage: Passage
    folded: str
    polarity: dict[str, set[bool]]

    @classmethod
    def of(cls, passage: Passage) -> _Ground:
        polarity: dict[str, set[bool]] = {}
        for word in _words(passage.text):
            polarity.setdefault(word.stem, set()).add(word.denied)
        for word in _words(f"{passage.citation.title}. {'. '.join(passage.citation.section)}"):
            polarity.setdefault(word.stem, set()).add(False)
        return cls(passage, _folded(passage.text), polarity)

    @cached_property
    def quotes(self) -> QuoteChecker:
        return QuoteChecker([Document(id="passage", title="", text=self.passage.text)])

    def has(self, word: _Word) -> bool:
        return word.stem in self.polarity or (word.is_name and self._has_people(word.stem))

    def _has_people(self, name: str) -> bool:
        """Whether it has the country's people, or the people's country."""
        return any(
            abs(len(stem) - len(name)) <= _DEMONYM
            and min(len(stem), len(name)) > _DEMONYM + 2
            and (stem.startswith(name) or name.startswith(stem))
            for stem in self.polarity
        )


@dataclass(frozen=True)
class _Claim:
    """A sentence to be checked."""

    text: str
    words: tuple[_Word, ...]

    @classmethod
    def of(cls, text: str) -> _Claim:
        return cls(text, tuple(_words(text)))

    def stands_in(self, grounds: Sequence[_Ground]) -> bool:
        """Whether a passage has it word for word, but for how it ends."""
        # One word is no sentence, so it stands everywhere and proves nothing.
        tokens = _folded(self.text).strip().rstrip(".!?:; ")
        return " " in tokens and any(f" {tokens} " in ground.folded for ground in grounds)

    def follows(self, grounds: Sequence[_Ground]) -> bool:
        """Whether passages together support it."""
        return bool(self.words) and not self.missing(grounds)

    def coverage(self, ground: _Ground) -> float:
        """Which part of its words a passage has."""
        return sum(ground.has(word) for word in self.words) / max(1, len(self.words))

    def missing(self, grounds: Sequence[_Ground]) -> str:
        """Why passages do not support it, for people; ``""`` where they do."""
        absent = [w for w in self.words if not any(ground.has(w) for ground in grounds)]
        strict = [w.shown for w in absent if w.is_number or w.is_name]
        if strict:
            return _none_of(strict)
        plain = [word for word in self.words if not (word.is_number or word.is_name)]
        if len(absent) > (1 - COVERAGE) * len(plain) or not self.words:
            return _none_of([word.shown for word in absent] or ["word of it"])
        if denied := next((w for w in self.words if not _agrees(w, grounds)), None):
            return f"{denied.shown!r} is denied in one and not in the other"
        return self._misquoted(grounds)

    def _misquoted(self, grounds: Sequence[_Ground]) -> str:
        """Each quotation must stand in one of the passages."""
        fine = (QuoteStatus.VERBATIM, QuoteStatus.STITCHED, QuoteStatus.SHORT)
        reports = [ground.quotes.check(self.text).checks for ground in grounds]
        for checks in zip(*reports, strict=True):
            if not any(check.status in fine for check in checks):
                return f"“{checks[0].text[:100]}” is not what it says"
        return ""


def _none_of(words: Sequence[str]) -> str:
    return f"no {' nor '.join(dict.fromkeys(words))} there"


def _agrees(word: _Word, grounds: Sequence[_Ground]) -> bool:
    found = [ground.polarity[word.stem] for ground in grounds if word.stem in ground.polarity]
    return not found or any(word.denied in polarity for polarity in found)
