"""What may be asked: a question is cleaned of layout only, or refused with the reason."""

from __future__ import annotations

import re
import unicodedata

from ragkit.errors import InputError, QuestionError

__all__ = [
    "ASKABLE",
    "MAX_QUESTION",
    "check_k",
    "check_threshold",
    "clean_question",
    "is_askable",
]

MAX_QUESTION = 4_000
"""Code points. Far more than anyone asks; a pasted document is not a question."""


_CONTROL = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_INVISIBLE = (
    r"\x00-\x20\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")

ASKABLE = f"^[^{_CONTROL}]*[^{_INVISIBLE}][^{_CONTROL}]*$"
"""What ``clean_question`` takes, its length aside, as a pattern for schemas (ECMA 262 and Python):
no control character that is not white space, and something to see."""


def clean_question(question: object) -> str:
    """The question with runs of white space made one blank; nothing else is changed.

    Raises QuestionError if it is no string, blank, over ``MAX_QUESTION`` code points, or holds
    control characters or lone surrogates.
    """
    if not isinstance(question, str):
        raise QuestionError(
            f"the question is a {type(question).__name__}; expected a str such as "
            f"'Who signed the Treaty of Rapallo?'."
        )
    if len(question) > MAX_QUESTION:
        raise QuestionError(
            f"the question has {len(question):,} characters; expected at most {MAX_QUESTION:,}. "
            f"Ask only what you want to know."
        )
    cleaned = " ".join(question.split())
    for position, character in enumerate(cleaned):
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise QuestionError(
                f"the question holds the control character U+{ord(character):04X} at position "
                f"{position}; expected text. Remove it."
            )
    if not _VISIBLE.search(cleaned):
        raise QuestionError("the question is blank; expected some words. Ask something.")
    return cleaned


def is_askable(question: object) -> bool:
    """Whether ``clean_question`` takes it."""
    try:
        clean_question(question)
    except QuestionError:
        return False
    return True


def check_k(k: object) -> int:
    """``k``, if it is a whole number from 1 up. More than the corpus holds means all of it."""
    if isinstance(k, bool) or not isinstance(k, int):
        raise InputError(f"k is {k!r} ({type(k).__name__}); expected a whole number from 1 up.")
    if k < 1:
        raise InputError(f"k is {k}; expected 1 or more: it is how many passages are returned.")
    return k


def check_threshold(threshold: object) -> float:
    """``threshold``, if it is a number from 0 to 1."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise InputError(f"threshold is {threshold!r}; expected a number from 0 to 1.")
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; expected a confidence from 0 to 1.")
    return threshold
