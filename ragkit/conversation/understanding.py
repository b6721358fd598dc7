"""A turn and the turns before it → what it asks, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ragkit.answering.answer import Remark
from ragkit.conversation.turn_model import load_turn_model
from ragkit.conversation.turns import Turn
from ragkit.text.languages import language_of, script_of
from ragkit.types import Said

__all__ = ["Understanding", "understand"]

_LANGUAGE, _SCRIPT = "en", "LATIN"
_LAST_WEIGHT, _DECAY = 0.2, 0.5
_MAX_SHORT = 3
"""Most words of a question that is too short to stand alone, in a language that is not read."""


class Understanding(NamedTuple):
    """What a turn asks.

    Attributes:
        standalone: the question by itself.
        remark: which remark the turn is; None if it is a question.
        before: what to encode in front of the question, if the model does not read its language.

    """

    standalone: str
    remark: Remark | None = None
    before: tuple[Said, ...] = ()


def understand(turns: Sequence[Turn], question: str) -> Understanding:
    """Return what a turn asks, given the turns before it, oldest first."""
    if not _is_readable(question):
        return Understanding(question, before=_in_front(turns, question))
    said = [text for turn in turns for text in (turn.standalone, turn.answer) if text]
    understood, remark = load_turn_model().understand(question, said)
    return Understanding(understood.standalone, remark)


def _is_readable(question: str) -> bool:
    return script_of(question) in {_SCRIPT, None} and language_of(question, least=2) in {
        _LANGUAGE,
        None,
    }


def _in_front(turns: Sequence[Turn], question: str) -> tuple[Said, ...]:
    """What was said before a question too short to stand alone, each with its weight."""
    if not turns or len(question.split()) > _MAX_SHORT:
        return ()
    ages = range(len(turns) - 1, -1, -1)
    history = [
        Said(turn.question, _LAST_WEIGHT * _DECAY**age)
        for turn, age in zip(turns, ages, strict=True)
    ]
    headings = ". ".join(turns[-1].section)
    return (*history, Said(f"{headings}.", 0.0)) if headings else tuple(history)
