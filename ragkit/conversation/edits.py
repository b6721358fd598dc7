"""Edits: how a question is changed so that it stands alone.

Most questions that people write anew to stand alone keep their words; some are left out ("it",
"and") and some are added from what was said before. So an edited question is the question with
words removed and spans of the conversation inserted, as in incomplete utterance rewriting (Liu et
al. 2020, arXiv:2009.13166), and can say nothing that was not said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragkit.text.spans import Span

__all__ = ["AFTER", "BEFORE", "Edits", "Insertion", "edited", "question_words"]

BEFORE = (
    "", "of", "the", "in", "to", "for", "by", "about", "on", "with", "after", "from", "of the",
    "in the", "at", "during", "between", "against", "than", "besides", "a", "did", "was",
)  # fmt: skip
"""The words that may connect an insertion with the words before it."""

AFTER = ("", "'s", ",")
"""What may follow an insertion."""

_WORD = re.compile(r"['’]s\b|\w+(?:[-.]\w+)*|[^\w\s]")
_LOWERED = frozenset(
    "the a an his her its their this that these those in on at during after".split()
)


@dataclass(frozen=True, slots=True)
class Insertion:
    """Words put into a question.

    Attributes:
        at: the word in front of which they stand; the number of words for the end.
        text: the words, as they were said before.
        before: what connects them with the words before, one of ``BEFORE``.
        after: what follows them, one of ``AFTER``.

    """

    at: int
    text: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Edits:
    """What is left out of a question, by the numbers of its words, and what is put into it."""

    removed: frozenset[int] = frozenset()
    insertions: tuple[Insertion, ...] = ()


def question_words(question: str) -> list[Span]:
    """Return the spans of the words and punctuation marks that edits count.

    >>> [tuple(span) for span in question_words("Who's he?")]
    [(0, 3), (3, 5), (6, 8), (8, 9)]
    """
    return [Span(*match.span()) for match in _WORD.finditer(question)]


def edited(question: str, edits: Edits) -> str:
    """Return the question with the edits made.

    >>> edited("and who signed it?", Edits(frozenset({0, 3}), (Insertion(3, "The treaty"),)))
    'who signed the treaty?'
    """
    text = " ".join(_joined(question, edits).split())
    return text[:1].upper() + text[1:] if question[:1].isupper() else text


def _joined(question: str, edits: Edits) -> str:
    spans = question_words(question)
    inserted = {insertion.at: insertion for insertion in edits.insertions}
    parts: list[str] = []
    for number, span in enumerate(spans):
        word = question[slice(*span)]
        if number in inserted:
            parts.append(_inserted(inserted[number], first=not parts))
        if number in edits.removed:
            continue
        in_place = number > 0 and not {number, number - 1} & (edits.removed | inserted.keys())
        touches = number > 0 and span.start == spans[number - 1].end
        parts.append(word if touches and (in_place or not word[0].isalnum()) else f" {word}")
    if len(spans) in inserted:
        parts.append(_inserted(inserted[len(spans)], first=not parts))
    return "".join(parts)


def _inserted(insertion: Insertion, *, first: bool) -> str:
    text = insertion.text
    head, blank, rest = text.partition(" ")
    if head.casefold() in _LOWERED and not first:
        text = head.lower() + blank + rest
    return f" {insertion.before} {text}{insertion.after}"
