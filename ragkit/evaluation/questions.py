"""Question sets: questions with gold evidence, and their JSON Lines files.

Gold is a span of a document, never a chunk id: a change of the chunker leaves it valid. Each line
of a file is a question, or a conversation with ``turns``; ``eval/README.md`` lists the fields.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ragkit.errors import InputError
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = [
    "Evidence",
    "Provenance",
    "Question",
    "QuestionSet",
    "load_questions",
    "question_dict",
    "resolve",
    "save_questions",
]

SPLITS = ("dev", "test")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span that answers a question: ``document.text[start:end] == quote``.

    Attributes:
        document_id: id of the document.
        start: first code point of the quote; -1 if the quote is not resolved yet.
        end: one past its last code point.
        quote: the text of the span.
        part: number of the part it belongs to. Any evidence of a part will do (the same fact
            stated twice); every part is needed.
        relevance: grade, at least 1.

    """

    document_id: str
    start: int
    end: int
    quote: str
    part: int = 0
    relevance: int = 1

    @property
    def span(self) -> Span:
        """``Span(start, end)``."""
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who proposed a question, and from what.

    Attributes:
        by: the template (``template date``) or the name of the language model.
        passage: id of the passage that it is about, ``DOCUMENT#START-END``.
        derived_from: of a near-miss, the id of the answerable question that it was derived from;
            else empty.

    """

    by: str
    passage: str
    derived_from: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold.

    Attributes:
        id: id, unique in a set.
        text: the question; of a turn of a conversation, its standalone wording.
        answerable: whether the corpus answers it.
        answers: short gold answers, any of which is right.
        evidence: the spans that answer it.
        category: free label by which reports group.
        section: heading path of the first evidence.
        split: ``dev`` (for tuning) or ``test`` (only measured).
        must_pass: whether the gate fails unless the first passage holds evidence (or, if
            unanswerable, unless the library abstains).
        asked: of a turn, what the person typed; else None.
        conversation: of a turn, the id of its conversation; else None.
        provenance: of a proposed question, where it comes from; None if a person wrote it.

    """

    id: str
    text: str
    answerable: bool
    answers: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    category: str = ""
    section: tuple[str, ...] = ()
    split: str = "test"
    must_pass: bool = False
    asked: str | None = None
    conversation: str | None = None
    provenance: Provenance | None = None

    @property
    def parts(self) -> tuple[int, ...]:
        """The numbers of the parts of evidence, ascending."""
        return tuple(sorted({evidence.part for evidence in self.evidence}))


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions in a fixed order.

    Attributes:
        name: name of the set, for reports.
        questions: the questions, with unique ids.

    """

    name: str
    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for question in self.questions:
            if question.id in seen:
                raise InputError(
                    f"two questions of {self.name} have the id {question.id!r}; ids must be unique."
                )
            seen.add(question.id)

    @property
    def checksum(self) -> str:
        """SHA-256 of all questions and their gold, without the name of the set."""
        content = json.dumps([question_dict(q) for q in self.questions], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def of_split(self, split: str | None) -> QuestionSet:
        """Return the questions of one split, or all if ``split`` is None.

        Raises:
            InputError: no question has this split.

        """
        if split is None:
            return self
        chosen = tuple(q for q in self.questions if q.split == split)
        if not chosen:
            raise InputError(
                f"{self.name} has no question of the split {split!r}; it has "
                f"{sorted({q.split for q in self.questions})}."
            )
        return QuestionSet(f"{self.name} ({split})", chosen)

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)


def load_questions(path: Path, documents: Mapping[str, Document] | None = None) -> QuestionSet:
    """Load a question set from a JSON Lines file.

    Args:
        path: the file, UTF-8.
        documents: the corpus by document id. With it, quotes without a span are resolved.

    Raises:
        InputError: the file cannot be read, or a line is not a question; the error names the line.

    """
    questions: list[Question] = []
    for number, line in _numbered_lines(path):
        try:
            questions += _questions_from(json.loads(line), number)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}, line {number}, is not a question ({type(error).__name__}: {error}); "
                f'expected an object with "id", "question", "answerable", "answers" and "evidence".'
            ) from error
    loaded = QuestionSet(path.stem, tuple(questions))
    return resolve(loaded, documents) if documents is not None else loaded


def save_questions(questions: QuestionSet, path: Path) -> None:
    """Write a question set as JSON Lines, each question on a line."""
    lines = (json.dumps(question_dict(question), ensure_ascii=False) for question in questions)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def resolve(questions: QuestionSet, documents: Mapping[str, Document]) -> QuestionSet:
    """Return the set with a span for each quote that had none.

    A quote that does not occur exactly once in its document stays without a span; ``lint`` reports
    it.
    """
    resolved = (
        replace(question, evidence=tuple(_resolved(e, documents) for e in question.evidence))
        for question in questions
    )
    return QuestionSet(questions.name, tuple(resolved))


def _resolved(evidence: Evidence, documents: Mapping[str, Document]) -> Evidence:
    document = documents.get(evidence.document_id)
    if evidence.start >= 0 or document is None or document.text.count(evidence.quote) != 1:
        return evidence
    start = document.text.index(evidence.quote)
    return replace(evidence, start=start, end=start + len(evidence.quote))


def _numbered_lines(path: Path) -> Iterable[tuple[int, str]]:
    if not path.exists():
        raise InputError(
            f"there is no question set at {path}; expected a file with a JSON object for each "
            f"question. Run this in the folder that has it, or name it: `ragkit eval --set FILE`"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the question set {path} cannot be read: {error}.") from error
    lines = text.split("\n")
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _questions_from(content: Mapping[str, Any], number: int) -> list[Question]:
    name = str(content.get("id", f"line-{number}"))
    if "turns" not in content:
        return [_question_from(content, name)]
    common = {"split": content.get("split", "test"), "conversation": name}
    return [
        _question_from({**turn, **common}, f"{name}-{i}")
        for i, turn in enumerate(content["turns"], start=1)
    ]


def _question_from(content: Mapping[str, Any], name: str) -> Question:
    split = str(content.get("split", "test"))
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {SPLITS}")
    asked = content["question"]
    answers, section = content.get("answers", []), content.get("section", [])
    if not (
        isinstance(asked, str)
        and isinstance(content["answerable"], bool)
        and isinstance(answers, (list, tuple))
        and isinstance(section, (list, tuple))
    ):
        raise TypeError(
            "expected a string as question, true or false as answerable, and lists as answers and "
            "section"
        )
    return Question(
        id=name,
        text=str(content.get("standalone", asked)),
        answerable=bool(content["answerable"]),
        answers=tuple(map(str, answers)),
        evidence=tuple(_evidence_from(item) for item in content.get("evidence", ())),
        category=str(content.get("category", "")),
        section=tuple(map(str, section)),
        split=split,
        must_pass=bool(content.get("must_pass", False)),
        asked=asked if "standalone" in content else None,
        conversation=content.get("conversation"),
        provenance=Provenance(**content["provenance"]) if "provenance" in content else None,
    )


def _evidence_from(content: Mapping[str, Any]) -> Evidence:
    start = int(content.get("start", -1))
    quote = str(content["quote"])
    if not quote or int(content.get("relevance", 1)) < 1:
        raise ValueError("evidence has an empty quote, or a relevance below 1")
    return Evidence(
        document_id=str(content["document_id"]),
        start=start,
        end=int(content.get("end", start + len(quote) if start >= 0 else -1)),
        quote=quote,
        part=int(content.get("part", 0)),
        relevance=int(content.get("relevance", 1)),
    )


def question_dict(question: Question) -> dict[str, Any]:
    """Return a question as a line of a question set has it."""
    content: dict[str, Any] = {"id": question.id, "split": question.split}
    content["question"] = question.text if question.asked is None else question.asked
    if question.asked is not None:
        content["standalone"] = question.text
    if question.conversation is not None:
        content["conversation"] = question.conversation
    content |= {
        "category": question.category,
        "section": list(question.section),
        "answerable": question.answerable,
        "answers": list(question.answers),
        "evidence": [_evidence_to_dict(evidence) for evidence in question.evidence],
    }
    if question.provenance is not None:
        content["provenance"] = asdict(question.provenance)
    return content | ({"must_pass": True} if question.must_pass else {})


def _evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    content: dict[str, Any] = {
        "document_id": evidence.document_id,
        "start": evidence.start,
        "end": evidence.end,
        "quote": evidence.quote,
        "part": evidence.part,
    }
    return content | ({"relevance": evidence.relevance} if evidence.relevance != 1 else {})
