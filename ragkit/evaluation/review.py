"""A review of proposed questions: a person's decisions, and the question set that they make.

Decisions are appended to a file beside the proposals (``NAME.review.jsonl``), the last one of a
question counts, and the accepted questions are written after each: an interrupted review loses
nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ragkit.citations.passage_ids import parse_passage_id
from ragkit.errors import InputError
from ragkit.evaluation.measures import contains
from ragkit.evaluation.questions import Question, QuestionSet, load_questions, save_questions
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = ["Decision", "Review", "Status"]

_CONTEXT = 400
"""Code points shown before and after the evidence of a question without a passage."""


class Status(StrEnum):
    """What a person decided on a question; ``PENDING`` takes a decision back."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on one question.

    Attributes:
        id: id of the question.
        status: accepted, rejected or pending.
        question: its wording after editing; empty if it was not edited.
        answers: its gold answers after editing; None if they were not edited.

    """

    id: str
    status: Status
    question: str = ""
    answers: tuple[str, ...] | None = None

    @classmethod
    def from_dict(cls, content: Any) -> Decision:
        """Return the decision that JSON describes. Raises InputError if it is none."""
        try:
            answers = content.get("answers")
            if answers is not None and not (
                isinstance(answers, list) and all(isinstance(answer, str) for answer in answers)
            ):
                raise TypeError("answers are not a list of strings")
            return cls(
                id=str(content["id"]),
                status=Status(content["status"]),
                question=str(content.get("question") or "").strip(),
                answers=None if answers is None else tuple(filter(None, map(str.strip, answers))),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"this is not a decision ({type(error).__name__}: {error}); expected an object "
                f'with "id" and "status": "accepted", "rejected" or "pending".'
            ) from error


class Review:
    """A review that is in progress. Any number of threads may share it.

    Attributes:
        questions: the proposals.
        out: where the accepted questions are written.

    """

    def __init__(
        self, questions: QuestionSet, out: Path, journal: Path, documents: Sequence[Document]
    ) -> None:
        self.questions = questions
        self.out = out
        self._journal = journal
        self._documents = {document.id: document for document in documents}
        self._by_id = {question.id: question for question in questions}
        self._decisions: dict[str, Decision] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, file: Path, out: Path, documents: Sequence[Document], *, replace: bool = False
    ) -> Review:
        """Begin the review of a file, or go on with it.

        Args:
            file: the proposals.
            out: where to write the accepted questions.
            documents: the corpus.
            replace: overwrite ``out`` though this review did not write it.

        Raises:
            InputError: a file cannot be read or written, or ``out`` exists and is not what this
                review wrote.

        """
        if file.resolve() == out.resolve():
            raise InputError(f"--out is {out}, the proposals themselves; expected another file.")
        questions = load_questions(file, {document.id: document for document in documents})
        review = cls(questions, out, file.with_suffix(".review.jsonl"), documents)
        review._load_decisions()
        if out.exists() and not replace and not review._wrote(out):
            raise InputError(
                f"{out} exists and is not what the review of {file} wrote. Choose another file, or "
                f"overwrite it: --replace"
            )
        if review._decisions:
            review._save()
        return review

    def decide(self, decision: Decision) -> None:
        """Record a decision and write the accepted questions.

        Raises:
            InputError: there is no such question, an edited answer does not stand in the evidence,
                the question contains its answer, or a file cannot be written.

        """
        self._check(decision)
        with self._lock:
            try:
                with self._journal.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(decision), ensure_ascii=False) + "\n")
            except OSError as error:
                raise InputError(f"{self._journal} cannot be written: {error.strerror}.") from error
            self._decisions[decision.id] = decision
            self._save()

    def status_of(self, question_id: str) -> Status:
        """Return what was decided on a question."""
        decision = self._decisions.get(question_id)
        return decision.status if decision else Status.PENDING

    @property
    def accepted(self) -> QuestionSet:
        """The accepted questions as they were edited, in the order of the proposals."""
        accepted = (
            self._edited(q) for q in self.questions if self.status_of(q.id) is Status.ACCEPTED
        )
        return QuestionSet(self.out.stem, tuple(accepted))

    @property
    def counts(self) -> dict[str, int]:
        """Number of questions by status."""
        statuses = [self.status_of(question.id) for question in self.questions]
        return {status.value: statuses.count(status) for status in Status}

    @property
    def summary(self) -> str:
        """The counts in a sentence."""
        return ", ".join(f"{number} {name}" for name, number in self.counts.items()) + "."

    def items(self) -> list[dict[str, Any]]:
        """Return the questions for the page, with their passages in pieces."""
        return [self._item(self._edited(question)) for question in self.questions]

    def _item(self, question: Question) -> dict[str, Any]:
        origin = question.provenance
        source = self._by_id.get(origin.derived_from) if origin else None
        return {
            "id": question.id,
            "question": question.text,
            "answers": list(question.answers),
            "answerable": question.answerable,
            "category": question.category,
            "by": origin.by if origin else "",
            "derived_from": source.text if source else "",
            "status": self.status_of(question.id).value,
            **self._passage(question),
        }

    def _passage(self, question: Question) -> dict[str, Any]:
        """Return the title and the pieces of the passage: ``[text, is evidence]``."""
        place = self._place(question)
        if place is None:
            return {"title": "", "pieces": []}
        document, span = place
        marks = [e.span for e in question.evidence if e.document_id == document.id]
        title = " › ".join([document.title, *document.section_at(span)])
        return {"title": title, "pieces": list(_pieces(document.text, span, sorted(marks)))}

    def _place(self, question: Question) -> tuple[Document, Span] | None:
        if question.provenance is not None:
            document_id, span = parse_passage_id(question.provenance.passage)
        elif question.evidence:
            first = question.evidence[0]
            document_id = first.document_id
            span = Span(max(0, first.start - _CONTEXT), first.end + _CONTEXT)
        else:
            return None
        document = self._documents.get(document_id)
        if document is None:
            return None
        return document, Span(span.start, min(span.end, len(document.text)))

    def _edited(self, question: Question) -> Question:
        decision = self._decisions.get(question.id)
        if decision is None:
            return question
        answers = question.answers if decision.answers is None else decision.answers
        return replace(question, text=decision.question or question.text, answers=answers)

    def _check(self, decision: Decision) -> None:
        question = self._by_id.get(decision.id)
        if question is None:
            raise InputError(f"there is no question {decision.id!r} in the proposals.")
        if decision.status is not Status.ACCEPTED:
            return
        text, evidence = decision.question or question.text, [e.quote for e in question.evidence]
        for answer in decision.answers or ():
            if evidence and not contains("\n".join(evidence), [answer]):
                raise InputError(f"the answer {answer!r} does not stand in the marked sentence.")
            if contains(text, [answer]):
                raise InputError(f"the question contains its answer {answer!r}.")

    def _load_decisions(self) -> None:
        if not self._journal.exists():
            return
        lines = self._journal.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                decision = Decision.from_dict(json.loads(line))
            except ValueError as error:  # InputError is one, too
                raise InputError(
                    f"{self._journal}, line {number}, is not a decision ({error}). Remove the line."
                ) from error
            if decision.id in self._by_id:
                self._decisions[decision.id] = decision

    def _wrote(self, out: Path) -> bool:
        """Return whether a file has just the questions that this review accepted."""
        try:
            return load_questions(out).checksum == self.accepted.checksum
        except InputError:
            return False

    def _save(self) -> None:
        """Write the accepted questions, whole or not at all."""
        temporary = self.out.with_name(f".{self.out.name}.tmp")
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            save_questions(self.accepted, temporary)
            temporary.replace(self.out)
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be written: {error.strerror or error}. Choose another path."
            ) from error


def _pieces(text: str, span: Span, marks: Sequence[Span]) -> Iterator[tuple[str, bool]]:
    """Yield the text of a span in pieces, each with whether it is marked."""
    position = span.start
    for mark in marks:
        start, end = max(mark.start, position), min(mark.end, span.end)
        if start < end:
            yield text[position:start], False
            yield text[start:end], True
            position = end
    yield text[position : span.end], False
