"""Replies to turns that ask the conversation, not the documents, for something."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.answerer import Answerer
from ragkit.answering.answer import Abstention, Answer, Passage, Remark
from ragkit.conversation.turns import Turn
from ragkit.errors import InputError
from ragkit.types import Citation, Document

__all__ = ["reply"]

_ABOUT_ANSWER = frozenset(
    {Remark.REPEAT, Remark.SHORTER, Remark.LONGER, Remark.SOURCE, Remark.LANGUAGE}
)
_NO_ANSWER = "The last question has no answer that I could come back to."
_NO_ANSWER_YET = "There is no answer yet. Ask a question first."
_CHANGED = "The documents have changed since that answer. Ask the question again."
_MOST_TITLES = 3


def reply(question: str, remark: Remark, turns: Sequence[Turn], index: Answerer) -> Answer:
    """Reply to a remark.

    Args:
        question: the turn.
        remark: what it is.
        turns: the turns before it, oldest first.
        index: what was asked.

    Returns:
        With the passage that the last answer quoted, if the remark is about that answer.

    """
    if remark not in _ABOUT_ANSWER:
        return _without_passage(question, remark, _polite(remark, index.documents))
    if not turns:
        return _without_passage(question, remark, _NO_ANSWER_YET)
    last = turns[-1]
    if not last.passage:
        return _without_passage(question, remark, _NO_ANSWER, last.standalone)
    try:
        whole, quote = index.cite(last.passage), index.cite(last.quote)
        short = index.cite(last.short) if last.short else None
    except InputError:
        return _without_passage(question, remark, _CHANGED, last.standalone)
    passage = Passage(
        whole.quote, 0.0, 1, whole, (quote.span,), phrase=None if short is None else short.span
    )
    return Answer(
        question,
        True,
        last.answer,
        last.confidence,
        (passage,),
        standalone=last.standalone,
        short=short,
        remark=remark,
        reply=_about(remark, last.answer, quote, short, whole),
    )


def _without_passage(question: str, remark: Remark, text: str, standalone: str = "") -> Answer:
    return Answer(
        question, False, "", 0.0, reason=Abstention.NO_QUESTION, standalone=standalone,
        remark=remark, reply=text,
    )  # fmt: skip


def _about(
    remark: Remark, answer: str, quote: Citation, short: Citation | None, whole: Citation
) -> str:
    if remark is Remark.SHORTER and short is not None:
        return short.quote
    if remark is Remark.LONGER:
        return whole.quote
    if remark is Remark.SOURCE:
        return f"{whole.label}: “{quote.quote}”"
    if remark is Remark.LANGUAGE:
        return f"I quote the documents in their own language and do not translate: “{answer}”"
    return answer


def _polite(remark: Remark, documents: Sequence[Document]) -> str:
    if remark is Remark.THANKS:
        return "You are welcome."
    if remark is Remark.GOODBYE:
        return "Goodbye."
    subject = _subject(documents)
    if remark is Remark.GREETING:
        return f"Hello. Ask me about {subject}."
    return (
        f"I answer questions about {subject}, with the passages that say it. A question may refer "
        f"to the ones before it, such as “and when?”."
    )


def _subject(documents: Sequence[Document]) -> str:
    if not documents:
        return "the documents here, once there are some"
    if len(documents) > _MOST_TITLES:
        return f"the {len(documents)} documents here"
    *first, last = [f"“{document.title}”" for document in documents]
    return f"{', '.join(first)} and {last}" if first else last
