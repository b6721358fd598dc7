"""A confidence threshold that bounds the error rate, by conformal risk control.

Angelopoulos, Bates, Fisch, Lei & Schuster 2022, arXiv:2208.02814. The loss of a question is 1 if
it gets a wrong answer, else 0; it never rises with the threshold, as the method requires.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ragkit.errors import InputError
from ragkit.evaluation.report import Report

__all__ = ["ASSUMPTION", "CalibratedThreshold", "threshold_for"]

ASSUMPTION = (
    "The bound holds on average over calibration sets, if future questions are exchangeable with "
    "these."
)


@dataclass(frozen=True, slots=True)
class CalibratedThreshold:
    """A threshold, its bound, and what it gives on the calibration questions.

    Attributes:
        threshold: confidence below which to abstain.
        max_error: bound on the expected fraction of all questions that get a wrong answer.
        error: fraction of the calibration questions that get a wrong answer.
        answered: fraction of the calibration questions that are answered.
        n: number of calibration questions.

    """

    threshold: float
    max_error: float
    error: float
    answered: float
    n: int


def threshold_for(report: Report, max_error: float) -> CalibratedThreshold:
    """Return the lowest threshold with ``(wrong answers + 1) / (n + 1) ≤ max_error``.

    An answer is wrong if the question is unanswerable or the first passage holds no evidence.

    Args:
        report: a run over the calibration questions.
        max_error: bound on the fraction of wrong answers, in (0, 1).

    Raises:
        InputError: ``max_error`` is outside (0, 1), or below ``1 / (n + 1)``.

    """
    n = len(report.outcomes)
    if not 0 < max_error < 1:
        raise InputError(f"max_error is {max_error}; expected a fraction between 0 and 1.")
    if 1 / (n + 1) > max_error:
        raise InputError(
            f"the set has {n} questions; a max_error of {max_error} needs at least "
            f"{int(1 / max_error)}. Add questions or raise max_error."
        )
    confidence = np.asarray([o.confidence for o in report.outcomes])
    wrong = np.asarray([not o.correct for o in report.outcomes])
    allowed = int(np.floor(max_error * (n + 1) + 1e-9)) - 1
    ranked = np.sort(confidence[wrong])[::-1]
    # The next float above the most confident wrong answer that exceeds the allowed number.
    threshold = 0.0 if len(ranked) <= allowed else float(np.nextafter(ranked[allowed], 2))
    answered = confidence >= threshold
    return CalibratedThreshold(
        threshold, max_error, float((answered & wrong).mean()), float(answered.mean()), n
    )
