"""Why a passage scored as it did, in words."""

from __future__ import annotations

from collections.abc import Iterator

from ragkit.types import Answer, Match, Passage

__all__ = ["explain_answer", "explain_passage"]


def explain_passage(passage: Passage) -> str:
    """The score's parts, then the question's words by what they brought."""
    return "\n".join([_headline(passage), *map(_line, _by_contribution(passage.matches))])


def explain_answer(answer: Answer) -> str:
    """All passages, each after the first with the words by which it lost."""
    if not answer.passages:
        return "There is no passage to explain."
    first, *rest = answer.passages
    parts = [explain_passage(first)]
    parts += [f"{explain_passage(passage)}\n{_lost(first, passage)}" for passage in rest]
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
