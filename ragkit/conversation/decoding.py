"""What the turn model says of each word → the standalone question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.conversation.edits import AFTER, BEFORE, Edits, Insertion, edited, question_words
from ragkit.conversation.tokens import LaidOut

__all__ = ["TurnScores", "Understood", "understood"]

Logits = NDArray[np.float32]
_LONGEST = 40  # tokens of what is inserted
_PER_TOKEN = 0.15
"""Taken from a span's score for each further token: of two names nearly as likely, the best
beginning may be that of one, and the best end that of the other."""
_CONNECTING = frozenset(
    "of in to for by about on with after from at during between against".split()
)
_STUMBLES = re.compile(rf"\b(?:{'|'.join(sorted(_CONNECTING))}) (?:of|to|for|by|the the)\b", re.I)
"""What no question has: one connecting word right after another."""

_DROPPED = frozenset(
    "and so but ok okay also then well now no yes oh hmm right great cool thanks".split()
)


class TurnScores(NamedTuple):
    """Logits of one turn.

    Attributes:
        removed: ``(t,)`` whether a word is left out.
        inserted: ``(t, 1 + len(BEFORE))``: nothing in front of the word, or something behind these
            connecting words.
        after: ``(t, len(AFTER))`` what follows it.
        first: ``(t, h)`` where it begins in what was said.
        last: ``(t, h)`` where it ends.
        kind: ``(kinds,)`` which remark the turn is.

    """

    removed: Logits
    inserted: Logits
    after: Logits
    first: Logits
    last: Logits
    kind: Logits


@dataclass(frozen=True, slots=True)
class Understood:
    """A turn as understood.

    Attributes:
        standalone: its wording by itself.
        alone: the chance, 0–1, that it needs nothing of what was said.

    """

    standalone: str
    alone: float


def understood(
    question: str, history: Sequence[str], laid: LaidOut, scores: TurnScores
) -> Understood:
    """Return the question that the scores make of a turn."""
    if not laid.earlier:
        return Understood(question, 1.0)
    spans = question_words(question)
    count = len(laid.words) - 1
    insertions = tuple(_once(_insertions(history, laid, scores, len(spans))))
    removed = {n for n in range(count) if scores.removed[laid.words[n]] > 0}
    filled = {insertion.at for insertion in insertions}
    words = [question[slice(*span)].casefold() for span in spans]
    dropped = frozenset(_droppable(removed, filled, words))
    standalone = edited(question, Edits(dropped, insertions))
    is_whole = (insertions or len(dropped) < len(spans)) and not _STUMBLES.search(standalone)
    return Understood(standalone if is_whole else question, _chance_alone(laid, scores))


def _chance_alone(laid: LaidOut, scores: TurnScores) -> float:
    """The chance that nothing is inserted at the word where that is least likely."""
    shares = np.exp(scores.inserted[laid.words])
    return float((shares[:, 0] / shares.sum(axis=1)).min())


def _insertions(
    history: Sequence[str], laid: LaidOut, scores: TurnScores, end: int
) -> Iterator[Insertion]:
    for number, token in enumerate(laid.words):
        choice = int(scores.inserted[token].argmax())
        if choice == 0:
            continue
        place = _best_place(laid, scores.first[token], scores.last[token])
        if place is None:
            continue
        utterance, span = place
        text = _ends_stripped(history[utterance][slice(*span)], BEFORE[choice - 1])
        if not any(map(str.isalnum, text)):
            continue
        at = number if number < len(laid.words) - 1 else end
        after = AFTER[int(scores.after[token].argmax())]
        yield Insertion(at, text, BEFORE[choice - 1], after)


def _ends_stripped(text: str, before: str) -> str:
    """The words without marks at their end, nor connecting words if there are others in front."""
    text = text.strip(".?!,;: ")
    head, _, rest = text.partition(" ")
    if before and rest and head.casefold() in _CONNECTING | set(before.split()):
        return _ends_stripped(rest, before)
    return text


def _once(insertions: Iterator[Insertion]) -> Iterator[Insertion]:
    """Each text where it is put in first."""
    seen: set[str] = set()
    for insertion in insertions:
        if insertion.text.casefold() not in seen:
            yield insertion
        seen.add(insertion.text.casefold())


def _best_place(laid: LaidOut, first: Logits, last: Logits) -> tuple[int, tuple[int, int]] | None:
    """The utterance and its span with the highest sum of scores, within one utterance."""
    best: tuple[float, int, int] | None = None
    for begin in np.argsort(-first[: len(laid.earlier)])[:8]:
        for end in range(begin, min(begin + _LONGEST, len(laid.earlier))):
            if laid.of[end] is None:
                break
            score = float(first[begin] + last[end]) - _PER_TOKEN * (end - begin)
            if best is None or score > best[0]:
                best = score, int(begin), end
    if best is None:
        return None
    opening, closing = laid.of[best[1]], laid.of[best[2]]
    if opening is None or closing is None:
        return None
    return opening[0], (opening[1].start, closing[1].end)


def _droppable(removed: set[int], filled: set[int], words: Sequence[str]) -> Iterator[int]:
    """Words that something stands for, or that merely join the turn to the one before."""
    for run in _runs(sorted(removed)):
        if filled & set(range(run[0], run[-1] + 2)):
            yield from run
        elif run[0] == 0:
            yield from takewhile(lambda n: words[n] in _DROPPED or words[n] == ",", run)


def _runs(numbers: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run
