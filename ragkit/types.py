"""The values that travel the corridor: Document → Chunk → Passage → Answer.

All are frozen. Offsets are Unicode code points of ``Document.text``, half-open ``[start, end)``.
A ``Passage`` whose text differs from its citation's quote cannot be built, and neither can a
``Citation`` whose span and quote differ in length: a wrong citation is an error, never a value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.answering.anchoring import Anchor
    from ragkit.answering.proof import Offsets, Verification

__all__ = [
    "Abstention",
    "Answer",
    "Chunk",
    "Citation",
    "Document",
    "Generated",
    "Match",
    "MetadataValue",
    "Passage",
    "Said",
    "Section",
    "Sentence",
    "Span",
    "Support",
]


MetadataValue = str | int | float | bool | Sequence[str]
"""A property of a document: one value, or several texts, any of which a filter may ask for."""


class Span(NamedTuple):
    """Half-open ``[start, end)`` in code points of a document's text."""

    start: int
    end: int

    def overlap(self, other: Span) -> int:
        """How many code points both spans hold."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True, slots=True)
class Section:
    """A run of body text under one heading path (outermost first; ``()`` is the lead).

    ``start`` and ``end`` bound the body alone: the heading's own line is markup and lies outside.
    """

    path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One article: its exact text and what it is called.

    ``id`` is a stable slug, unique in a corpus. ``text`` is what all offsets refer to.
    ``sections`` may be left empty: they are then read from ``==`` headings. ``metadata``: what
    questions can be filtered by, such as a date or tags. ``pages``: where each page of a paged
    source begins in ``text``, the first at 0; empty for others.
    """

    id: str
    title: str
    text: str
    url: str | None = None
    sections: tuple[Section, ...] = ()
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict, hash=False)
    pages: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("id", "title", "text"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise InputError(
                    f"Document.{name} is a {type(value).__name__}; expected a str. "
                    f"Pass Document(id=…, title=…, text=…, url=…)."
                )
        if not self.id.strip():
            raise InputError("Document.id is blank; expected a stable slug such as 'my-article'.")
        before = 0
        for section in self.sections:
            if not before <= section.start < section.end <= len(self.text):
                raise InputError(
                    f"section {section.path} of {self.id!r} has the span [{section.start}, "
                    f"{section.end}); expected spans in order, apart, and inside [0, "
                    f"{len(self.text)})."
                )
            before = section.end
        for name, found in self.metadata.items():
            _check_metadata(self.id, name, found)
        if self.pages and (self.pages[0] != 0 or list(self.pages) != sorted(self.pages)):
            raise InputError(
                f"the pages of {self.id!r} begin at {self.pages[:5]}…; expected 0 and then "
                f"ascending offsets."
            )

    def page_at(self, offset: int) -> int | None:
        """The number, from 1, of the page that a code point is on; None if there are none."""
        return bisect_right(self.pages, offset) or None

    def section_at(self, span: Span) -> tuple[str, ...]:
        """The heading path of the section that holds all of a span; ``()`` if none does."""
        at = bisect_right(self.sections, span.start, key=lambda section: section.start) - 1
        section = self.sections[at] if at >= 0 else None
        return section.path if section and span.end <= section.end else ()

    def cite(self, span: Span) -> Citation:
        """What stands at a span, as a citation. Raises InputError where the span is not inside."""
        start, end = span
        if not 0 <= start < end <= len(self.text):
            raise InputError(
                f"[{start}, {end}) is no span of {self.id!r}; expected one inside [0, "
                f"{len(self.text)}), not empty."
            )
        return Citation(
            document_id=self.id,
            title=self.title,
            section=self.section_at(span),
            start=start,
            end=end,
            quote=self.text[start:end],
            url=self.url,
            page=self.page_at(start),
        )


def _check_metadata(document_id: str, name: object, value: object) -> None:
    plain = isinstance(value, (str, int, float))
    listed = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
    if not isinstance(name, str) or not (plain or listed):
        raise InputError(
            f"the metadata {name!r} of {document_id!r} is {value!r}; expected a text, a number, a "
            f"truth value, or a list of texts."
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is indexed: a span inside one section, and its sentences' spans.

    ``section`` counts into its document's ``sections``.
    """

    document_id: str
    section: int
    start: int
    end: int
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands: ``document.text[start:end] == quote``.

    ``section`` is the heading path, outermost first, without the article's title; ``url`` is the
    document's address or None. ``start`` and ``end`` are code points in the document's text.
    ``page``: on which page of a paged source it begins, from 1, else None.
    """

    document_id: str
    title: str
    section: tuple[str, ...]
    start: int
    end: int
    quote: str
    url: str | None = None
    page: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or self.end - self.start != len(self.quote) or not self.quote:
            raise InputError(
                f"a citation of {self.document_id!r} has the span [{self.start}, {self.end}) but a "
                f"quote of {len(self.quote)} code points; they must agree and not be empty."
            )

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    @property
    def label(self) -> str:
        """Title and heading path in one line: ``Article § Section › Subsection, p. 3``."""
        path = f" § {' › '.join(self.section)}" if self.section else ""
        return f"{self.title}{path}" + (f", p. {self.page}" if self.page else "")

    def verify(self, document: Document) -> Verification:
        """Whether ``document`` says at the span what is quoted, and if not, what it says."""
        from ragkit.answering.proof import verify

        return verify(self, document)

    def offsets(self, document: Document) -> Offsets:
        """The span in code points, UTF-16 code units and UTF-8 bytes."""
        from ragkit.answering.proof import offsets

        return offsets(self, document)

    def annotation(self, document: Document, *, span: Span | None = None) -> dict[str, Any]:
        """The citation, or ``span`` inside it, as a W3C Web Annotation (JSON-LD)."""
        from ragkit.answering.proof import annotation

        return annotation(self, document, span=span)

    def deep_link(self, document: Document, *, span: Span | None = None) -> str | None:
        """The document's URL made to scroll to the citation, or ``span``: ``#:~:text=``."""
        from ragkit.answering.links import deep_link

        return deep_link(self, document, span=span)

    def reanchor(self, document: Document) -> Anchor:
        """Where the quote stands after ``document`` was edited, if it still does."""
        from ragkit.answering.anchoring import reanchor

        return reanchor(self, document)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Citation:
        """What ``to_dict`` gave. Raises InputError if it is no citation."""
        try:
            return cls(**{**content, "section": tuple(content["section"])})
        except (TypeError, KeyError) as error:
            raise InputError(
                f"this is no citation ({type(error).__name__}: {error}); expected the fields of "
                f"Citation.to_dict()."
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {
            "document_id": self.document_id,
            "title": self.title,
            "section": list(self.section),
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
            "url": self.url,
            "page": self.page,
        }


@dataclass(frozen=True, slots=True)
class Match:
    """Where a word of the question found its partner.

    ``similarity``: cosine of both as the model reads them in their places. ``contribution``: its
    part of the passage's ``forward`` signal, which is their sum. ``span``: the partner in the
    document, None where it stands in the title or a heading.
    """

    word: str
    similarity: float
    contribution: float
    partner: str
    span: Span | None


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
        from ragkit.answering.explaining import explain_passage

        return explain_passage(self)

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


class Said(NamedTuple):
    """Something said before a question, to read it by.

    ``weight``: what its words count beside the question's own (1): 0 lets them only colour it.
    """

    text: str
    weight: float


class Abstention(StrEnum):
    """Why an answer was not given."""

    EMPTY_CORPUS = "empty corpus"
    FILTERED = "no document fulfils the conditions"
    LOW_CONFIDENCE = "nothing matches closely enough"
    UNSUPPORTED = "the language model said nothing that the passages support"
    REFUSED = "the language model refused"


class Support(StrEnum):
    """What a language model's sentence is worth, by the passages it was given.

    Verbatim: its words stand there as they are. Supported: its names, numbers and nearly all its
    words do, none denied. Misattributed: not in the passages it names, but in another.
    Unsupported: in none. What this cannot tell, says ``grounding/checking.py``.
    """

    VERBATIM = "verbatim"
    SUPPORTED = "supported"
    MISATTRIBUTED = "misattributed"
    UNSUPPORTED = "unsupported"


GOOD = (Support.VERBATIM, Support.SUPPORTED)
"""What a sentence must be to answer."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence that a language model said, and what became of it.

    ``text`` is without markers. ``passages``: ranks of those that support it, or would have to.
    ``kept``: it is part of the answer's text. ``reason``: for people, what is wrong with it.
    """

    text: str
    status: Support
    passages: tuple[int, ...]
    kept: bool
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {
            "text": self.text,
            "status": self.status.value,
            "passages": list(self.passages),
            "kept": self.kept,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Generated:
    """All that a language model said, in order, kept or not.

    ``finish``: ``stop``, ``length`` (its own limit), ``cut`` (the stream broke off or took too
    long) or ``refused``; unless ``stop``, a last sentence without an end was dropped.
    """

    model: str
    finish: str
    sentences: tuple[Sentence, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {
            "model": self.model,
            "finish": self.finish,
            "sentences": [sentence.to_dict() for sentence in self.sentences],
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the corpus says to a question, with its proof.

    ``text`` is verbatim from the best passage: its highlighted sentences; or, where a language
    model wrote it, those of its sentences that were kept, each with its ``[rank]``, and
    ``generated`` is all that it said. ``passages`` are best first. Where ``answered`` is False
    there is a ``reason``, ``text`` is ``""``, and the passages are the nearest ones.
    ``standalone``: the question as it was understood, which differs from ``question`` only in a
    conversation.

    ``confidence`` (0–1) is the chance that the corpus holds the answer and the first passage is it,
    calibrated on a mix of plain, paraphrased and unanswerable questions; which, and what it cannot
    tell, says ``answering/confidence.py``. Below the threshold an answer abstains.
    """

    question: str
    answered: bool
    text: str
    confidence: float
    passages: tuple[Passage, ...] = ()
    reason: Abstention | None = None
    standalone: str = ""
    generated: Generated | None = None

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
            "confidence": self.confidence,
            "reason": self.reason.value if self.reason else None,
            "passages": [passage.to_dict() for passage in self.passages],
            "generated": self.generated and self.generated.to_dict(),
        }

    def explain(self) -> str:
        """Each passage's explanation, and by which words it lost to the first."""
        from ragkit.answering.explaining import explain_answer

        return explain_answer(self)

    def to_markdown(self) -> str:
        """The answer and its numbered citations, as CommonMark; corpus text is escaped."""
        from ragkit.answering.render import to_markdown

        return to_markdown(self)

    def _repr_html_(self) -> str:
        from ragkit.answering.render import to_html

        return to_html(self)

    def __str__(self) -> str:
        from ragkit.answering.render import to_text

        return to_text(self)
