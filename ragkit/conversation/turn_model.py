"""The model that understands a turn from what was said before it, without torch.

How it was trained, on what, and what it is worth: ``training/talks/MODEL_CARD.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ragkit.answering.answer import Remark
from ragkit.conversation.decoding import TurnScores, Understood, understood
from ragkit.conversation.edits import AFTER, BEFORE
from ragkit.conversation.graph import turn_graph
from ragkit.conversation.tokens import LaidOut, laid_out
from ragkit.encoding.carried import CarriedModel
from ragkit.encoding.export import Precision
from ragkit.errors import EncoderError
from ragkit.timing import LAP

__all__ = ["TurnModel", "load_turn_model"]

_FOLDER = Path(__file__).parent / "weights"
_KINDS = (None, *Remark)
_SURE = 0.6
"""Chance from which on a turn is taken for a remark: a question too many costs less than one that
is not asked."""


class TurnModel:
    """Understands turns. Any number of threads may share one."""

    def __init__(self, folder: Path = _FOLDER, precision: Precision = "int8") -> None:
        """Use the weights in a folder, verified when they are first needed."""
        self._model = CarriedModel(
            "turns", folder, turn_graph, "give each question's standalone wording", precision
        )
        described = self._model.description
        if (described["before"], described["after"], described["kinds"]) != (
            list(BEFORE), list(AFTER), ["none", *map(str, Remark)],
        ):  # fmt: skip
            raise EncoderError(
                f"{folder} holds a turn model of another version of ragkit; expected the one that "
                f"is installed with it. Run: pip install --force-reinstall --no-deps ragkit-cited"
            )

    def understand(self, question: str, history: Sequence[str]) -> tuple[Understood, Remark | None]:
        """Return what a turn asks, and which remark it is, None if it is a question.

        Args:
            question: the turn.
            history: what was said before, questions and answers, oldest first.

        """
        laid = laid_out(self._model.tokenizer, question, history)
        scores = self._scores(laid)
        chances = np.exp(scores.kind - scores.kind.max())
        best = int(chances.argmax())
        is_sure = chances[best] >= _SURE * chances.sum() and laid.is_whole
        return understood(question, history, laid, scores), _KINDS[best] if is_sure else None

    def _scores(self, laid: LaidOut) -> TurnScores:
        turn = np.asarray([laid.turn], dtype=np.int32)
        earlier = np.asarray([laid.earlier or [0]], dtype=np.int32)
        mask = np.ones((1, turn.size + earlier.size), dtype=np.int32)
        mask[0, turn.size :] = bool(laid.earlier)
        marks, first, last, kind = self._model.run(
            {
                "turn": turn,
                "turn_positions": np.arange(turn.size, dtype=np.int32),
                "said": earlier,
                "said_positions": np.arange(earlier.size, dtype=np.int32),
                "mask": mask,
            }
        )
        LAP.get()(f"understand the turn, {turn.size + earlier.size} tokens")
        inserted = 2 + len(BEFORE)
        return TurnScores(
            marks[0, :, 0], marks[0, :, 1:inserted], marks[0, :, inserted:], first[0], last[0],
            kind[0],
        )  # fmt: skip


@lru_cache(maxsize=1)
def load_turn_model() -> TurnModel:
    """Load the model, once a process; its weights when it is first asked."""
    return TurnModel()
