"""The question set: what is asked, where the answer stands, and how it is kept in a file.

Gold is a span of a document, never a chunk id, so a set survives any re-chunking. The native file
is JSON Lines, a question a line (or a conversation, with ``turns``); see ``eval/README.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ragkit.errors import InputError
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = ["Evidence", "Question", "QuestionSet", "load_questions", "resolve", "save_questions"]

SPLITS = ("dev", "test")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where an answer stands: ``document.text[start:end] == quote``.

    Evidence of one ``part`` is interchangeable (the same fact stated twice); of different parts,
    all are needed. ``relevance`` is a grade, 1 unless the set has grades.
    """

    document_id: str
    start: int
    end: int
    quote: str
    part: int = 0
    relevance: int = 1

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold. ``text`` is what is asked.

    A turn of the conversation called ``conversation`` is kept under its ``standalone`` wording;
    ``asked`` is then what the person typed. ``must_pass`` questions fail the gate as soon as their
    passage is not first.
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

    @property
    def parts(self) -> tuple[int, ...]:
        """The numbers of the parts that are needed, in order."""
        return tuple(sorted({evidence.part for evidence in self.evidence}))


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions under a name, in a fixed order, with unique ids."""

    name: str
    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for question in self.questions:
            if question.id in seen:
                raise InputError(
                    f"two questions of {self.name} have the id {question.id!r}; ids are unique."
                )
            seen.add(question.id)

    @property
    def checksum(self) -> str:
        """sha256 over all that is measured against; the set's name is left out."""
        content = json.dumps([_to_dict(q) for q in self.questions], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def of_split(self, split: str | None) -> QuestionSet:
        """The questions of one split, or all of them for None."""
        if split is None:
            return self
        kept = tuple(q for q in self.questions if q.split == split)
        if not kept:
            raise InputError(
                f"{self.name} has no question of the split {split!r}; it has "
                f"{sorted({q.split for q in self.questions})}."
            )
        return QuestionSet(f"{self.name} ({split})", kept)

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)


def load_questions(path: Path, documents: Mapping[str, Document] | None = None) -> QuestionSet:
    """The set in a native file. With ``documents``, evidence given by quote alone is resolved.

    Raises InputError naming the line for anything that is not a question.
    """
    questions: list[Question] = []
    for number, line in _lines(path):
        try:
            questions += _from_line(json.loads(line), number)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}, line {number}, is no question ({type(error).__name__}: {error}); "
                f'expected an object with "id", "question", "answerable", "answers" and "evidence".'
            ) from error
    found = QuestionSet(path.stem, tuple(questions))
    return resolve(found, documents) if documents is not None else found


def save_questions(questions: QuestionSet, path: Path) -> None:
    """Write a native file, a question a line."""
    lines = (json.dumps(_to_dict(question), ensure_ascii=False) for question in questions)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def resolve(questions: QuestionSet, documents: Mapping[str, Document]) -> QuestionSet:
    """Give a span to each quote that has none, where it stands exactly once in its document."""
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


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the question set {path} cannot be read: {error}.") from error
    lines = text.split("\n")
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _from_line(content: Mapping[str, Any], number: int) -> list[Question]:
    name = str(content.get("id", f"line-{number}"))
    if "turns" not in content:
        return [_question(content, name)]
    common = {"split": content.get("split", "test"), "conversation": name}
    return [
        _question({**turn, **common}, f"{name}-{i}")
        for i, turn in enumerate(content["turns"], start=1)
    ]


def _question(content: Mapping[str, Any], name: str) -> Question:
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
        raise TypeError("question is a string, answerable true or false, answers and section lists")
    return Question(
        id=name,
        text=str(content.get("standalone", asked)),
        answerable=bool(content["answerable"]),
        answers=tuple(map(str, answers)),
        evidence=tuple(_evidence(item) for item in content.get("evidence", ())),
        category=str(content.get("category", "")),
        section=tuple(map(str, section)),
        split=split,
        must_pass=bool(content.get("must_pass", False)),
        asked=asked if "standalone" in content else None,
        conversation=content.get("conversation"),
    )


def _evidence(content: Mapping[str, Any]) -> Evidence:
    start = int(content.get("start", -1))
    quote = str(content["quote"])
    if not quote or int(content.get("relevance", 1)) < 1:
        raise ValueError("evidence has an empty quote, or a relevance under 1")
    return Evidence(
        document_id=str(content["document_id"]),
        start=start,
        end=int(content.get("end", start + len(quote) if start >= 0 else -1)),
        quote=quote,
        part=int(content.get("part", 0)),
        relevance=int(content.get("relevance", 1)),
    )


def _to_dict(question: Question) -> dict[str, Any]:
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
