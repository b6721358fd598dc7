"""Is a question set fit to measure with? Findings, and the figures that say how hard it is."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean

from ragkit.evaluation.measures import contains
from ragkit.evaluation.questions import Question, QuestionSet
from ragkit.evaluation.significance import minimum_detectable_effect
from ragkit.types import Document

__all__ = ["Finding", "LintReport", "content_words", "lint"]

MIN_UNANSWERABLE = 0.10
MAX_OVERLAP = 0.25
_CHANGING = 0.10  # fraction of questions assumed to change between two runs worth comparing
# Words that say how something is asked, not what is asked about.
_WORDS = """
    a about above after again against all also am an and any are aren as at be because been
    before being below between both but by can cannot could did do does doing don down during
    each else ever few for from further get gets give given go goes going got had has have
    having he her here hers him his how i if in into is it its itself just know let like made
    make many may me might mine more most much must my no nor not now of off often on once one
    only or other our out over own per please really same say says she should so some such tell
    than that the their them then there these they thing things this those through to too under
    until up upon us very was way we well were what when where whether which while who whom
    whose why will with would you your
"""
_FUNCTION_WORDS = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend (``error``) or to think about (``warning``)."""

    level: str
    question: str
    message: str


@dataclass(frozen=True, slots=True)
class LintReport:
    """Findings, counts by category, mean word overlap, and the smallest difference to be seen.

    ``overlap``: mean fraction of a question's content words that stand in its evidence.
    ``detectable``: of a hit rate over the answerable questions, if 10 % of them change.
    """

    findings: tuple[Finding, ...]
    categories: Mapping[str, int]
    splits: Mapping[str, int]
    answerable: int
    unanswerable: int
    overlap: float | None
    detectable: float | None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.level == "error")


def lint(questions: QuestionSet, documents: Mapping[str, Document]) -> LintReport:
    """Check a set against the documents it is about."""
    answerable = [q for q in questions if q.answerable]
    overlaps = {q.id: _overlap(q) for q in answerable if q.evidence}
    findings = [
        *(finding for question in questions for finding in _question(question, documents)),
        *_duplicates(questions),
        *_as_a_whole(questions, overlaps),
    ]
    return LintReport(
        findings=tuple(findings),
        categories=dict(Counter(q.category or "(none)" for q in questions)),
        splits=dict(Counter(q.split for q in questions)),
        answerable=len(answerable),
        unanswerable=len(questions) - len(answerable),
        overlap=mean(overlaps.values()) if overlaps else None,
        detectable=minimum_detectable_effect(len(answerable), _CHANGING**0.5)
        if answerable
        else None,
    )


def content_words(text: str) -> frozenset[str]:
    """Lower-cased words without function words, by a light stem: plural and verb endings off."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())
    return frozenset(
        _stem(w) for w in words if w not in _FUNCTION_WORDS and (len(w) > 1 or w.isdigit())
    )


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "edly", "ed", "ies", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _overlap(question: Question) -> float:
    asked = content_words(question.text)
    found = content_words(" ".join(e.quote for e in question.evidence))
    return len(asked & found) / max(1, len(asked))


def _question(question: Question, documents: Mapping[str, Document]) -> Iterator[Finding]:
    def error(message: str) -> Finding:
        return Finding("error", question.id, message)

    if not question.text.strip():
        yield error("the question is blank")
    if question.answerable and not question.evidence:
        yield error("it is answerable but has no evidence")
    if not question.answerable and question.evidence:
        yield error("it is unanswerable but has evidence")
    for evidence in question.evidence:
        document = documents.get(evidence.document_id)
        if document is None:
            yield error(f"there is no document {evidence.document_id!r}")
        elif evidence.start < 0:
            found = document.text.count(evidence.quote)
            yield error(f"its quote {evidence.quote[:40]!r} stands {found} times, expected once")
        elif document.text[evidence.start : evidence.end] != evidence.quote:
            yield error(f"[{evidence.start}, {evidence.end}) is not {evidence.quote[:40]!r}")
    quotes = "\n".join(e.quote for e in question.evidence)
    for answer in question.answers:
        if question.evidence and not contains(quotes, [answer]):
            yield error(f"the answer {answer!r} does not stand in its evidence")


def _duplicates(questions: QuestionSet) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], str] = {}
    for question in questions:
        key = tuple(sorted(content_words(question.text)))
        if key and key in seen:
            yield Finding("warning", question.id, f"it asks in the same words as {seen[key]}")
        seen.setdefault(key, question.id)


def _as_a_whole(questions: QuestionSet, overlaps: Mapping[str, float]) -> Iterator[Finding]:
    unanswerable = sum(not q.answerable for q in questions)
    if unanswerable < MIN_UNANSWERABLE * len(questions):
        yield Finding(
            "warning", "(set)",
            f"only {unanswerable} of {len(questions)} questions are unanswerable; at least "
            f"{MIN_UNANSWERABLE:.0%} are needed to measure abstention",
        )  # fmt: skip
    if overlaps and mean(overlaps.values()) >= MAX_OVERLAP:
        yield Finding(
            "warning", "(set)",
            f"on average {mean(overlaps.values()):.0%} of a question's content words stand in its "
            f"evidence; under {MAX_OVERLAP:.0%} tells paraphrase from word matching",
        )  # fmt: skip
