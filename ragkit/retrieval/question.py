"""What may be asked: a question is cleaned of layout only, or refused with the reason."""

from __future__ import annotations

import unicodedata

from ragkit.errors import InputError, QuestionError

__all__ = ["MAX_QUESTION", "check_k", "check_threshold", "clean_question"]

MAX_QUESTION = 4_000
"""Code points. Far more than anyone asks; a pasted document is not a question."""


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
    if not any(unicodedata.category(c)[0] not in "ZC" for c in cleaned):
        raise QuestionError("the question is blank; expected some words. Ask something.")
    return cleaned


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
