"""Check whether a passage supports a sentence: by its words, and with a reader how they belong.

A passage supports a sentence if it contains each number (with its unit), each name, nearly all
other words (stemmed) and, verbatim, each quotation of the sentence, and if no word is negated in
only one of the two. Names and words may be in the title and the headings too, numbers may not: an
article on 1918–1941 does not support each date.

Words alone cannot tell that a sentence combines the passage's own words wrongly ("Chicherin signed
for Germany", of a passage that says the opposite with the same words). With a reader, a sentence
that its words support and that is none of the passage's own is read as well (``claim_reading``).
That catches many of these sentences, not all; show the passage, which every answer has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ragkit.answering.answer import Passage
from ragkit.answering.generated import GOOD, Sentence, Support
from ragkit.grounding.claim_reading import ClaimReader
from ragkit.grounding.claim_words import ClaimWord, claim_words, fold
from ragkit.grounding.markers import strip_markers
from ragkit.quotes.checker import QuoteChecker
from ragkit.quotes.report import QuoteStatus
from ragkit.reading import Reader
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = ["SupportChecker"]

MIN_COVERAGE = 0.8
"""Share of a sentence's words, names and numbers aside, that the passage must contain."""

_DEMONYM_ENDINGS = ("n", "an", "i", "es", "ish")
"""Differences between the stems of a country and its people: Austria, Austrian; Germani, German."""

_SENTENCE_END = " .!?:;"
_QUOTED = (QuoteStatus.VERBATIM, QuoteStatus.STITCHED, QuoteStatus.SHORT)
_Verdict = tuple[Support, tuple[int, ...]]


class SupportChecker:
    """Checks a language model's sentences against the passages that it was prompted with."""

    def __init__(self, passages: Sequence[Passage], reader: Reader | None = None) -> None:
        """Prepare ``passages``; markers in sentences refer to their ranks.

        Args:
            passages: what the sentences may say.
            reader: reads what the words of a passage support; None for the words alone.

        """
        self._evidence = {passage.rank: _Evidence.of(passage) for passage in passages}
        self._claims = ClaimReader(reader) if reader else None

    def check(self, sentence: str, *, keep_all: bool = False) -> Sentence | None:
        """Judge one sentence.

        Args:
            sentence: as the model wrote it, with its citation markers.
            keep_all: also mark a sentence as kept that no passage supports.

        Returns:
            The sentence without markers, and the verdict; None if it has no letter or digit.

        """
        text, cited = strip_markers(sentence)
        if not any(character.isalnum() for character in text):
            return None
        status, ranks, reason = self._judge(text, cited)
        return Sentence(text, status, ranks, status in GOOD or keep_all, reason)

    def _judge(self, text: str, cited: Sequence[int]) -> tuple[Support, tuple[int, ...], str]:
        claim = _Claim.of(text)
        valid = [rank for rank in cited if rank in self._evidence]
        if cited:
            by_words = self._supported(claim, valid)
        else:
            by_words = self._supported_by_one(claim, list(self._evidence))
        verdict, objection = self._read(claim, by_words)
        if verdict and cited:
            others = [rank for rank in cited if rank not in verdict[1]]
            return *verdict, f"not supported by {_markers(others)}" if others else ""
        if verdict:
            reason = "the model cited no passage; this one supports it"
            return verdict[0], verdict[1][:1], reason
        uncited = [rank for rank in self._evidence if rank not in valid] if cited else []
        elsewhere, _ = self._read(claim, self._supported_by_one(claim, uncited))
        if elsewhere:
            reason = f"supported by {_markers(elsewhere[1][:1])}, not by {_markers(cited)}"
            return Support.MISATTRIBUTED, tuple(valid), reason
        if by_words:
            return Support.CONTRADICTED, by_words[1], objection
        return Support.UNSUPPORTED, tuple(valid), self._why_unsupported(claim, valid)

    def _read(self, claim: _Claim, by_words: _Verdict | None) -> tuple[_Verdict | None, str]:
        """Return which of the passages still support a claim when it is read, or the objection."""
        if self._claims is None or by_words is None or by_words[0] is Support.VERBATIM:
            return by_words, ""
        ranks = by_words[1]
        alone: list[tuple[int, ...]] = [
            (rank,) for rank in ranks if claim.is_supported_by([self._evidence[rank]])
        ]
        objections = {
            group: self._claims.objection(
                claim.text, [self._evidence[rank].passage for rank in group]
            )
            for group in alone or [ranks]
        }
        left = tuple(
            rank for group, objection in objections.items() if not objection for rank in group
        )
        return ((Support.SUPPORTED, left), "") if left else (None, next(iter(objections.values())))

    def _supported_by_one(self, claim: _Claim, ranks: Sequence[int]) -> _Verdict | None:
        """Return the passages that support a claim, each by itself."""
        for supports, status in (
            (claim.is_sentence_of, Support.VERBATIM),
            (claim.is_supported_by, Support.SUPPORTED),
        ):
            supporting = tuple(rank for rank in ranks if supports([self._evidence[rank]]))
            if supporting:
                return status, supporting
        return None

    def _supported(self, claim: _Claim, ranks: Sequence[int]) -> _Verdict | None:
        """Return the passages that support a claim, by themselves or else all together."""
        by_one = self._supported_by_one(claim, ranks)
        if by_one or not claim.is_supported_by([self._evidence[rank] for rank in ranks]):
            return by_one
        return Support.SUPPORTED, tuple(ranks)

    def _why_unsupported(self, claim: _Claim, cited: Sequence[int]) -> str:
        """Explain it by the cited passages, or if there are none, by the most similar one."""
        evidence = [self._evidence[rank] for rank in cited]
        if not evidence and self._evidence:
            evidence = [max(self._evidence.values(), key=claim.coverage)]
        return claim.objection(evidence)


