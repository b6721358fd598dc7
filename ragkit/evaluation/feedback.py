"""What people said about answers, as candidates for a question set.

Where everybody liked the answers, their quotes are gold, or the question is unanswerable if what
they liked was that the corpus does not say. Everything else waits for a review: it is answerable
without evidence, which `ragkit eval lint` reports and `ragkit eval` refuses to measure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.evaluation.measures import contains
from ragkit.evaluation.questions import Evidence, Question, question_dict
from ragkit.serving.feedback_file import Feedback, Verdict
from ragkit.text.spans import Span
from ragkit.text.words import words_of
from ragkit.types import Citation

__all__ = ["TO_REVIEW", "CandidateQuestion", "candidate_questions", "save_candidates"]

LIKED, TO_REVIEW = "liked", "to review"
"""Categories of candidates: with gold, and without."""


@dataclass(frozen=True, slots=True)
class CandidateQuestion:
    """A question that people asked, and all that they said about its answers.

    Attributes:
        question: the question with its gold; in the category ``to review`` it has none.
        feedback: the records behind it, oldest first.

    """

    question: Question
    feedback: tuple[Feedback, ...]

    @property
    def needs_review(self) -> bool:
        """Whether it has no gold yet."""
        return self.question.category == TO_REVIEW

    def to_dict(self) -> dict[str, Any]:
        """Return a line of a question set, with a ``review`` field for whoever reviews it."""
        count = {verdict.value: 0 for verdict in Verdict}
        for record in self.feedback:
            count[record.verdict.value] += 1
        review = {
            **count,
            "answers": _distinct(record.text for record in self.feedback),
            "comments": _distinct(record.comment for record in self.feedback),
        }
        return {**question_dict(self.question), "review": review}


def candidate_questions(records: Iterable[Feedback], index: Index) -> list[CandidateQuestion]:
    """Merge records about the same question, and find gold in the index for what was liked.

    Args:
        records: the records, oldest first.
        index: the index that answered, or a later one. A passage that it no longer has, or has
            with other words, gives no gold.

    Returns:
        One candidate for each standalone question, in the order in which they were first asked.

    """
    groups: dict[str, list[Feedback]] = {}
    for record in records:
        groups.setdefault(" ".join(record.standalone.casefold().split()), []).append(record)
    return [_candidate(key, group, index) for key, group in groups.items()]


def save_candidates(candidates: Iterable[CandidateQuestion], path: Path) -> None:
    """Write candidates as JSON Lines, as ``load_questions`` reads them."""
    lines = (json.dumps(one.to_dict(), ensure_ascii=False) for one in candidates)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _candidate(key: str, records: Sequence[Feedback], index: Index) -> CandidateQuestion:
    first = records[0]
    gold = _gold(records, index)
    are_answered = {record.answered for record in records}
    is_liked = all(record.verdict is Verdict.GOOD for record in records)
    is_settled = is_liked and (are_answered == {False} or (are_answered == {True} and bool(gold)))
    evidence = tuple(gold) if is_settled else ()
    quotes = " ".join(one.quote for one in evidence)
    question = Question(
        id=f"feedback-{hashlib.sha256(key.encode()).hexdigest()[:12]}",
        text=first.standalone,
        answerable=not is_settled or first.answered,
        answers=tuple(
            short for short in _distinct(one.short for one in records) if _says(quotes, short)
        ),
        evidence=evidence,
        category=LIKED if is_settled else TO_REVIEW,
        section=_section(evidence, index),
    )
    return CandidateQuestion(question, tuple(records))


def _section(evidence: Sequence[Evidence], index: Index) -> tuple[str, ...]:
    """Return the heading path of the first evidence."""
    return next((index.document(one.document_id).cite(one.span).section for one in evidence), ())


def _gold(records: Sequence[Feedback], index: Index) -> list[Evidence]:
    """Return the distinct spans that the answers quoted, as far as the index still has them."""
    spans = (_evidence(record, index) for record in records if record.answered and record.passages)
    return list(dict.fromkeys(span for span in spans if span is not None))


def _evidence(record: Feedback, index: Index) -> Evidence | None:
    """Return what the answer quoted from its first passage, or None if it no longer says it."""
    try:
        citation = index.cite(record.passages[0])
    except InputError:
        return None
    span = _quoted(record.text, citation)
    if span is None and record.generation == index.generation:
        span = citation.span  # several quotes, or a language model's words
    if span is None:
        return None
    quote = citation.quote[span.start - citation.start : span.end - citation.start]
    return Evidence(citation.document_id, span.start, span.end, quote)


_MIN_WORDS = 2
"""Words of a quote that is evidence: fewer stand in many places for other reasons."""


def _quoted(text: str, citation: Citation) -> Span | None:
    """Return where a passage has the text, or None if it has not, or if it is too short."""
    at = citation.quote.find(text) if len(words_of(text)) >= _MIN_WORDS else -1
    start = citation.start + at
    return Span(start, start + len(text)) if at >= 0 else None


def _says(quotes: str, short: str) -> bool:
    """Whether the words of a short answer stand in the evidence; a single letter says nothing."""
    is_letter = len(short.strip()) == 1 and short.strip().isalpha() and short.isascii()
    return not is_letter and contains(quotes, [short]) > 0


def _distinct(texts: Iterable[str]) -> list[str]:
    """Return the texts that are not empty, each once, in their order."""
    return [text for text in dict.fromkeys(texts) if text]
