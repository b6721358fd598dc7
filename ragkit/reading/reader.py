"""Reading: does this window answer the question, with which words, and if not, why not?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from ragkit.text.languages import language_of, script_of
from ragkit.text.spans import Span

__all__ = [
    "SHIPPED",
    "Calibration",
    "Kind",
    "Reader",
    "Reading",
    "Window",
    "is_readable",
    "sigmoid",
]


SHIPPED = "shipped"
"""Name of the reader that ragkit carries."""


def sigmoid(logit: float) -> float:
    """Return the chance, 0–1, of a logit, however low."""
    return 1 / (1 + math.exp(-max(-50.0, logit)))


class Kind(StrEnum):
    """How a window stands to a question."""

    ANSWERS = "answers"
    OFF_TOPIC = "off_topic"
    NOT_STATED = "not_stated"
    CONTRADICTS = "contradicts"


class Window(NamedTuple):
    """Some sentences in a row, and the title of their document."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of a question and a window.

    Attributes:
        logit: of the chance that the window answers; higher is better.
        span: the words of ``Window.text`` that answer best, whether or not they answer.
        kinds: probability of each kind; they sum to 1.

    """

    logit: float
    span: Span
    kinds: Mapping[Kind, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How what was read and what was found are judged together, fitted for one reader.

    Attributes:
        similarity: what a late interaction score counts beside a reader's logit, to order passages.
        answers: slope and intercept of the chance that a passage answers, by the logit alone.
        weights: of the features of ``answering.confidence``, by their names.
        intercept: of the same logistic regression.
        threshold: confidence below which an answer abstains by default.

    """

    similarity: float
    answers: tuple[float, float]
    weights: Mapping[str, float]
    intercept: float
    threshold: float

    def chance(self, logit: float) -> float:
        """Return the chance, 0–1, that a passage with this logit answers."""
        slope, intercept = self.answers
        return sigmoid(slope * logit + intercept)


class Reader(Protocol):
    """Reads questions and windows together."""

    @property
    def calibration(self) -> Calibration:
        """How this reader's logits are judged beside what was found."""
        ...

    @property
    def window_tokens(self) -> int:
        """Most tokens of a window that it was trained to read."""
        ...

    @property
    def languages(self) -> frozenset[str]:
        """Languages that it was trained on, as codes of ISO 639-1; others are not read."""
        ...

    def token_spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return where each token of each text begins and ends, in code points."""
        ...

    def read(self, asked: Sequence[tuple[str, Window]]) -> list[Reading]:
        """Read each question with its window."""
        ...


def is_readable(reader: Reader, asked: str, passage: str) -> bool:
    """Return whether a passage is in a language of the reader, and what is asked of it may be.

    A question is short: it may have no word that tells its language, then its script decides.
    """
    language = language_of(passage)
    if language not in reader.languages:
        return False
    own = language_of(asked, least=2)
    return script_of(asked) == script_of(passage) if own is None else own == language
