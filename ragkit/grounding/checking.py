"""Whether a passage says what a sentence says, by its words: strict, fast, without a model.

A passage supports a sentence if each number (with its unit) and each name in it stands in the
passage, nearly all its other words do (stemmed), no word that both have is denied in one and not in
the other, and each quotation in it stands there verbatim. Names and words may stand in the title
and the headings too, numbers may not: an article on 1918–1941 does not prove each date.

What it cannot tell: the passage's own words put together wrongly ("Chicherin signed for Germany"
of a passage that has both, the other way round). It is a gate for what was made up, not a judge of
meaning; where that matters, show the passage, which ragkit always gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ragkit.answering.answer import Passage
from ragkit.answering.generated import GOOD, Sentence, Support
from ragkit.grounding.claims import ClaimWord, claim_words, folded
from ragkit.quotes.checker import QuoteChecker
from ragkit.quotes.report import QuoteStatus
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = ["Checker", "ends_in_marker", "leading_markers", "without_markers"]

COVERAGE = 0.8
"""Which part of a sentence's words, names and numbers aside, must stand in the passage."""

_PEOPLE = ("n", "an", "i", "es", "ish")
"""What parts the stems of a country and its people: Austria, Austrian; Germani, German."""

# White space is taken once and not given back: a model that writes "[1,  1,  1 …" and never closes
# the bracket would else be read in each of the ways to share out its blanks.
_NUMBERS = r"\s*+(?:passages?+|sources?+|references?+|refs?+)?+[\s:#.]*+\d{1,3}+"
_MARKER = re.compile(
    rf"(?<!\s)\s*+(?:[\[【]\s*+\^?({_NUMBERS}(?:\s*+[,;–-]{_NUMBERS})*+)\s*+"
    r"(?:†[^】\]]{0,100}+)?(?:[\]】]|$)|\((\d{1,2})\)(?=\s*+[.!?]?\s*+$))",
    re.IGNORECASE,
)
_LAYOUT = re.compile(r"^(?:[-*•>#]+\s+|\d{1,2}[.)]\s+)+|\*\*|__|`")
_END = " .!?:;"


