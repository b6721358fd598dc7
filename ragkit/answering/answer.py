"""Answer: what the corpus says to a question, with its passages as proof."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ragkit.answering import render
from ragkit.answering.generated import Generated
from ragkit.answering.passage import Passage, explain_passages

__all__ = ["Abstention", "Answer"]


class Abstention(StrEnum):
    """Why an answer was not given."""

    EMPTY_CORPUS = "empty corpus"
    FILTERED = "no document fulfils the conditions"
    LOW_CONFIDENCE = "nothing matches closely enough"
    UNSUPPORTED = "the language model said nothing that the passages support"
    REFUSED = "the language model refused"


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
        return explain_passages(self.passages)

    def to_markdown(self) -> str:
        """The answer and its numbered citations, as CommonMark; corpus text is escaped."""
        return render.to_markdown(self._markdown_head(), self.passages)

    def _repr_html_(self) -> str:
        return render.to_html(self._head(), self.passages)

    def __str__(self) -> str:
        return render.to_text(self._head(), self.passages)

    def _head(self) -> str:
        return self.text if self.answered else render.abstention(self.reason)

    def _markdown_head(self) -> str:
        if self.generated is None and self.answered:
            return render.escape_markdown(self.text) + " [1]"
        sentences = self.generated.sentences if self.generated else ()
        kept = " ".join(render.sentence_markdown(one) for one in sentences if one.kept)
        if self.answered:
            return kept
        return "\n\n".join(filter(None, [kept, render.abstention(self.reason)]))
