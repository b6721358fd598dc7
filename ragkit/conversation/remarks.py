"""Replies to turns that ask the conversation, not the documents, for something."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.answerer import Answerer
from ragkit.answering.answer import Abstention, Answer, Passage, Remark
from ragkit.catalogue import Catalogue
from ragkit.conversation.turns import Turn
from ragkit.errors import InputError
from ragkit.types import Citation, Document

__all__ = ["reply"]

_ABOUT_ANSWER = frozenset(
    {Remark.REPEAT, Remark.SHORTER, Remark.LONGER, Remark.SOURCE, Remark.LANGUAGE}
)
_MOST_TITLES = 3


def reply(
    question: str, remark: Remark, turns: Sequence[Turn], index: Answerer, messages: Catalogue
) -> Answer:
    """Reply to a remark.

    Args:
        question: the turn.
        remark: what it is.
        turns: the turns before it, oldest first.
        index: what was asked.
        messages: the reply's own words.

    Returns:
        With the passage that the last answer quoted, if the remark is about that answer.

    """
    if remark not in _ABOUT_ANSWER:
        return _without_passage(question, remark, _polite(remark, index.documents, messages))
    if not turns:
        return _without_passage(question, remark, messages.text("reply.no_answer_yet"))
    last = turns[-1]
    if not last.passage:
        text = messages.text("reply.no_answer")
        return _without_passage(question, remark, text, last.standalone)
    try:
        whole, quote = index.cite(last.passage), index.cite(last.quote)
        short = index.cite(last.short) if last.short else None
    except InputError:
        return _without_passage(question, remark, messages.text("reply.changed"), last.standalone)
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
        reply=_about(remark, last.answer, quote, short, whole, messages=messages),
    )


def _without_passage(question: str, remark: Remark, text: str, standalone: str = "") -> Answer:
    return Answer(
        question, False, "", 0.0, reason=Abstention.NO_QUESTION, standalone=standalone,
        remark=remark, reply=text,
    )  # fmt: skip


def _about(
    remark: Remark, answer: str, quote: Citation, short: Citation | None, whole: Citation,
    *, messages: Catalogue,
) -> str:  # fmt: skip
    if remark is Remark.SHORTER and short is not None:
        return short.quote
    if remark is Remark.LONGER:
        return whole.quote
    if remark is Remark.SOURCE:
        return messages.text("reply.source", place=whole.label, quote=quote.quote)
    if remark is Remark.LANGUAGE:
        return messages.text("reply.language", quote=answer)
    return answer


def _polite(remark: Remark, documents: Sequence[Document], messages: Catalogue) -> str:
    if remark is Remark.THANKS:
        return messages.text("reply.thanks")
    if remark is Remark.GOODBYE:
        return messages.text("reply.goodbye")
    key = "reply.greeting" if remark is Remark.GREETING else "reply.help"
    return messages.text(key, subject=_subject(documents, messages))


def _subject(documents: Sequence[Document], messages: Catalogue) -> str:
    if not documents:
        return messages.text("reply.subject_none")
    if len(documents) > _MOST_TITLES:
        return messages.text("reply.subject_count", count=len(documents))
    *first, last = [messages.text("reply.subject_title", title=one.title) for one in documents]
    titles = messages.text("list.separator").join(first)
    return messages.text("reply.subject_titles", titles=titles, last=last) if first else last
