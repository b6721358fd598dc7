"""Fit the retriever's free parameters to a question set, with cross-validation.

For each fold, the best setting on the other folds is measured on the fold itself: the reported gain
is measured on questions that the setting was not fitted to. Without a significant gain, the old
setting stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.evaluation.measures import DEPTH, mean, reciprocal_rank
from ragkit.evaluation.questions import QuestionSet
from ragkit.evaluation.significance import Comparison, compare_values
from ragkit.index import RetrievalConfig

__all__ = ["Tuning", "tune"]

GRID = tuple(
    RetrievalConfig(reverse, idf_power)
    for reverse, idf_power in product((0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0))
)
FOLDS = 5
_MEASURE = "RR"


@dataclass(frozen=True, slots=True)
class Tuning:
    """The result of tuning.

    Attributes:
        before: the setting of the index.
        chosen: the best setting over all questions; ``before`` if the gain is not significant.
        held_out: reciprocal rank with ``before`` and with the fitted settings, on held-out folds.

    """

    before: RetrievalConfig
    chosen: RetrievalConfig
    held_out: Comparison

    @property
    def gained(self) -> bool:
        """Whether the held-out reciprocal rank rises significantly."""
        return self.held_out.difference > 0 and self.held_out.significant()


def tune(
    questions: QuestionSet,
    index: Index,
    *,
    grid: Sequence[RetrievalConfig] = GRID,
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Measure every setting on the answerable questions and choose the best.

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
    settings = list(dict.fromkeys([index.config, *grid]))
    values: dict[RetrievalConfig, dict[str, float]] = {}
    for number, config in enumerate(settings, start=1):
        answers = index.with_config(config).ask_many([q.text for q in answerable], k=DEPTH)
        values[config] = {
            q.id: reciprocal_rank(answer.passages, q)
            for q, answer in zip(answerable, answers, strict=True)
        }
        if progress:
            progress(number, len(settings))
    [comparison] = compare_values(
        {_MEASURE: values[index.config]}, {_MEASURE: _held_out_values(values)}
    )
    result = Tuning(index.config, _best(values, list(values[index.config])), comparison)
    return result if result.gained else Tuning(index.config, index.config, comparison)


def _held_out_values(values: dict[RetrievalConfig, dict[str, float]]) -> dict[str, float]:
    """Return the value of each question under the best setting of the other folds."""
    questions = next(iter(values.values()))
    fold = {question: zlib.crc32(question.encode()) % FOLDS for question in questions}
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
