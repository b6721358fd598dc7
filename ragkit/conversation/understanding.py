"""A turn and the turns before it → what it asks, by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ragkit.answering.answer import Remark
from ragkit.conversation.ellipsis import completed
from ragkit.conversation.turn_model import load_turn_model
from ragkit.conversation.turns import Turn
from ragkit.retrieval import MAX_QUESTION
from ragkit.text.languages import language_of
from ragkit.types import Said

__all__ = ["Understanding", "understand"]

_LANGUAGE = "en"
_ENGLISH = frozenset(
    "the a an of and to is are was were that it its for with by as from be has have had which "
    "what who whom whose when where why how do does did can could would should will i you your "
    "he his him she her they them their this these there then one ones another other others "
    "about any much many long old again more shorter short brief please thanks thank thx ty "
    "cheers hello hi hey bye goodbye morning evening night welcome help source sources says say "
    "said repeat sorry pardon sure tell elaborate explain cite proof evidence before after too "
    "also not yes ok okay later see cu lol pls plz tysm good fewer words sentence sentences "
    "tldr gist summarise summarize keep going quit helo english german french spanish italian "
    "chinese great cool nice perfect understood got".split()
)
_STANDS_ALONE = 0.8
_IN_FRONT, _LAST_WEIGHT, _DECAY = 3, 0.2, 0.5  # turns, and what their words weigh
_MAX_SHORT = 3
"""Most words of a question that is too short to stand alone, in a language that is not read."""


class Understanding(NamedTuple):
    """What a turn asks.

    Attributes:
        standalone: the question by itself; None where the model cannot say it: in a language that
            it does not read, or where it lacks words and none are found.
        remark: which remark the turn is; None if it is a question.
        before: what to encode in front of the question, if it may need what was said.

    """

    standalone: str | None
    remark: Remark | None = None
    before: tuple[Said, ...] = ()


def understand(turns: Sequence[Turn], question: str) -> Understanding:
    """Return what a turn asks, given the turns before it, oldest first."""
    if not _is_readable(question):
        is_short = len(question.split()) <= _MAX_SHORT
        return Understanding(None, before=_in_front(turns) if is_short else ())
    whole = completed([turn.standalone for turn in turns], question)
    if whole is not None and len(whole) <= MAX_QUESTION:
        return Understanding(whole, before=_in_front(turns))
    earlier = [text for turn in turns for text in (turn.standalone, turn.answer) if text]
    understood, remark = load_turn_model().understand(question, earlier)
    if understood.alone >= _STANDS_ALONE:
        return Understanding(understood.standalone, remark)
    is_reworded = _has_more_words(understood.standalone, question)
    return Understanding(understood.standalone if is_reworded else None, remark, _in_front(turns))


def _has_more_words(standalone: str, question: str) -> bool:
    added = set(_words(standalone)) - set(_words(question))
    return bool(added) and len(standalone) <= MAX_QUESTION


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:-\w+)*", text.casefold())


def _is_readable(question: str) -> bool:
    """Whether a turn is English: it has a word that shows it, and none that shows another."""
    if language_of(question) not in {_LANGUAGE, None}:
        return False
    return not _ENGLISH.isdisjoint(_words(question))


def _in_front(turns: Sequence[Turn]) -> tuple[Said, ...]:
    """What was said before, as it was said, each with its weight."""
    if not turns:
        return ()
    turns = turns[-_IN_FRONT:]
    ages = range(len(turns) - 1, -1, -1)
    history = [
        Said(turn.question, _LAST_WEIGHT * _DECAY**age)
        for turn, age in zip(turns, ages, strict=True)
    ]
    headings = ". ".join(turns[-1].section)
    return (*history, Said(f"{headings}.", 0.0)) if headings else tuple(history)
