"""A talk that somebody else remembers → its turns, with what the index itself says.

Who asks may have been told by another process, before a restart, or by an index that has changed.
Their questions are taken as they are; of the answers only the places, whose words are read anew, so
that nobody brings along words that the documents do not have or that they may not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragkit.answerer import Answerer
from ragkit.conversation.turns import Turn
from ragkit.errors import InputError
from ragkit.retrieval import clean_question
from ragkit.types import Citation

__all__ = ["recalled"]

_LONGEST = 20_000
"""Code points. A longer place, such as a whole document, is no passage and is refused."""


def recalled(turns: Sequence[Turn], index: Answerer) -> tuple[Turn, ...]:
    """Return turns as they can be continued with an index.

    Args:
        turns: as remembered elsewhere, oldest first. Their ``section`` and ``answer`` are not used.
        index: what the answers are read from.

    Returns:
        The same questions. A turn whose places are not all in the index has no answer.

    Raises:
        QuestionError: a question is not valid.

    """
    return tuple(_recalled(turn, index) for turn in turns)


def _recalled(turn: Turn, index: Answerer) -> Turn:
    question, standalone = clean_question(turn.question), clean_question(turn.standalone)
    asked = Turn(question, standalone, ())
    if not turn.passage:
        return asked
    try:
        whole = _place(index, turn.passage)
        quote = _place(index, turn.quote) if turn.quote else whole
        short = _place(index, turn.short).passage_id if turn.short else ""
    except InputError:  # removed, changed, or not for this reader
        return asked
    return replace(
        asked,
        section=whole.section,
        answer=quote.quote,
        passage=whole.passage_id,
        quote=quote.passage_id,
        short=short,
        confidence=turn.confidence,
    )


def _place(index: Answerer, passage_id: str) -> Citation:
    citation = index.cite(passage_id)
    if len(citation.quote) > _LONGEST:
        raise InputError(f"{passage_id} is {len(citation.quote):,} characters; no passage is.")
    return citation
