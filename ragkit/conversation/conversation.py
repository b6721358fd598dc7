"""Conversations: a turn is understood from what was said before it. No language model.

A small model (``turn_model``) decides whether a turn needs what was said. If not, it is asked as
it stands, so that a new topic forgets the old one. If it does, the model writes it anew with words
of the conversation, "and who signed it?" as "who signed the Treaty of Rapallo?" (which is then
``Answer.standalone``), and passages are matched with that, and with the turn after the last
questions and the headings of the last answer, so that the vector of its "it" is near what it means.
There the words of the last question have a fifth of the turn's own weight, those of each question
before it half of that, headings none. Either alone finds fewer (``training/talks/MODEL_CARD.md``).
Turns such as "thanks" or "who says that?" are no questions to the documents and are replied to as
remarks.

The model reads English. A question in another language is encoded with the history in front if it
is short.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ragkit.answering import render
from ragkit.answering.answer import Answer
from ragkit.answering.generated import Sentence
from ragkit.catalogue import catalogue
from ragkit.conversation.remarks import reply
from ragkit.conversation.saved_talks import load_talk
from ragkit.conversation.turns import Turn
from ragkit.conversation.understanding import Understanding, understand
from ragkit.default import IndexLike, open_index
from ragkit.errors import InputError
from ragkit.grounding import LanguageModel, Policy, rewrite_question
from ragkit.index import Where
from ragkit.retrieval import check_k, check_threshold, clean_question
from ragkit.timing import LAP, Operation, Part, observer

__all__ = ["MAX_TURNS", "Conversation", "Rewriter", "rewriter"]

MAX_TURNS = 6
"""Number of turns that a conversation remembers."""

Rewriter = Callable[[Sequence[Turn], str], str | None]
"""Rewrites a question so that it stands alone, given the turns before it. If it returns None, the
question is understood as without a rewriter."""


def rewriter(llm: LanguageModel) -> Rewriter:
    """Make a rewriter of a language model.

    Args:
        llm: the language model. Questions that stand alone are not sent to it.

    Returns:
        A function for ``Conversation(rewriter=…)``. It raises LanguageModelError if the model
        cannot be reached.

    """

    def rewrite(turns: Sequence[Turn], question: str) -> str | None:
        understanding = understand(turns, question)
        if not understanding.before:
            return understanding.standalone or question
        return rewrite_question(llm, [turn.standalone for turn in turns], question)

    return rewrite


class Conversation:
    """Answers questions, and remembers the last ones so that a question may refer to them.

    Use one for each user; it is not thread-safe.

    Example:
        >>> from ragkit import Document, Index
        >>> bread = Document(id="bread", title="Bread", text="Bread is made of flour.")
        >>> talk = Conversation(Index.build([bread]))
        >>> talk.ask("What is bread made of?").passages[0].text
        'Bread is made of flour.'
        >>> talk.ask("why?").standalone
        'why is bread made of flour?'

    """

    def __init__(
        self,
        index: IndexLike = None,
        *,
        turns: Sequence[Turn] = (),
        rewriter: Rewriter | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
        language: str = "en",
    ) -> None:
        """Start or continue a conversation.

        Args:
            index: as for ``ragkit.ask``.
            turns: earlier turns to continue from, oldest first.
            rewriter: rewrites each question after the first so that it stands alone; passages are
                then matched with its wording alone. Remarks are not given to it.
            llm: as for ``ragkit.ask``.
            unsupported: as for ``ragkit.ask``.
            language: language of the replies to remarks such as "thanks": en, ar, de, es, fr, ja
                or zh.

        Raises:
            InputError: there are no messages in that language.

        """
        self._messages = catalogue(language)
        self._index = open_index(index)
        self._turns: deque[Turn] = deque(turns, maxlen=MAX_TURNS)
        self._rewriter = rewriter
        self._llm = llm
        self._unsupported: Policy = unsupported

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The remembered turns, oldest first."""
        return tuple(self._turns)

    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        threshold: float | None = None,
        where: Where | None = None,
        standalone: str | None = None,
    ) -> Answer:
        """Answer a question, and remember it.

        Args:
            question: the question; it may refer to earlier ones.
            k: most passages to return.
            threshold: least confidence with which to answer.
            where: conditions on the documents' metadata.
            standalone: the question as to be understood; None lets the conversation resolve it.

        Returns:
            The answer. Its ``standalone`` is the question as understood. A turn that is a remark
            has a ``reply`` (see ``Answer``) and is not remembered.

        Raises:
            QuestionError: the question is not valid. No failing question is remembered.

        """
        *_, last = self.stream(
            question, k=k, threshold=threshold, where=where, standalone=standalone
        )
        return cast("Answer", last)

    def stream(
        self,
        question: str,
        *,
        k: int = 5,
        threshold: float | None = None,
        where: Where | None = None,
        standalone: str | None = None,
    ) -> Iterator[Answer | Sentence]:
        """Yield the parts of an answer as they are ready, as ``Index.stream`` does.

        The arguments are those of ``ask``. The question is remembered when the stream has ended.
        """
        steps = self._steps(question, k, threshold, where, standalone)
        watcher = observer()
        return steps if watcher is None else watcher.watch(Operation("turn", k), steps)

    def _steps(
        self,
        question: str,
        k: int,
        threshold: float | None,
        where: Where | None,
        standalone: str | None,
    ) -> Iterator[Answer | Sentence]:
        asked = clean_question(question)
        understanding = (
            Understanding(asked) if standalone is not None else understand(self.turns, asked)
        )
        LAP.get()(Part.UNDERSTAND)
        if understanding.remark is not None:
            check_k(k)
            check_threshold(threshold)
            yield reply(asked, understanding.remark, self.turns, self._index, self._messages)
            return
        rewritten = standalone if standalone is not None else self._rewrite(asked)
        wording = understanding.standalone if rewritten is None else rewritten
        answer: Answer | None = None
        for event in self._index.stream(
            asked,
            k=k,
            threshold=threshold,
            where=where,
            before=() if rewritten is not None else understanding.before,
            standalone=wording,
            llm=self._llm,
            unsupported=self._unsupported,
        ):
            if isinstance(event, Answer):
                answer = _as_understood(event, wording)
                yield answer
            else:
                yield event
        assert answer is not None  # noqa: S101 - a stream begins with an Answer
        self.remember(answer)

    def replay(self, questions: Sequence[str]) -> None:
        """Remember questions that were asked elsewhere, oldest first.

        Each is answered again, without a language model: a later one may refer to its answer.
        """
        for question in questions[-MAX_TURNS:]:
            asked = clean_question(question)
            understanding = understand(self.turns, asked)
            if understanding.remark is None:
                wording = understanding.standalone
                answer = self._index.ask(
                    asked, k=1, before=understanding.before, standalone=wording
                )
                self.remember(_as_understood(answer, wording))

    def remember(self, answer: Answer) -> None:
        """Remember an answer from elsewhere, as if this conversation had given it."""
        self._turns.append(Turn.of(answer))

    def forget(self) -> None:
        """Forget all turns."""
        self._turns.clear()

    def to_dict(self) -> dict[str, Any]:
        """Return the state of the conversation, JSON-ready, for ``from_dict``."""
        return {"turns": [turn.to_dict() for turn in self._turns]}

    @classmethod
    def from_dict(
        cls,
        content: Mapping[str, Any],
        index: IndexLike = None,
        *,
        rewriter: Rewriter | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
        language: str = "en",
    ) -> Conversation:
        """Continue a conversation.

        Args:
            content: what ``to_dict`` returned.
            index: as for the constructor, like the other arguments.
            rewriter: see there.
            llm: see there.
            unsupported: see there.
            language: see there.

        Returns:
            A new conversation with the same turns.

        Raises:
            InputError: ``content`` is not what ``to_dict`` returns.

        """
        try:
            turns = [Turn.from_dict(turn) for turn in content["turns"]]
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"this is not a conversation ({type(error).__name__}: {error}); expected what "
                f"Conversation.to_dict() returned."
            ) from error
        return cls(
            index, turns=turns, rewriter=rewriter, llm=llm, unsupported=unsupported,
            language=language,
        )  # fmt: skip

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        index: IndexLike = None,
        *,
        rewriter: Rewriter | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
        language: str = "en",
    ) -> Conversation:
        """Continue a conversation that was saved to a file.

        Args:
            path: what ``Transcript.save`` or ``/save`` of ``ragkit chat`` wrote, as JSON or JSON
                Lines; or a JSON file with what ``to_dict`` returned.
            index: as for the constructor, like the other arguments.
            rewriter: see there.
            llm: see there.
            unsupported: see there.
            language: see there.

        Raises:
            InputError: the file cannot be read, or is no saved conversation.

        """
        return cls.from_dict(
            load_talk(path), index, rewriter=rewriter, llm=llm, unsupported=unsupported,
            language=language,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """Return the remembered turns as an HTML fragment for a notebook."""
        return render.turns_html([self._shown(turn) for turn in self._turns])

    def _shown(self, turn: Turn) -> render.ShownTurn:
        try:
            source = self._index.cite(turn.passage) if turn.passage else None
        except InputError:  # the index no longer has it
            source = None
        return render.ShownTurn(turn.question, turn.standalone, turn.answer, source)

    def _rewrite(self, question: str) -> str | None:
        if self._rewriter is None or not self._turns:
            return None
        return self._rewriter(self.turns, question) or None


def _as_understood(answer: Answer, wording: str | None) -> Answer:
    """The answer with the question as it was asked, where no wording that stands alone is known.

    The index puts what was said before in front of it, for whoever reads the passages; as the
    wording of the question that would be wrong, and would make the next one seem to lean on it.
    """
    return answer if wording is not None else replace(answer, standalone=answer.question)
