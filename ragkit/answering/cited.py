"""The passages that an answer cites."""

from __future__ import annotations

from ragkit.answering.answer import Answer, Passage
from ragkit.answering.generated import GOOD

__all__ = ["cited_passages"]


def cited_passages(answer: Answer) -> tuple[Passage, ...]:
    """Return the passages that an answer shows as its sources, in the order of their numbers.

    Of an answer that a language model wrote, they are those that its sentences cite; of another
    one, all passages. A question without an answer has the nearest passage alone.
    """
    if not answer.answered and not answer.reply:
        return answer.passages[:1]
    if answer.generated is None:
        return answer.passages
    ranks = dict.fromkeys(
        rank
        for sentence in answer.generated.sentences
        if sentence.kept and sentence.status in GOOD
        for rank in sentence.passages
    )
    passages = {passage.rank: passage for passage in answer.passages}
    return tuple(passages[rank] for rank in ranks if rank in passages)
