"""Passage and Answer: what a question gets, with its proof.

A ``Passage`` whose text differs from its citation's quote cannot be built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ragkit.answering import render
from ragkit.answering.confidence import in_words
from ragkit.answering.generated import Generated
from ragkit.catalogue import Catalogue, catalogue
from ragkit.errors import InputError
from ragkit.retrieval import Match
from ragkit.text.spans import Span
from ragkit.types import Citation

__all__ = ["Abstention", "Answer", "Choice", "Passage", "Remark"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a question.

    ``text`` is what is cited, equal to ``citation.quote``. ``score`` is a similarity (higher is
    better), comparable within one answer only. ``rank`` counts from 1. ``highlights`` are spans of
    the document, inside the citation's span, that bear most on the question, in reading order.
    ``phrase``: the words among them that answer, where they do. ``answers``: the reader's chance,
    0–1, that the passage answers, None if it was not read; ``candidate``: the words with which the
    reader would answer, whether or not they do. ``signals``: what each signal
    contributed; they add up to the score. ``matches``: how each word of the question was matched.
    ``also``: where else the corpus says the same in the same words, as far as seen. ``lead``: what
    introduces the passage's sentences, such as the names of a table's columns, or the question that
    they answer; it may stand before the passage.
    """

    text: str
    score: float
    rank: int
    citation: Citation
    highlights: tuple[Span, ...] = ()
    phrase: Span | None = None
    answers: float | None = None
    candidate: Span | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    matches: tuple[Match, ...] = ()
    also: tuple[Citation, ...] = ()
    lead: Citation | None = None

    def __post_init__(self) -> None:
        if self.text != self.citation.quote:
            raise InputError("a passage's text differs from its citation's quote.")
        start, end = self.citation.start, self.citation.end
        for span in filter(None, (*self.highlights, self.phrase, self.candidate)):
            if not start <= span.start < span.end <= end:
                raise InputError(
                    f"highlight {span} lies outside the passage's {self.citation.span}."
                )

    def quote(self, span: Span) -> str:
        """The exact text of one highlight of this passage."""
        return self.text[span.start - self.citation.start : span.end - self.citation.start]

    def explain(self) -> str:
        """What was read in it, the score's parts, and which word was matched where."""
        lines = [_headline(self), *_read(self), *map(_line, _by_contribution(self.matches))]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {
            "rank": self.rank,
            "score": self.score,
            "answers": self.answers,
            "candidate": self._quoted_span(self.candidate),
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
            "lead": self.lead and self.lead.to_dict(),
            "highlights": [self._quoted_span(span) for span in self.highlights],
            "phrase": self._quoted_span(self.phrase),
        }

    def _repr_html_(self) -> str:
        return render.passage_html(self._quoted(), f"rank {self.rank}, score {self.score:.3f}")

    def _quoted_span(self, span: Span | None) -> dict[str, Any] | None:
        return span and {"start": span.start, "end": span.end, "quote": self.quote(span)}

    def _quoted(self) -> render.Quoted:
        return render.Quoted(self.rank, self.citation, self.highlights, self.phrase)


_UNMET = 0.5
"""Similarity below which a word counts as not met."""


class Abstention(StrEnum):
    """Why an answer was not given."""

    EMPTY_CORPUS = "empty corpus"
    FILTERED = "no document fulfils the conditions"
    LOW_CONFIDENCE = "nothing matches closely enough"
    OFF_TOPIC = "nothing in it is about this"
    NOT_STATED = "it is about this, but does not say it"
    CONTRADICTED = "it says otherwise"
    SEVERAL_READINGS = "it can be read in several ways"
    COUNTING = "it does not state the number, which would have to be worked out from the rows"
    UNSUPPORTED = "the language model said nothing that the passages support"
    REFUSED = "the language model refused"
    NO_QUESTION = "it asks nothing of the documents"


