"""Fit the retriever's few free parameters to a question set, and believe it only if it holds.

Nested by cross-validation: in each fold the best setting is chosen on the other folds and measured
on the fold itself, so that the gain reported is one on questions not fitted to.
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
    """``chosen``: the best setting over all questions, or the one there was if no gain is proved.

    ``held_out``: reciprocal rank before and after on questions that were not fitted to.
    """

    before: RetrievalConfig
    chosen: RetrievalConfig
    held_out: Comparison

    @property
    def gained(self) -> bool:
        return self.held_out.difference > 0 and self.held_out.significant()


def tune(
    questions: QuestionSet,
    index: Index,
    *,
    grid: Sequence[RetrievalConfig] = GRID,
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Try every setting of ``grid`` on the answerable questions; keep the old one unless proved.

    Raises InputError for fewer than 20 answerable questions, on which nothing can be proved.
    """
    answerable = [q for q in questions if q.answerable and q.evidence]
    if len(answerable) < 4 * FOLDS:
        raise InputError(
            f"{questions.name} has {len(answerable)} answerable questions; expected at least "
            f"{4 * FOLDS} to tune on. Write more."
        )
    settings = list(dict.fromkeys([index.config, *grid]))
    values: dict[RetrievalConfig, dict[str, float]] = {}
    for number, weights in enumerate(settings, start=1):
        answers = index.with_config(weights).ask_many([q.text for q in answerable], k=DEPTH)
        values[weights] = {
            q.id: reciprocal_rank(answer.passages, q)
            for q, answer in zip(answerable, answers, strict=True)
        }
        if progress:
            progress(number, len(settings))
    fold = {q.id: zlib.crc32(q.id.encode()) % FOLDS for q in answerable}
    held_out: dict[str, float] = {}
    for f in range(FOLDS):
        best = _best(values, [q for q in fold if fold[q] != f])
        held_out |= {q: values[best][q] for q in fold if fold[q] == f}
    [comparison] = compare_values({_MEASURE: values[index.config]}, {_MEASURE: held_out})
    result = Tuning(index.config, _best(values, list(fold)), comparison)
    return result if result.gained else Tuning(index.config, index.config, comparison)


def _best(
    values: dict[RetrievalConfig, dict[str, float]], questions: Sequence[str]
) -> RetrievalConfig:
    """The setting with the best mean; the first tried wins a tie, which is the one there is."""
    return max(values, key=lambda weights: mean([values[weights][q] for q in questions]) or 0.0)
