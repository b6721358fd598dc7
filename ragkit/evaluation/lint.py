"""Check a question set: findings, and figures on its size and difficulty."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean

from ragkit.evaluation.measures import contains
from ragkit.evaluation.questions import Evidence, Question, QuestionSet
from ragkit.evaluation.significance import minimum_detectable_effect
from ragkit.types import Document

__all__ = ["Finding", "LintReport", "content_words", "lint"]

MIN_UNANSWERABLE = 0.10
"""Fraction of unanswerable questions below which the set gets a warning."""
MAX_OVERLAP = 0.25
"""Mean word overlap from which the set gets a warning."""
_CHANGING = 0.10  # fraction of questions assumed to change between two runs worth comparing
_FUNCTION_WORDS = frozenset(
    """
    a about above after again against all also am an and any are aren as at be because been
    before being below between both but by can cannot could did do does doing don down during
    each else ever few for from further get gets give given go goes going got had has have
    having he her here hers him his how i if in into is it its itself just know let like made
    make many may me might mine more most much must my no nor not now of off often on once one
    only or other our out over own per please really same say says she should so some such tell
    than that the their them then there these they thing things this those through to too under
    until up upon us very was way we well were what when where whether which while who whom
    whose why will with would you your
    """.split()
)
"""Words that carry the form of a question, not its topic."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        level: ``error`` (fix it) or ``warning`` (consider it).
        question: id of the question, or ``(set)``.
        message: what was found.

    """

    level: str
    question: str
    message: str


@dataclass(frozen=True, slots=True)
class LintReport:
    """The findings and figures of a question set.

    Attributes:
        findings: errors and warnings.
        categories: number of questions by category.
        splits: number of questions by split.
        answerable: number of answerable questions.
        unanswerable: number of unanswerable questions.
        overlap: mean fraction of a question's content words that occur in its evidence; None
            without evidence.
        detectable: minimum detectable effect of a measure of 0 or 1 over the answerable questions,
            if 10 % of them change; None without answerable questions.

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
        """The findings of level ``error``."""
        return tuple(f for f in self.findings if f.level == "error")


def lint(questions: QuestionSet, documents: Mapping[str, Document]) -> LintReport:
    """Check a question set.

    Args:
        questions: the set.
        documents: the corpus by document id.

    """
    answerable = [q for q in questions if q.answerable]
    overlaps = {q.id: _overlap(q) for q in answerable if q.evidence}
    findings = [
        *(finding for question in questions for finding in _check_question(question, documents)),
        *_check_duplicates(questions),
        *_check_set(questions, overlaps),
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
    """Return the lower-cased words without function words, plural and verb endings removed."""
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
    words = content_words(question.text)
    evidence = content_words(" ".join(e.quote for e in question.evidence))
    return len(words & evidence) / max(1, len(words))


def _check_question(question: Question, documents: Mapping[str, Document]) -> Iterator[Finding]:
    messages = [*_label_errors(question)]
    messages += [m for e in question.evidence for m in _evidence_errors(e, documents)]
    quotes = "\n".join(evidence.quote for evidence in question.evidence)
    messages += [
        f"the answer {answer!r} does not occur in the evidence"
        for answer in question.answers
        if question.evidence and not contains(quotes, [answer])
    ]
    return (Finding("error", question.id, message) for message in messages)


def _label_errors(question: Question) -> Iterator[str]:
    if not question.text.strip():
        yield "the question is blank"
    if question.answerable and not question.evidence:
        yield "the question is answerable but has no evidence"
    if not question.answerable and question.evidence:
        yield "the question is unanswerable but has evidence"


def _evidence_errors(evidence: Evidence, documents: Mapping[str, Document]) -> Iterator[str]:
    document, quote = documents.get(evidence.document_id), evidence.quote[:40]
    if document is None:
        yield f"there is no document {evidence.document_id!r}"
    elif evidence.start < 0:
        count = document.text.count(evidence.quote)
        yield f"the quote {quote!r} occurs {count} times in its document, expected once"
    elif document.text[evidence.start : evidence.end] != evidence.quote:
        yield f"the text at [{evidence.start}, {evidence.end}) is not the quote {quote!r}"


def _check_duplicates(questions: QuestionSet) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], str] = {}
    for question in questions:
        key = tuple(sorted(content_words(question.text)))
        if key and key in seen:
            yield Finding(
                "warning", question.id, f"the question has the same content words as {seen[key]}"
            )
        seen.setdefault(key, question.id)


def _check_set(questions: QuestionSet, overlaps: Mapping[str, float]) -> Iterator[Finding]:
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
            f"on average {mean(overlaps.values()):.0%} of a question's content words occur in its "
            f"evidence; below {MAX_OVERLAP:.0%} a set tests paraphrase, not only word matching",
        )  # fmt: skip
