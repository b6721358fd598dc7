"""A question and the same as people wrote it to stand alone → the edits between them.

What an edit inserts must have been said: each run of new words is the longest run of the
conversation inside it, with the words that connect it. Where that fails nothing is learned from
the place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragkit.conversation.edits import AFTER, BEFORE, question_words
from ragkit.text.spans import Span

CONNECTING = frozenset(
    "of the in for about to by from with on at a an 's than as and or is was were did do does that "
    "which who when after before during between besides other".split()
)
_AS = {
    "other than": "besides", "aside from": "besides", "in addition to": "besides",
    "besides the": "besides", "aside from the": "besides", "other than the": "besides",
    "in addition to the": "besides", "besides being": "besides", ", besides": "besides",
    ", aside from": "besides", "about the": "about", "for the": "for", "to the": "to",
    "on the": "on", "in regards to": "about", "regarding": "about", "as": "", "an": "a",
    "by the": "by", "with the": "with", "from the": "from", "after the": "after",
    "do": "did", "does": "did", "were": "was", "is": "was",
}  # fmt: skip


Utterance = tuple[list[str], list[Span]]
"""An utterance's words and where they stand."""


@dataclass(frozen=True)
class Place:
    """Words of the conversation, and every place where they stand: (utterance, begin, end)."""

    spans: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Inserted:
    """``of``: the words of the conversation; ``at``: before which word of the question."""

    at: int
    before: int
    after: int
    of: Place


@dataclass(frozen=True)
class Aligned:
    """What is to be learned; ``unknown``: words of the question of which nothing is."""

    removed: frozenset[int]
    inserted: tuple[Inserted, ...]
    unknown: frozenset[int]


def words(text: str) -> list[str]:
    return [text[slice(*span)].casefold().replace("’", "'") for span in question_words(text)]


def align(question: str, rewrite: str, history: Sequence[str]) -> Aligned:
    """The edits that make ``rewrite`` of ``question``."""
    old, new = words(question), words(rewrite)
    said = [(words(text), question_words(text)) for text in history]
    removed: set[int] = set()
    unknown: set[int] = set()
    inserted: list[Inserted] = []
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for kind, a, b, x, y in steps:
        if kind == "equal":
            continue
        if x == y:  # words left out
            removed.update(range(a, b))
            continue
        one = _inserted(a, new[x:y], said)
        if one is None:
            unknown.update(range(a, b + 1))
            continue
        inserted.append(one)
        removed.update(range(a, b))
    return Aligned(frozenset(removed), tuple(inserted), frozenset(unknown))


def _inserted(at: int, run: list[str], said: Sequence[Utterance]) -> Inserted | None:
    for begin, end in _parts(len(run)):
        part = run[begin:end]
        if all(word in CONNECTING or not word[0].isalnum() for word in part):
            continue
        spans = tuple(_places(part, said))
        if spans:
            before = _before(run[:begin])
            after = _after(run[end:])
            return Inserted(at, before, after, Place(spans))
    return None


def _parts(length: int) -> Iterator[tuple[int, int]]:
    """Parts of a run, the longest first."""
    for size in range(length, 0, -1):
        for begin in range(length - size + 1):
            yield begin, begin + size


def _places(part: list[str], said: Sequence[Utterance]) -> Iterator[tuple[int, int, int]]:
    size = len(part)
    for number, (own, spans) in enumerate(said):
        for begin in range(len(own) - size + 1):
            if own[begin : begin + size] == part:
                yield number, spans[begin].start, spans[begin + size - 1].end


def _before(run: list[str]) -> int:
    text = " ".join(run).strip()
    text = _AS.get(text, text)
    return BEFORE.index(text) if text in BEFORE else 0


def _after(run: list[str]) -> int:
    first = run[0] if run else ""
    first = "'s" if first == "'" else first
    return AFTER.index(first) if first in AFTER else 0
