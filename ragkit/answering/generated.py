"""What a language model wrote, sentence by sentence, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["GOOD", "Generated", "Sentence", "Support"]


class Support(StrEnum):
    """What a language model's sentence is worth, by the passages it was given.

    Verbatim: its words stand there as they are. Supported: its names, numbers and nearly all its
    words do, none denied. Misattributed: not in the passages it names, but in another.
    Contradicted: its words stand in them, but put together otherwise, as the reader found.
    Unsupported: in none. What this cannot tell, says ``grounding/support.py``.
    """

    VERBATIM = "verbatim"
    SUPPORTED = "supported"
    MISATTRIBUTED = "misattributed"
    CONTRADICTED = "contradicted"
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
