"""Replies to turns that ask the conversation, not the documents, for something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragkit.answering.answer import Abstention, Answer, Passage, Remark

__all__ = ["MOST_TITLES", "needs_answer", "reply_about", "reply_alone"]

_ABOUT_ANSWER = frozenset(
    {Remark.REPEAT, Remark.SHORTER, Remark.LONGER, Remark.SOURCE, Remark.LANGUAGE}
)
_NO_ANSWER = "The last question has no answer: the documents do not say it."
_NO_ANSWER_YET = "There is no answer yet. Ask a question first."
_SENTENCES = {
    Remark.THANKS: "You are welcome.",
    Remark.GOODBYE: "Goodbye.",
}
MOST_TITLES = 3
"""Of how many documents the titles are named."""


def needs_answer(remark: Remark) -> bool:
    """Return whether a remark is about the answer before it."""
    return remark in _ABOUT_ANSWER


def reply_alone(question: str, remark: Remark, titles: Sequence[str], documents: int) -> Answer:
    """Reply to a remark without any passage.

    Args:
        question: the turn.
        remark: what it is.
        titles: of the first documents.
        documents: how many there are.

    """
    if needs_answer(remark):
        reply = _NO_ANSWER_YET
    elif remark is Remark.GREETING:
        reply = f"Hello. Ask me about {_subject(titles, documents)}."
    elif remark is Remark.HELP:
        reply = (
            f"I answer questions about {_subject(titles, documents)}, with the passages that say "
            f"it. A question may refer to the ones before it, such as “and when?”."
        )
    else:
        reply = _SENTENCES[remark]
    return Answer(
        question, False, "", 0.0, reason=Abstention.NO_QUESTION, remark=remark, reply=reply
    )


def reply_about(question: str, remark: Remark, answer: Answer, earlier: str) -> Answer:
    """Reply to a remark about an answer.

    Args:
        question: the turn.
        remark: what it is.
        answer: the answer to the question before.
        earlier: its words, as they were said.

    """
    reply = _about(remark, answer, answer.passages[0], earlier) if earlier else _NO_ANSWER
    return replace(answer, question=question, remark=remark, reply=reply)


def _about(remark: Remark, answer: Answer, first: Passage, earlier: str) -> str:
    if remark is Remark.SHORTER:
        shortest = (
            answer.short.quote if answer.short else first.phrase and first.quote(first.phrase)
        )
        return shortest or earlier
    if remark is Remark.LONGER:
        return first.text
    if remark is Remark.SOURCE:
        return f"{first.citation.label}: “{' '.join(first.quote(s) for s in first.highlights)}”"
    if remark is Remark.LANGUAGE:
        return f"I quote the documents in their own language and do not translate: “{earlier}”"
    return earlier


def _subject(titles: Sequence[str], documents: int) -> str:
    if not 1 <= documents <= MOST_TITLES:
        return f"the {documents} documents here"
    *first, last = [f"“{title}”" for title in titles]
    return f"{', '.join(first)} and {last}" if first else last
