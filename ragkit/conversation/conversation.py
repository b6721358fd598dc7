"""Conversations: follow-up questions are encoded with the history in front. No language model.

The encoder resolves references. A question that depends on the conversation ("why?", "and who
signed for the germans?") is encoded with the last questions and the headings of the last answer in
front, so that the vector of its "it" is near what "it" refers to; then late interaction matches
the tokens. The history's own tokens have less weight: those of the last question a fifth of the
new one's, of each question before it half of that, of headings none. A question that stands alone
is encoded alone, so that the history does not distort a new topic. These weights were chosen on
the ``dev`` conversations of ``eval/``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from ragkit.answering.answer import Answer
from ragkit.answering.generated import Sentence
from ragkit.conversation.turns import Turn
from ragkit.default import IndexLike, open_index
from ragkit.errors import InputError
from ragkit.grounding import LanguageModel, Policy, rewrite_question
from ragkit.index import Where
from ragkit.retrieval import clean_question
from ragkit.types import Said

__all__ = ["MAX_TURNS", "Conversation", "Rewriter", "depends_on_history", "rewriter"]

MAX_TURNS = 3
"""Number of turns that a conversation remembers."""

_LAST_WEIGHT, _DECAY = 0.2, 0.5
_PRONOUNS = "it its they them their theirs he him his she her hers"
_POINTERS = "this that these those then one ones other others else same both either neither such"
_REFERRING = frozenset(f"{_PRONOUNS} {_POINTERS}".split())
_REFERRING_AT_END = frozenset(["there", "too", "also", "later", "after", "before", "instead"])
# "… Hitler … once he came to power": the pronoun refers to a noun of the question itself.
_SELF_CONTAINED = re.compile(
    r"(?<=\w )[A-Z]\w+\b.*?(?P<clause>\b(?:when|once|after|before|as|while|because|if|that|since"
    rf"|until|though|which|who) (?:{'|'.join(_PRONOUNS.split())})\b.*)"
)
_OPENING = re.compile(r"\W*(?:and|but|so|ok|okay|also|then|what about|how about)\b", re.IGNORECASE)
_MAX_SHORT = 3
"""Most words of a question that is too short to stand alone."""


Rewriter = Callable[[Sequence[Turn], str], str | None]
"""Rewrites a question so that it stands alone, given the turns before it. If it returns None, the
question is encoded with the history in front, as without a rewriter."""


def rewriter(llm: LanguageModel) -> Rewriter:
    """Make a rewriter of a language model.

    Args:
        llm: the language model. Questions that stand alone are not sent to it.

    Returns:
        A function for ``Conversation(rewriter=…)``. It raises LanguageModelError if the model
        cannot be reached.

    """

    def rewrite(turns: Sequence[Turn], question: str) -> str | None:
        if not depends_on_history(question):
            return question
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
        'What is bread made of? why?'

    """

    def __init__(
        self,
        index: IndexLike = None,
        *,
        turns: Sequence[Turn] = (),
        rewriter: Rewriter | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
    ) -> None:
        """Start or continue a conversation.

        Args:
            index: as for ``ragkit.ask``.
            turns: earlier turns to continue from, oldest first.
            rewriter: rewrites each question after the first so that it stands alone, instead of
                encoding it with the history in front.
            llm: as for ``ragkit.ask``.
            unsupported: as for ``ragkit.ask``.

        """
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
            The answer. Its ``standalone`` is the question as understood.

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
        asked = clean_question(question)
        alone = standalone if standalone is not None else self._rewrite(asked)
        answer: Answer | None = None
        for event in self._index.stream(
            asked,
            k=k,
            threshold=threshold,
            where=where,
            before=() if alone is not None else self._history(asked),
            standalone=alone,
            llm=self._llm,
            unsupported=self._unsupported,
        ):
            answer = event if isinstance(event, Answer) else answer
            yield event
        assert answer is not None  # noqa: S101 - a stream begins with an Answer
        self.remember(answer)

    def replay(self, questions: Sequence[str]) -> None:
        """Remember questions that were asked elsewhere, oldest first.

        Only the last one is answered again, to learn the headings of its answer.
        """
        if not questions:
            return
        *older, last = questions[-MAX_TURNS:]
        self._turns.extend(Turn(question, question, ()) for question in older)
        answer = self._index.ask(last, k=1, before=self._history(clean_question(last)))
        self.remember(answer)

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
    ) -> Conversation:
        """Continue a conversation.

        Args:
            content: what ``to_dict`` returned.
            index: as for the constructor, like the other arguments.
            rewriter: see there.
            llm: see there.
            unsupported: see there.

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
        return cls(index, turns=turns, rewriter=rewriter, llm=llm, unsupported=unsupported)

    def _rewrite(self, question: str) -> str | None:
        return self._rewriter(self.turns, question) if self._rewriter and self._turns else None

    def _history(self, question: str) -> list[Said]:
        """Return what to put in front of a question, oldest first."""
        if not self._turns or not depends_on_history(question):
            return []
        ages = range(len(self._turns) - 1, -1, -1)
        history = [
            Said(turn.question, _LAST_WEIGHT * _DECAY**age)
            for turn, age in zip(self._turns, ages, strict=True)
        ]
        headings = ". ".join(self._turns[-1].section)
        return [*history, Said(f"{headings}.", 0.0)] if headings else history


def depends_on_history(question: str) -> bool:
    """Return whether a question refers to earlier ones.

    It does if it has a pronoun or another referring word, begins or ends as a follow-up does, or is
    too short to stand alone.

    Example:
        >>> depends_on_history("Who shot him?")
        True
        >>> depends_on_history("Which German ambassador to Moscow was murdered?")
        False

    """
    self_contained = _SELF_CONTAINED.search(question)
    rest = question[: self_contained.start("clause")] if self_contained else question
    words = re.findall(r"\w+", rest.casefold())
    return (
        len(words) <= _MAX_SHORT
        or not _REFERRING.isdisjoint(words)
        or words[-1] in _REFERRING_AT_END
        or _OPENING.match(question) is not None
    )
