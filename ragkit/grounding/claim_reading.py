"""Whether a passage says what a claim says, its words put together in the same way; with a reader.

Each name, date and number of a claim is asked for, in the claim's own words with a question word in
its place ("Chicherin signed for Germany." → "What signed for Germany?", "Chicherin signed for
what?"), and the reader points at the words of the passage that answer. It is an old way to check
summaries (Wang et al. 2020, QAGS; Durmus et al. 2020, FEQA). Beside it stands what the words around
each part say (``claim_places``). A logistic regression over both judges the claim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from ragkit.answering.answer import Passage
from ragkit.grounding.claim_parts import Part, agrees, enumerations_of, parts_of, question_about
from ragkit.grounding.claim_places import Rival, Worded, exchanged, rival_of, worded_sentences
from ragkit.reading import Reader, Reading, Window
from ragkit.reading.reader import is_readable, sigmoid
from ragkit.reading.windows import windows_by_promise
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span

__all__ = ["THRESHOLD", "ClaimReader", "Doubts"]

MOST_PARTS: Final = 20
"""Parts of a claim that are judged at most, so that no sentence takes long."""

MOST_ASKED: Final = 6
"""Parts of a claim that are asked for at most: those that fit worst."""

MOST_PASSAGES: Final = 3
"""Passages of which the best window is read at most."""

THRESHOLD: Final = 0.849
"""Chance above which the gate objects: 3 % of the faithful claims that it was set on are above."""

# As ``python -m benchmarks.claims --fit`` finds them for the shipped reader.
_WEIGHTS: Final = {
    "misplaced": 6.083,
    "exchanged": 6.527,
    "contested": 0.158,
    "disagreeing": 1.169,
    "doubted": 0.135,
}
_INTERCEPT: Final = -0.571
_UNCONTESTED: Final = -3.0  # the logit of a claim of which no part is contested


_ALSO_CALLED: Final = (
    ("USSR", "Soviet Union"),
    ("USA", "United States"),
    ("US", "United States"),
    ("UK", "United Kingdom"),
    ("EU", "European Union"),
    ("UN", "United Nations"),
)
"""Names of one thing: a passage that has both is not told apart by the other."""


@dataclass(frozen=True)
class _PartsRead:
    """Parts that a claim enumerates, often one, and what the passage has in their place.

    Attributes:
        parts: the parts.
        worst: that which fits the words around it worst.
        rival: what fits better there.
        reading: of the window that answers best, once it was asked.
        pointed: the words that the reader points at.

    """

    parts: tuple[Part, ...]
    worst: Part
    rival: Rival
    reading: Reading | None = None
    pointed: str = ""

    @classmethod
    def of(cls, claim: Worded, parts: tuple[Part, ...], sentences: Sequence[Worded]) -> _PartsRead:
        rivals = {part: rival_of(claim, part, sentences) for part in parts}
        worst = max(parts, key=lambda part: rivals[part].margin)
        return cls(parts, worst, rivals[worst])

    @property
    def logit(self) -> float:
        return self.reading.logit if self.reading else 0.0

    @property
    def is_elsewhere(self) -> bool:
        """Whether the reader points at none of the parts."""
        return not any(agrees(part.sort, part.text, self.pointed) for part in self.parts)

    @property
    def other(self) -> str:
        """What the reader points at, if that is another name, date or number."""
        if not self.is_elsewhere:
            return ""
        own = [p.text for p in parts_of(self.pointed) if p.sort is self.parts[0].sort]
        return own[0] if own else ""


@dataclass(frozen=True)
class Doubts:
    """What speaks against a claim.

    Attributes:
        misplaced: how much better another part fits the words around one of the claim's, −1 to 1.
        exchanged: how much better it fits with two of its parts exchanged, 0 to 1.
        contested: logit of the surest reading that points at another name, date or number.
        disagreeing: share, 0–1, of the parts asked for where the reader points elsewhere.
        doubted: mean logit that the passage does not answer.
        reason: for people.

    """

    misplaced: float
    exchanged: float
    contested: float
    disagreeing: float
    doubted: float
    reason: str = ""

    @property
    def chance(self) -> float:
        """Chance, 0–1, that the claim is put together wrongly."""
        logit = _INTERCEPT + sum(w * getattr(self, name) for name, w in _WEIGHTS.items())
        return sigmoid(logit)


class ClaimReader:
    """Reads claims together with the passages that have their words."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._sentences: dict[str, list[Worded]] = {}
        self._cuts: dict[str, tuple[Sequence[Span], Sequence[Span]]] = {}

    def objection(self, claim: str, passages: Sequence[Passage]) -> str:
        """Return why the passages together do not say what the claim says; ``""`` if they may.

        A claim or a passage in no language of the reader is not judged, nor one without any name,
        date or number.
        """
        reasons = []
        for wording in _wordings(claim):
            doubts = self.doubts(wording, passages)
            if doubts is None or doubts.chance <= THRESHOLD:
                return ""
            reasons.append(doubts.reason)
        return reasons[0]

    def doubts(self, claim: str, passages: Sequence[Passage]) -> Doubts | None:
        """Return what speaks against a claim; None if it cannot be judged."""
        worded = Worded.of(claim)
        readable = all(is_readable(self._reader, claim, passage.text) for passage in passages)
        if not (worded.parts and passages and readable):
            return None
        sentences = [one for passage in passages for one in self._sentences_of(passage.text)]
        groups = enumerations_of(claim, worded.parts[:MOST_PARTS])
        places = [_PartsRead.of(worded, group, sentences) for group in groups]
        read = self._asked(claim, worded, places, passages[:MOST_PASSAGES])
        return _doubts(read, exchanged(worded, sentences))

    def _sentences_of(self, text: str) -> list[Worded]:
        if text not in self._sentences:
            self._sentences[text] = worded_sentences(text)
        return self._sentences[text]

    def _cuts_of(self, text: str) -> tuple[Sequence[Span], Sequence[Span]]:
        """Return the sentences and the tokens of a passage, which each claim about it needs."""
        if text not in self._cuts:
            [tokens] = self._reader.token_spans([text])
            self._cuts[text] = split_sentences(text, Span(0, len(text))), tokens
        return self._cuts[text]

    def _asked(
        self, claim: str, worded: Worded, parts: Sequence[_PartsRead], passages: Sequence[Passage]
    ) -> list[_PartsRead]:
        """Ask the best window of each passage for the parts that fit worst, in one batch."""
        chosen = sorted(parts, key=lambda one: -one.rival.margin)[:MOST_ASKED]
        windows = [self._window(worded, passage) for passage in passages]
        questions = [question_about(claim, one.parts) for one in chosen]
        readings = self._reader.read([(q, window) for q in questions for window in windows])
        read = []
        for number, one in enumerate(chosen):
            own = readings[number * len(windows) : (number + 1) * len(windows)]
            best, window = max(zip(own, windows, strict=True), key=lambda pair: pair[0].logit)
            pointed = window.text[best.span.start : best.span.end]
            read.append(replace(one, reading=best, pointed=pointed))
        return read

    def _window(self, claim: Worded, passage: Passage) -> Window:
        """Return the sentences that have most of the claim's words."""
        text = passage.text
        spans, tokens = self._cuts_of(text)
        scores = [
            sum(stem in sentence.places for stem in set(claim.stems))
            for sentence in self._sentences_of(text)
        ]
        [best] = islice(windows_by_promise(spans, scores, tokens, self._reader.window_tokens), 1)
        return Window(passage.citation.title, text[best.start : best.end])


def _wordings(claim: str) -> list[str]:
    """The claim, and as it reads with the other name of what has two."""
    wordings = [claim]
    for names in _ALSO_CALLED:
        for one, other in (names, names[::-1]):
            reworded = re.sub(rf"(?<!\w){one}(?!\w)", other, claim)
            if reworded not in wordings:
                wordings.append(reworded)
    return wordings


def _doubts(read: Sequence[_PartsRead], turned: float) -> Doubts:
    return Doubts(
        max(one.rival.margin for one in read),
        turned,
        max((one.logit for one in read if one.other), default=_UNCONTESTED),
        sum(one.is_elsewhere for one in read) / len(read),
        -sum(one.logit for one in read) / len(read),
        _reason(read),
    )


def _reason(read: Sequence[_PartsRead]) -> str:
    """Name the part that the reader contests most, else the one that fits worst."""
    contested = [one for one in read if one.other]
    if contested:
        one = max(contested, key=lambda one: one.logit)
        return f"the passage says {one.other}, not {one.worst.text}"
    one = max(read, key=lambda one: one.rival.margin)
    if one.rival.margin > 0:
        return f"in the passage {one.rival.text} stands there, not {one.worst.text}"
    return "the passage has these words, put together otherwise"
