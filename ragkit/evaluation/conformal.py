"""A threshold for a promised error rate, by conformal risk control.

Angelopoulos, Bates, Fisch, Lei & Schuster 2022 (arXiv:2208.02814), for the loss "answered, and
wrong", which can only fall as the threshold rises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ragkit.errors import InputError
from ragkit.evaluation.report import Report

__all__ = ["ASSUMPTION", "Promise", "threshold_for"]

ASSUMPTION = (
    "It holds on average over calibration sets, if the questions to come are like these ones "
    "(exchangeable with them)."
)


@dataclass(frozen=True, slots=True)
class Promise:
    """Abstaining below ``threshold``, at most ``max_error`` of all questions get a wrong answer.

    ``error`` and ``answered`` are the fractions seen on the ``n`` calibration questions.
    """

    threshold: float
    max_error: float
    error: float
    answered: float
    n: int


def threshold_for(report: Report, max_error: float) -> Promise:
    """The lowest threshold that keeps the promise: ``(wrong + 1) / (n + 1) ≤ max_error``.

    A wrong answer is one given to an unanswerable question, or whose first passage lacks the
    evidence. Raises InputError if ``max_error`` is not inside (0, 1), or too small for so few
    questions.
    """
    n = len(report.outcomes)
    if not 0 < max_error < 1:
        raise InputError(f"max_error is {max_error}; expected a fraction between 0 and 1.")
    if 1 / (n + 1) > max_error:
        raise InputError(
            f"{n} questions cannot promise an error of {max_error}; expected at least "
            f"{int(1 / max_error)} questions."
        )
    confidence = np.asarray([o.confidence for o in report.outcomes])
    wrong = np.asarray([not o.correct for o in report.outcomes])
    allowed = int(np.floor(max_error * (n + 1) + 1e-9)) - 1
    ranked = np.sort(confidence[wrong])[::-1]
    # Just above the most confident wrong answer that may no longer be given.
    threshold = 0.0 if len(ranked) <= allowed else float(np.nextafter(ranked[allowed], 2))
    kept = confidence >= threshold
    return Promise(threshold, max_error, float((kept & wrong).mean()), float(kept.mean()), n)
