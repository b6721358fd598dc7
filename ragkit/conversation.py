"""A conversation: follow-up questions are read behind what was said before. No language model.

The encoder does the resolving. A question that leans on the conversation ("why?", "and who signed
for the germans?") is read by the model behind the last questions and the headings of the last
answer, so that its "it" is a vector near what "it" stands for; then late interaction matches the
tokens. What was said before counts itself: the last question a fifth of the new one's weight, each
before it half of that, headings nothing. A question that stands alone is read alone, so that a new
topic is not polluted. Chosen on the ``dev`` conversations of ``eval/``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from ragkit.answering import THRESHOLD
from ragkit.answering.answer import Answer
from ragkit.answering.generated import Sentence
from ragkit.default import IndexLike, open_index
from ragkit.errors import InputError
from ragkit.grounding import LanguageModel, Policy, rewritten
from ragkit.index import Where
from ragkit.retrieval import clean_question
from ragkit.types import Said

__all__ = ["MEMORY", "Conversation", "Rewriter", "Turn", "leans_on_what_was_said", "rewriter"]

MEMORY = 3
"""How many turns back a question is read behind; older ones are forgotten."""

_LAST, _DECAY = 0.2, 0.5
_PRONOUNS = "it its they them their theirs he him his she her hers"
_POINTING = "this that these those then one ones other others else same both either neither such"
_LEANING = frozenset(f"{_PRONOUNS} {_POINTING}".split())
_LEANING_LAST = frozenset(["there", "too", "also", "later", "after", "before", "instead"])
# "… Hitler … once he came to power": the pronoun's noun is in the question itself.
_INTERNAL = re.compile(
    r"(?<=\w )[A-Z]\w+\b.*?(?P<clause>\b(?:when|once|after|before|as|while|because|if|that|since"
    rf"|until|though|which|who) (?:{'|'.join(_PRONOUNS.split())})\b.*)"
)
_OPENING = re.compile(r"\W*(?:and|but|so|ok|okay|also|then|what about|how about)\b", re.IGNORECASE)
_FEW_WORDS = 3


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation, as it was understood, and where its answer stood.

    ``section``: the headings of the first passage, empty if nothing was answered.
    """

    question: str
    standalone: str
    section: tuple[str, ...]


Rewriter = Callable[[Sequence[Turn], str], str | None]
"""Makes a question stand alone, given the turns before it; None where it cannot, and the question
is then read behind its history as without one."""


def rewriter(llm: LanguageModel) -> Rewriter:
    """A language model as the rewriter; a self-contained question is not sent to it."""

    def rewrite(turns: Sequence[Turn], question: str) -> str | None:
        if not leans_on_what_was_said(question):
            return question
        return rewritten(llm, [turn.standalone for turn in turns], question)

    return rewrite


class Conversation:
    """Asks an index, remembering what was asked. One for each person who asks; not thread-safe."""

    def __init__(
        self,
        index: IndexLike = None,
        *,
        turns: Sequence[Turn] = (),
        rewriter: Rewriter | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
    ) -> None:
        """``index``, ``llm``, ``unsupported`` as for ``ask``. ``turns``: to go on with.
        ``rewriter``: instead of reading questions behind their history, makes each of them stand
        alone.
        """
        self._index = open_index(index)
        self._turns: deque[Turn] = deque(turns, maxlen=MEMORY)
        self._rewriter = rewriter
        self._llm = llm
        self._unsupported: Policy = unsupported

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What is remembered, oldest first."""
        return tuple(self._turns)

    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        threshold: float = THRESHOLD,
        where: Where | None = None,
        standalone: str | None = None,
    ) -> Answer:
        """Like ``ragkit.ask``; ``answer.standalone`` says how the question was understood.

        ``standalone``: how to understand it instead. A question that fails is not remembered.
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
        threshold: float = THRESHOLD,
        where: Where | None = None,
        standalone: str | None = None,
    ) -> Iterator[Answer | Sentence]:
        """``ask``, as it comes about; see ``Index.stream``. Remembered when it has ended."""
        asked = clean_question(question)
        alone = standalone if standalone is not None else self._rewritten(asked)
        answer: Answer | None = None
        for event in self._index.stream(
            asked,
            k=k,
            threshold=threshold,
            where=where,
            before=() if alone is not None else self._before(asked),
            standalone=alone,
            llm=self._llm,
            unsupported=self._unsupported,
        ):
            answer = event if isinstance(event, Answer) else answer
            yield event
        assert answer is not None  # noqa: S101 - a stream begins with an Answer
        self.remember(answer)

    def replay(self, questions: Sequence[str]) -> None:
        """Remember questions that were asked elsewhere, oldest first; only the last is asked."""
        if not questions:
            return
        *older, last = questions[-MEMORY:]
        self._turns.extend(Turn(question, question, ()) for question in older)
        answer = self._index.ask(last, k=1, before=self._before(clean_question(last)))
        self.remember(answer)

    def remember(self, answer: Answer) -> None:
        """Go on from an answer that was given elsewhere, as if it had been asked for here."""
        section = answer.passages[0].citation.section if answer.answered else ()
        self._turns.append(Turn(answer.question, answer.standalone, section))

    def forget(self) -> None:
        """Begin anew."""
        self._turns.clear()

    def to_dict(self) -> dict[str, Any]:
        """What is remembered, JSON-ready; it belongs to the caller."""
        return {"turns": [{**asdict(turn), "section": list(turn.section)} for turn in self._turns]}

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
        """Go on with a conversation that ``to_dict`` kept. Raises InputError if it is none."""
        try:
            turns = [_turn(turn) for turn in content["turns"]]
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"this is no conversation ({type(error).__name__}: {error}); expected what "
                f"Conversation.to_dict() gave."
            ) from error
        return cls(index, turns=turns, rewriter=rewriter, llm=llm, unsupported=unsupported)

    def _rewritten(self, question: str) -> str | None:
        return self._rewriter(self.turns, question) if self._rewriter and self._turns else None

    def _before(self, question: str) -> list[Said]:
        """What the question is read behind, oldest first."""
        if not self._turns or not leans_on_what_was_said(question):
            return []
        back = range(len(self._turns) - 1, -1, -1)
        said = [
            Said(turn.question, _LAST * _DECAY**age)
            for turn, age in zip(self._turns, back, strict=True)
        ]
        headings = ". ".join(self._turns[-1].section)
        return [*said, Said(f"{headings}.", 0.0)] if headings else said


def leans_on_what_was_said(question: str) -> bool:
    """Whether a question points back: by a word that stands for another, by how it begins or ends,
    or by being too short to stand alone.
    """
    internal = _INTERNAL.search(question)
    own = question[: internal.start("clause")] if internal else question
    words = re.findall(r"\w+", own.casefold())
    return (
        len(words) <= _FEW_WORDS
        or not _LEANING.isdisjoint(words)
        or words[-1] in _LEANING_LAST
        or _OPENING.match(question) is not None
    )


def _turn(content: Mapping[str, Any]) -> Turn:
    question, standalone, section = content["question"], content["standalone"], content["section"]
    if not (isinstance(question, str) and isinstance(standalone, str)):
        raise TypeError("question and standalone are strings")
    return Turn(question, standalone, tuple(map(str, section)))
