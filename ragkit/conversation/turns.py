"""Turn: what a conversation remembers of one question and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ragkit.answering.answer import Answer
from ragkit.answering.cited import cited_passages
from ragkit.citations.passage_ids import format_passage_id

__all__ = ["Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation.

    Attributes:
        question: the question as asked.
        standalone: the question as understood, including what it refers to.
        section: heading path of the answer's first passage; empty if there was no answer.
        answer: the words that answered, as ``Answer.text``; empty if there was no answer.
        passage: id of the passage that answered, for ``Index.cite``; empty if there was none.
        quote: id of the sentences in it that answered.
        short: id of the words in it that answered; empty if there were none.
        confidence: the answer's, 0–1.

    """

    question: str
    standalone: str
    section: tuple[str, ...]
    answer: str = ""
    passage: str = ""
    quote: str = ""
    short: str = ""
    confidence: float = 0.0

    @classmethod
    def of(cls, answer: Answer) -> Turn:
        """Return what is remembered of an answer."""
        if not answer.answered:
            return cls(answer.question, answer.standalone, ())
        passage = (cited_passages(answer) or answer.passages)[0]
        citation = passage.citation
        return cls(
            answer.question,
            answer.standalone,
            answer.passages[0].citation.section,
            answer.text,
            citation.passage_id,
            format_passage_id(citation.document_id, passage.highlights[0]),
            format_passage_id(citation.document_id, passage.phrase) if passage.phrase else "",
            answer.confidence,
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready, for ``from_dict``."""
        return {**asdict(self), "section": list(self.section)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Turn:
        """Return the turn that ``to_dict`` described; TypeError or KeyError if it is none."""
        turn = cls(
            content["question"],
            content["standalone"],
            tuple(map(str, content["section"])),
            content.get("answer", ""),  # older versions did not remember it, nor what follows
            content.get("passage", ""),
            content.get("quote", ""),
            content.get("short", ""),
            content.get("confidence", 0.0),
        )
        texts = (turn.question, turn.standalone, turn.answer, turn.passage, turn.quote, turn.short)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("all fields but section and confidence must be strings")
        if not isinstance(turn.confidence, (int, float)):
            raise TypeError("confidence must be a number")
        return turn