class Checker:
    """The passages that a language model was given, made ready to check what it says."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._grounds = {passage.rank: _Ground.of(passage) for passage in passages}

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
        every = list(self._grounds)
        cited = [rank for rank in named if rank in self._grounds]
        claim = _Claim.of(text)
        if not named:
            found = self._alone(claim, every)
            if found:
                return found[0], found[1][:1], "the model named no passage; this one says it"
        elif found := self._alone(claim, cited) or self._together(claim, cited):
            beside = [rank for rank in named if rank not in found[1]]
            return *found, f"not in {_shown(beside)}" if beside else ""
        elsewhere = self._alone(claim, [rank for rank in every if rank not in cited])
        if elsewhere:
            where = f"it stands in {_shown(elsewhere[1][:1])}, not in {_shown(named)}"
            return Support.MISATTRIBUTED, tuple(cited), where
        return Support.UNSUPPORTED, tuple(cited), self._why(claim, cited)

    def _alone(self, claim: _Claim, ranks: Sequence[int]) -> tuple[Support, tuple[int, ...]] | None:
        """Which passages support a claim, each by itself."""
        ways = ((claim.stands_in, Support.VERBATIM), (claim.follows, Support.SUPPORTED))
        for holds, status in ways:
            alone = tuple(rank for rank in ranks if holds([self._grounds[rank]]))
            if alone:
                return status, alone
        return None

    def _together(
        self, claim: _Claim, ranks: Sequence[int]
    ) -> tuple[Support, tuple[int, ...]] | None:
        grounds = [self._grounds[rank] for rank in ranks]
        return (Support.SUPPORTED, tuple(ranks)) if claim.follows(grounds) else None

    def _why(self, claim: _Claim, cited: Sequence[int]) -> str:
        """Why the passages named, or else the nearest, do not support a claim."""
        grounds = [self._grounds[rank] for rank in cited]
        if not grounds and self._grounds:
            grounds = [max(self._grounds.values(), key=claim.coverage)]
        return claim.missing(grounds)


def without_markers(said: str) -> tuple[str, list[int]]:
    """A sentence without markers and Markdown, and the numbers its markers name, in order.

    Markers: ``[1]``, ``[1, 2]``, ``[1-3]``, ``[^1]``, ``[passage 1]``, ``【1】``, one cut short,
    and ``(1)`` where a sentence ends.
    """
    named: dict[int, None] = {}
    for match in _MARKER.finditer(said):
        named.update(dict.fromkeys(_numbers(match[1] or match[2])))
    text = _LAYOUT.sub("", " ".join(_MARKER.sub("", said).split()))
    return text.strip(), list(named)


def leading_markers(text: str) -> int:
    """How many characters of ``text`` are markers at its beginning."""
    end = 0
    while match := _MARKER.match(text, end):
        end = match.end()
    return end


def ends_in_marker(text: str) -> bool:
    """Whether the last thing in ``text`` is a marker, whole."""
    bare = text.rstrip(_END)
    return any(match.end() == len(bare) for match in _MARKER.finditer(bare)) and bare[-1] in "]】)"


def _numbers(group: str) -> Iterator[int]:
    for part in re.split("[,;]", group):
        first, *last = (int(number) for number in re.findall(r"\d+", part))
        yield from range(first, min(last[0], first + 20) + 1) if last else (first,)


def _shown(ranks: Sequence[int]) -> str:
    return ", ".join(f"[{rank}]" for rank in ranks) or "any passage"


@dataclass(frozen=True)
class _Ground:
    """A passage, read once. ``polarity``: for each stem, whether it stands there denied or not.

    ``around``: the stems of title and headings.
    """

    passage: Passage
    sentences: frozenset[str]
    polarity: dict[str, set[bool]]
    around: frozenset[str]

    @classmethod
    def of(cls, passage: Passage) -> _Ground:
        polarity: dict[str, set[bool]] = {}
        for word in claim_words(passage.text):
            polarity.setdefault(word.stem, set()).add(word.denied)
        context = f"{passage.citation.title}. {'. '.join(passage.citation.section)}"
        spans = split_sentences(passage.text, Span(0, len(passage.text)))
        return cls(
            passage,
            frozenset(folded(passage.text[a:b]).strip().rstrip(_END) for a, b in spans),
            polarity,
            frozenset(word.stem for word in claim_words(context) if not word.exact),
        )

    @cached_property
    def quotes(self) -> QuoteChecker:
        return QuoteChecker([Document(id="passage", title="", text=self.passage.text)])

    def has(self, word: ClaimWord) -> bool:
        return (
            word.stem in self.polarity
            or (not word.exact and word.stem in self.around)
            or (word.name and self._has_people(word.stem))
        )

    def _has_people(self, name: str) -> bool:
        """Whether it has the country's people, or the people's country."""
        known = (*self.polarity, *self.around)
        return any(f"{name}{end}" in known or f"{stem}{end}" == name
                   for end in _PEOPLE for stem in known if len(name) > 3 < len(stem))  # fmt: skip


@dataclass(frozen=True)
class _Claim:
    """A sentence to be checked."""

    text: str
    words: tuple[ClaimWord, ...]

    @classmethod
    def of(cls, text: str) -> _Claim:
        return cls(text, tuple(claim_words(text)))

    def stands_in(self, grounds: Sequence[_Ground]) -> bool:
        """Whether it is a sentence of a passage, word for word, but for how it ends."""
        own = folded(self.text).strip().rstrip(_END)
        return bool(self.words) and any(own in ground.sentences for ground in grounds)

    def follows(self, grounds: Sequence[_Ground]) -> bool:
        """Whether passages together support it."""
        return bool(self.words and grounds) and not self.missing(grounds)

    def coverage(self, ground: _Ground) -> float:
        """Which part of its words a passage has."""
        return sum(ground.has(word) for word in self.words) / max(1, len(self.words))

    def missing(self, grounds: Sequence[_Ground]) -> str:
        """Why passages do not support it, for people; ``""`` where they do."""
        absent = [w for w in self.words if not any(ground.has(w) for ground in grounds)]
        strict = [w.shown for w in absent if w.exact or w.name]
        if strict:
            return _none_of(strict)
        plain = [word for word in self.words if not (word.exact or word.name)]
        # Written without capitals, its names cannot be told from its words.
        least = COVERAGE if any(c.isupper() for c in self.text) else 1.0
        found = len(plain) - len(absent)
        if found < least * len(plain) or not self.words:
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


def _agrees(word: ClaimWord, grounds: Sequence[_Ground]) -> bool:
    found = [ground.polarity[word.stem] for ground in grounds if word.stem in ground.polarity]
    return not found or any(word.denied in polarity for polarity in found)
