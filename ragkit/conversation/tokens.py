"""A turn and what was said before it as token ids, in the layout that the turn model reads.

``[CLS] turn [SEP]`` is one part, and ``utterance [SEP] utterance [SEP] …``, the latest first, the
other. Of older utterances only the beginning is laid out, and what does not fit is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragkit.conversation.edits import question_words
from ragkit.text.spans import Span

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["LaidOut", "laid_out"]

_TURN_TOKENS, _EARLIER_TOKENS = 64, 128
_LAST, _LAST_TOKENS, _OLDER_TOKENS = 2, 48, 20  # utterances, tokens of each, of older ones
_CLS, _SEP = 101, 102


@dataclass(frozen=True, slots=True)
class LaidOut:
    """Token ids of both parts.

    Attributes:
        turn: ids of the turn's part.
        words: of each word of ``question_words``, and of the end, the token of the turn's part at
            which its edits are read; words beyond the last token are missing.
        earlier: ids of what was said before.
        of: for each of those its utterance's number (oldest first) and its span there; None for
            separators.
        is_whole: whether the turn's part holds all of the turn.

    """

    turn: list[int]
    words: list[int]
    earlier: list[int]
    of: list[tuple[int, Span] | None]
    is_whole: bool

    def place(self, utterance: int, begin: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token of a span of an utterance, if it is laid out."""
        tokens = [
            n
            for n, one in enumerate(self.of)
            if one and one[0] == utterance and one[1].start < end and begin < one[1].end
        ]
        whole = tokens and self.of[tokens[-1]]
        return (tokens[0], tokens[-1]) if whole and whole[1].end >= end else None


def laid_out(tokenizer: Tokenizer, question: str, history: Sequence[str]) -> LaidOut:
    """Lay out a turn and what was said before it, oldest first."""
    own = tokenizer.encode(question, add_special_tokens=False)
    ids, offsets = own.ids[: _TURN_TOKENS - 2], own.offsets[: _TURN_TOKENS - 2]
    turn = [_CLS, *ids, _SEP]
    words = []
    token = 0
    for span in question_words(question):
        while token < len(offsets) and offsets[token][1] <= span.start:
            token += 1
        if token == len(offsets):
            break
        words.append(1 + token)
    words.append(len(turn) - 1)
    earlier: list[int] = []
    of: list[tuple[int, Span] | None] = []
    for number in range(len(history) - 1, -1, -1):
        encoded = tokenizer.encode(history[number], add_special_tokens=False)
        most = _LAST_TOKENS if len(history) - number <= _LAST else _OLDER_TOKENS
        count = min(most, _EARLIER_TOKENS - len(earlier) - 1, len(encoded.ids))
        if count <= 0:
            break
        earlier += [*encoded.ids[:count], _SEP]
        of += [(number, Span(*offset)) for offset in encoded.offsets[:count]]
        of.append(None)
    return LaidOut(turn, words, earlier, of, is_whole=len(ids) == len(own.ids))
