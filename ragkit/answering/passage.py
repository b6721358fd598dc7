"""Passage: a chunk found for a question, its citation, and why it scored as it did.

A ``Passage`` whose text differs from its citation's quote cannot be built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragkit.errors import InputError
from ragkit.retrieval.matching import Match
from ragkit.text.spans import Span
from ragkit.types import Citation

__all__ = ["Passage", "explain_passages"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a question.

    ``text`` is what is cited, equal to ``citation.quote``. ``score`` is a similarity (higher is
    better), comparable within one answer only. ``rank`` counts from 1. ``highlights`` are spans of
    the document, inside the citation's span, that bear most on the question, in reading order.
    ``phrase``: the date or number among them that answers, where it is clear. ``signals``: what
    each signal contributed; they add up to the score. ``matches``: how each word of the question
    was matched. ``also``: where else the corpus says the same in the same words, as far as seen.
    """

    text: str
    score: float
    rank: int
    citation: Citation
    highlights: tuple[Span, ...] = ()
    phrase: Span | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    matches: tuple[Match, ...] = ()
    also: tuple[Citation, ...] = ()

    def __post_init__(self) -> None:
        if self.text != self.citation.quote:
            raise InputError("a passage's text differs from its citation's quote.")
        inside = self.citation.span
        for span in (*self.highlights, *([self.phrase] if self.phrase else [])):
            if not inside.start <= span.start < span.end <= inside.end:
                raise InputError(f"highlight {span} lies outside the passage's {inside}.")

    def quote(self, span: Span) -> str:
        """The exact text of one highlight of this passage."""
        return self.text[span.start - self.citation.start : span.end - self.citation.start]

    def explain(self) -> str:
        """The score's parts, and which word of the question was matched where."""
        return "\n".join([_headline(self), *map(_line, _by_contribution(self.matches))])

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {
            "rank": self.rank,
            "score": self.score,
            "text": self.text,
            "signals": dict(self.signals),
            "matches": [
                {
                    "word": m.word,
                    "partner": m.partner,
                    "span": m.span and list(m.span),
                    "similarity": m.similarity,
                    "contribution": m.contribution,
                }
                for m in self.matches
            ],
            "citation": self.citation.to_dict(),
            "also": [citation.to_dict() for citation in self.also],
            "highlights": [
                {"start": span.start, "end": span.end, "quote": self.quote(span)}
                for span in self.highlights
            ],
            "phrase": self.phrase
            and {
                "start": self.phrase.start,
                "end": self.phrase.end,
                "quote": self.quote(self.phrase),
            },
        }


def explain_passages(passages: Sequence[Passage]) -> str:
    """Explain all passages, each after the first with the words by which it lost to the first."""
    if not passages:
        return "There is no passage to explain."
    first, *rest = passages
    parts = [first.explain()]
    parts += [f"{passage.explain()}\n{_lost(first, passage)}" for passage in rest]
    return "\n\n".join(parts)


def _headline(passage: Passage) -> str:
    signals = " + ".join(f"{name} {value:.3f}" for name, value in passage.signals.items())
    return f"[{passage.rank}] score {passage.score:.3f} = {signals}  ({passage.citation.label})"


def _by_contribution(matches: tuple[Match, ...]) -> Iterator[Match]:
    yield from sorted(matches, key=lambda match: -match.contribution)


def _line(match: Match) -> str:
    place = (
        f"{match.partner} [{match.span.start}:{match.span.end}]" if match.span else match.partner
    )
    return (
        f"    {match.contribution:.3f}  {match.word} → {place}, similarity {match.similarity:.2f}"
    )


def _lost(first: Passage, passage: Passage) -> str:
    """The signals and words, up to three, that put ``first`` ahead of ``passage``."""
    gaps = {name: value - passage.signals.get(name, 0.0) for name, value in first.signals.items()}
    gap = first.score - passage.score
    words = sorted(
        zip(first.matches, passage.matches, strict=True),
        key=lambda pair: pair[1].contribution - pair[0].contribution,
    )
    behind = [
        f"{one.word} ({other.contribution - one.contribution:+.3f})"
        for one, other in words[:3]
        if other.contribution < one.contribution
    ]
    signals = ", ".join(f"{name} {-value:+.3f}" for name, value in gaps.items())
    return (
        f"    behind the first by {gap:.3f} ({signals}), most by: {', '.join(behind) or 'no word'}"
    )