class Remark(StrEnum):
    """What a turn is that asks the conversation, not the documents, for something."""

    GREETING = "greeting"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    HELP = "help"
    REPEAT = "repeat"
    SHORTER = "shorter"
    LONGER = "longer"
    SOURCE = "source"
    LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class Choice:
    """One reading of a question that has several, each answered by another passage.

    Attributes:
        label: what tells this reading from the others, such as "Treaty of Berlin (1926)".
        question: what to ask to mean this reading.
        rank: the rank of the passage that answers it; it may be beyond the passages returned.

    """

    label: str
    question: str
    rank: int

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {"label": self.label, "question": self.question, "rank": self.rank}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, with its citations.

    ``text`` is verbatim from the best passage: its highlighted sentences; or, where a language
    model wrote it, those of its sentences that were kept, each with its ``[rank]``, and
    ``generated`` is all that it said. ``passages`` are best first. Where ``answered`` is False
    there is a ``reason``, ``text`` is ``""``, and the passages are the nearest ones.
    ``standalone``: the question as it was understood, which differs from ``question`` only in a
    conversation.

    ``short``: the shortest words that answer, cited; they stand in the first passage. None where
    none do.

    ``confidence`` (0–1) is the chance that the corpus holds the answer and the first passage is it,
    calibrated on a mix of plain, paraphrased and unanswerable questions; which, and what it cannot
    tell, says ``answering/confidence.py``. Below the threshold an answer abstains.

    ``calibrated``: whether the confidence was fitted for the index's model and for English, or, by
    ``ragkit tune``, to the index itself. Where it was not, a higher one is still better, but of
    answers with .7 not seven in ten may be right.

    ``choices``: the readings of a question that has several, best first; empty if it has one.

    ``remark``: what the turn of a conversation is that asks nothing of the documents, such as
    "thanks"; ``reply`` is then what to say to it. A remark about the answer before, such as "say
    that again", has that answer's passages; others are not ``answered``, with the reason
    ``NO_QUESTION``.

    ``stale``: whether a source file has changed since the index was built, so that the answer may
    be out of date.
    """

    question: str
    answered: bool
    text: str
    confidence: float
    passages: tuple[Passage, ...] = ()
    reason: Abstention | None = None
    standalone: str = ""
    generated: Generated | None = None
    short: Citation | None = None
    choices: tuple[Choice, ...] = ()
    remark: Remark | None = None
    reply: str = ""
    stale: bool = False
    calibrated: bool = True

    def __post_init__(self) -> None:
        if not self.standalone:
            object.__setattr__(self, "standalone", self.question)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready (``json.dumps`` takes it as it is)."""
        return {
            "question": self.question,
            "standalone": self.standalone,
            "answered": self.answered,
            "text": self.text,
            "short": self.short and self.short.to_dict(),
            "confidence": self.confidence,
            "reason": self.reason.value if self.reason else None,
            "passages": [passage.to_dict() for passage in self.passages],
            "generated": self.generated and self.generated.to_dict(),
            "choices": [choice.to_dict() for choice in self.choices],
            "remark": self.remark and self.remark.value,
            "reply": self.reply,
            "stale": self.stale,
            "calibrated": self.calibrated,
        }

    def explain(self) -> str:
        """Each passage's explanation, by which words it lost to the first, and what none meets."""
        unmet = ", ".join(self.unmet)
        met = f"No passage meets: {unmet}.\n\n" if unmet else ""
        return met + _explain(self.passages)

    @property
    def unmet(self) -> tuple[str, ...]:
        """Words of the question for which no passage has one like them, in their order."""
        words = zip(*[passage.matches for passage in self.passages], strict=True)
        best = [max(matches, key=lambda match: match.similarity) for matches in words]
        return tuple([match.word for match in best if match.similarity < _UNMET])

    def to_markdown(self, *, language: str = "en") -> str:
        """The answer and its numbered citations, as CommonMark; corpus text is escaped.

        It ends with a warning if the answer is ``stale``. The warning, and the sentence in place of
        an answer, are in ``language``: en, ar, de, es, fr, ja or zh.

        Raises:
            InputError: there are no messages in that language.

        """
        messages = catalogue(language)
        head = self._markdown_head(messages)
        entries = render.markdown(head, [one._quoted() for one in self.passages])
        return f"{entries}\n{messages.text('answer.stale')}\n" if self.stale else entries

    def _repr_html_(self) -> str:
        return render.html(self._head(), [one._quoted() for one in self.passages], self._notes())

    def __str__(self) -> str:
        return render.text(self._head(), [one._quoted() for one in self.passages])

    def _notes(self) -> Iterator[str]:
        """What is said of the answer beside its text."""
        if self.standalone != self.question:
            yield f"You asked about: {self.standalone}"
        if not self.reply:
            doubt = "" if self.calibrated else ", not calibrated for this model or language"
            yield f"confidence {self.confidence:.2f} ({in_words(self.confidence)}{doubt})"
        if self.stale:
            yield "A source file has changed since the index was built."
        if self.choices:
            yield "Which is meant? " + " · ".join(choice.label for choice in self.choices)

    def _head(self) -> str:
        if self.reply:
            return self.reply
        return self.text if self.answered else render.abstention(self.reason, catalogue("en"))

    def _markdown_head(self, messages: Catalogue) -> str:
        if self.reply:
            return render.escape_markdown(self.reply)
        if self.generated is None and self.answered:
            return render.escape_markdown(self.text) + " [1]"
        sentences = self.generated.sentences if self.generated else ()
        kept = " ".join(render.sentence_markdown(one) for one in sentences if one.kept)
        if self.answered:
            return kept
        return "\n\n".join(filter(None, [kept, render.abstention(self.reason, messages)]))


def _explain(passages: Sequence[Passage]) -> str:
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


def _read(passage: Passage) -> Iterator[str]:
    """What the reader saw in a passage."""
    if passage.answers is not None and passage.candidate is not None:
        words = " ".join(passage.quote(passage.candidate).split())
        yield f"    read: answers with chance {passage.answers:.2f}, with “{words}”"


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
    weaker = [
        f"{one.word} ({other.contribution - one.contribution:+.3f})"
        for one, other in words[:3]
        if other.contribution < one.contribution
    ]
    signals = ", ".join(f"{name} {-value:+.3f}" for name, value in gaps.items())
    return (
        f"    behind the first by {gap:.3f} ({signals}), most by: {', '.join(weaker) or 'no word'}"
    )
