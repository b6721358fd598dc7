"""Turn: what a conversation remembers of one question and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ragkit.answering.answer import Answer

__all__ = ["Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation.

    Attributes:
        question: the question as asked.
        standalone: the question as understood, including what it refers to.
        section: heading path of the answer's first passage; empty if there was no answer.
        answer: the words that answered, as ``Answer.text``; empty if there was no answer.

    """

    question: str
    standalone: str
    section: tuple[str, ...]
    answer: str = ""

    @classmethod
    def of(cls, answer: Answer) -> Turn:
        """Return what is remembered of an answer."""
        section = answer.passages[0].citation.section if answer.answered else ()
        return cls(answer.question, answer.standalone, section, answer.text)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready, for ``from_dict``."""
        return {**asdict(self), "section": list(self.section)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Turn:
        """Return the turn that ``to_dict`` described; TypeError or KeyError if it is none."""
        question, standalone = content["question"], content["standalone"]
        section, answer = content["section"], content.get("answer", "")
        if not all(isinstance(text, str) for text in (question, standalone, answer)):
            raise TypeError("question, standalone and answer must be strings")
        return cls(question, standalone, tuple(map(str, section)), answer)
