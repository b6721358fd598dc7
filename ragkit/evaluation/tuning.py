"""Fit an index's free parameters to a question set, with cross-validation.

First the two of the score, then the two that bring confidences to what came true (Platt scaling:
Platt 1999, "Probabilistic outputs for support vector machines"). For each fold, the best setting on
the other folds is measured on the fold itself: the reported gain is measured on questions that the
setting was not fitted to. Without a significant gain, the old setting stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ragkit.answering.confidence import log_odds
from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.evaluation.measures import DEPTH, mean, reciprocal_rank
from ragkit.evaluation.questions import QuestionSet
from ragkit.evaluation.significance import Comparison, compare_values
from ragkit.index import RetrievalConfig

__all__ = ["EACH", "Tuning", "fit_scaling", "tune"]

GRID = tuple(
    RetrievalConfig(reverse, idf_power)
    for reverse, idf_power in product((0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0))
)
FOLDS = 5
_MEASURE = "RR"
_BRIER = "Brier"
EACH = 20
"""Questions that are rightly answered, and questions that are not, needed to fit confidences."""

_Scaling = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tuning:
    """The result of tuning.

    Attributes:
        before: the setting of the index.
        chosen: the best setting over all questions; what did not gain significantly is as before.
        held_out: reciprocal rank with ``before`` and with the fitted settings, on held-out folds.
        confidence: the same of the Brier score of confidences, lower is better; None with fewer
            than ``EACH`` questions of which the first passage is right, or is not.

    """

    before: RetrievalConfig
    chosen: RetrievalConfig
    held_out: Comparison
    confidence: Comparison | None = None

    @property
    def gained(self) -> bool:
        """Whether anything is better on held-out questions, significantly."""
        return self.chosen != self.before


def tune(
    questions: QuestionSet,
    index: Index,
    *,
    grid: Sequence[RetrievalConfig] = GRID,
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Measure every setting on the answerable questions and choose the best; then the confidence.

    The settings of the score are measured without the reader, which only reads what they find.
    Confidences are fitted on all questions, those without an answer too, as the index asks them.

    Args:
        questions: the question set; at least 20 answerable questions with evidence.
        index: the index to ask. It is not changed.
        grid: settings to try besides the one of the index.
        progress: called after each setting with the number measured and the total.

    Raises:
        InputError: the set has fewer than 20 answerable questions.

    """
    answerable = [q for q in questions if q.answerable and q.evidence]
    if len(answerable) < 4 * FOLDS:
        raise InputError(
            f"{questions.name} has {len(answerable)} answerable questions; expected at least "
            f"{4 * FOLDS} to tune on. Add {4 * FOLDS - len(answerable)} or more."
        )
    finding = index.with_reader(None)
    scaling = {"slope": index.config.slope, "shift": index.config.shift}
    settings = list(dict.fromkeys([index.config, *(replace(one, **scaling) for one in grid)]))
    values: dict[RetrievalConfig, dict[str, float]] = {}
    for number, config in enumerate(settings, start=1):
        answers = finding.with_config(config).ask_many([q.text for q in answerable], k=DEPTH)
        values[config] = {
            q.id: reciprocal_rank(answer.passages, q)
            for q, answer in zip(answerable, answers, strict=True)
        }
        if progress:
            progress(number, len(settings))
    [comparison] = compare_values(
        {_MEASURE: values[index.config]}, {_MEASURE: _held_out_values(values)}
    )
    gained = comparison.difference > 0 and comparison.significant()
    chosen = _best(values, list(values[index.config])) if gained else index.config
    scaled, gain = _with_confidence(questions, index.with_config(chosen))
    return Tuning(index.config, scaled, comparison, gain)


def _with_confidence(
    questions: QuestionSet, index: Index
) -> tuple[RetrievalConfig, Comparison | None]:
    """The setting of an index, with its confidence fitted if that helps on held-out questions."""
    config = index.config
    plain = index.with_config(replace(config, slope=1.0, shift=0.0))
    asked = [q for q in questions if q.evidence or not q.answerable]
    answers = plain.ask_many([q.text for q in asked], k=1)
    odds = np.array([log_odds(answer.confidence) for answer in answers])
    right = np.array(
        [
            q.answerable and reciprocal_rank(answer.passages, q) == 1
            for q, answer in zip(asked, answers, strict=True)
        ],
        dtype=np.float64,
    )
    if min(right.sum(), (1 - right).sum()) < EACH:
        return config, None
    ids = [q.id for q in asked]
    folds = np.array([_fold(question) for question in ids])
    fitted = np.zeros(len(ids))
    for fold in range(FOLDS):
        inside = folds == fold
        fitted[inside] = _scaled(odds[inside], fit_scaling(odds[~inside], right[~inside]))
    now = _scaled(odds, (config.slope, config.shift))
    [comparison] = compare_values(
        {_BRIER: dict(zip(ids, ((now - right) ** 2).tolist(), strict=True))},
        {_BRIER: dict(zip(ids, ((fitted - right) ** 2).tolist(), strict=True))},
    )
    if comparison.difference < 0 and comparison.significant():
        slope, shift = fit_scaling(odds, right)
        config = replace(config, slope=round(slope, 4), shift=round(shift, 4))
    return config, comparison


def fit_scaling(odds: NDArray[np.float64], right: NDArray[np.float64]) -> _Scaling:
    """Return the slope and the shift by which log-odds become most likely, given what came true.

    Logistic regression of one variable by Newton's method, with the softened targets of Platt 1999,
    so that no finite set makes it sure of anything.

    Args:
        odds: log-odds of each confidence, ``(n,)``.
        right: 1 where the first passage was right, else 0, ``(n,)``.

    """
    hits, misses = right.sum(), len(right) - right.sum()
    targets = np.where(right > 0, (hits + 1) / (hits + 2), 1 / (misses + 2))
    table = np.column_stack([odds, np.ones(len(odds))])
    scaling = np.array([1.0, 0.0])
    for _ in range(50):
        chances = _sigmoid(table @ scaling)
        slope = table.T @ (targets - chances)
        bend = (table * (chances * (1 - chances))[:, None]).T @ table + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        scaling = scaling + step
        if np.abs(step).max() < 1e-9:
            break
    return float(np.clip(scaling[0], 0.01, 10)), float(np.clip(scaling[1], -10, 10))


def _scaled(odds: NDArray[np.float64], scaling: _Scaling) -> NDArray[np.float64]:
    return _sigmoid(scaling[0] * odds + scaling[1])


def _sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return chances


def _held_out_values(values: dict[RetrievalConfig, dict[str, float]]) -> dict[str, float]:
    """Return the value of each question under the best setting of the other folds."""
    questions = next(iter(values.values()))
    fold = {question: _fold(question) for question in questions}
    held_out: dict[str, float] = {}
    for f in range(FOLDS):
        best = _best(values, [q for q in fold if fold[q] != f])
        held_out |= {q: values[best][q] for q in fold if fold[q] == f}
    return held_out


def _best(
    values: dict[RetrievalConfig, dict[str, float]], questions: Sequence[str]
) -> RetrievalConfig:
    """Return the setting with the highest mean; the first in order wins a tie."""
    return max(values, key=lambda config: mean([values[config][q] for q in questions]) or 0.0)


def _fold(question: str) -> int:
    return zlib.crc32(question.encode()) % FOLDS