def _markers(ranks: Sequence[int]) -> str:
    return ", ".join(f"[{rank}]" for rank in ranks) or "any passage"


@dataclass(frozen=True)
class _Evidence:
    """A passage, prepared for checking.

    Attributes:
        passage: the passage.
        sentences: its sentences, folded, without the punctuation at their ends.
        negations: stem → whether its occurrences are negated; both if some are and some are not.
        heading_stems: stems of the title and the headings.

    """

    passage: Passage
    sentences: frozenset[str]
    negations: dict[str, set[bool]]
    heading_stems: frozenset[str]

    @classmethod
    def of(cls, passage: Passage) -> _Evidence:
        negations: dict[str, set[bool]] = {}
        for word in claim_words(passage.text):
            negations.setdefault(word.stem, set()).add(word.negated)
        headings = f"{passage.citation.title}. {'. '.join(passage.citation.section)}"
        spans = split_sentences(passage.text, Span(0, len(passage.text)))
        return cls(
            passage,
            frozenset(_fold_sentence(passage.text[a:b]) for a, b in spans),
            negations,
            frozenset(word.stem for word in claim_words(headings) if not word.exact),
        )

    @cached_property
    def quotes(self) -> QuoteChecker:
        return QuoteChecker([Document(id="passage", title="", text=self.passage.text)])

    def contains(self, word: ClaimWord) -> bool:
        return (
            word.stem in self.negations
            or (not word.exact and word.stem in self.heading_stems)
            or (word.name and self._contains_demonym(word.stem))
        )

    def _contains_demonym(self, name: str) -> bool:
        """Return whether it contains the country's people, or the people's country."""
        stems = (*self.negations, *self.heading_stems)
        return any(
            f"{name}{ending}" in stems or f"{stem}{ending}" == name
            for ending in _DEMONYM_ENDINGS
            for stem in stems
            if len(name) > 3 < len(stem)
        )

    def agrees_on_negation(self, word: ClaimWord) -> bool:
        return word.negated in self.negations[word.stem]


@dataclass(frozen=True)
class _Claim:
    """A sentence to check."""

    text: str
    words: tuple[ClaimWord, ...]

    @classmethod
    def of(cls, text: str) -> _Claim:
        return cls(text, tuple(claim_words(text)))

    def is_sentence_of(self, evidence: Sequence[_Evidence]) -> bool:
        """Return whether it is a sentence of a passage, word for word."""
        own = _fold_sentence(self.text)
        return bool(self.words) and any(own in one.sentences for one in evidence)

    def is_supported_by(self, evidence: Sequence[_Evidence]) -> bool:
        """Return whether the passages together support it."""
        return bool(self.words and evidence) and not self.objection(evidence)

    def coverage(self, evidence: _Evidence) -> float:
        """Return the share of its words that a passage contains."""
        return sum(evidence.contains(word) for word in self.words) / max(1, len(self.words))

    def objection(self, evidence: Sequence[_Evidence]) -> str:
        """Explain why the passages together do not support it; ``""`` if they do."""
        absent = [w for w in self.words if not any(one.contains(w) for one in evidence)]
        strict = [w.text for w in absent if w.exact or w.name]
        if strict:
            return _not_contained(strict)
        plain = [word for word in self.words if not (word.exact or word.name)]
        # In a sentence without capitals, names cannot be distinguished from words.
        required = MIN_COVERAGE if any(c.isupper() for c in self.text) else 1.0
        contained = len(plain) - len(absent)
        if contained < required * len(plain) or not self.words:
            return _not_contained([word.text for word in absent] or ["any word of it"])
        for word in self.words:
            having = [one for one in evidence if word.stem in one.negations]
            if having and not any(one.agrees_on_negation(word) for one in having):
                return f"{word.text!r} is negated in only one of sentence and passage"
        return self._misquotation(evidence)

    def _misquotation(self, evidence: Sequence[_Evidence]) -> str:
        """Return an objection if a quotation is in none of the passages."""
        reports = [one.quotes.check(self.text).checks for one in evidence]
        for checks in zip(*reports, strict=True):
            if not any(check.status in _QUOTED for check in checks):
                return f"“{checks[0].text[:100]}” is not a quotation from the passage"
        return ""


def _not_contained(words: Sequence[str]) -> str:
    return f"the passage does not contain {' or '.join(dict.fromkeys(words))}"


def _fold_sentence(text: str) -> str:
    return fold(text).strip().rstrip(_SENTENCE_END)
