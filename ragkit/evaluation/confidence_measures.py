"""Measures of confidence over a question set: does confidence rank and predict correctness?

Confidence lies in [0, 1]. AURC, ECE and the Brier score are **lower is better**.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "area_under_risk_coverage",
    "area_under_roc",
    "area_under_roc_interval",
    "brier",
    "expected_calibration_error",
    "risk_coverage",
]

Floats = NDArray[np.float64]


def area_under_roc(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """AUROC: P(score of a positive > score of a negative) + ½ P(equal); higher is better.

    Equals Mann–Whitney's U / (n₊ · n₋); Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.

    Returns:
        A value in [0, 1]; None if there are only positives or only negatives.

    """
    s, p = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if p.all() or not p.any():
        return None
    difference = s[p][:, None] - s[~p][None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def area_under_roc_interval(auroc: float, positives: int, negatives: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an AUROC.

    Newcombe 2006, doi:10.1002/sim.2324, method 5: as Wilson's interval, it has no width of 0 for
    an AUROC of 0 or 1, so that small sets are not taken for certain ones.

    Args:
        auroc: the value, in [0, 1].
        positives: number of positives, at least 1.
        negatives: number of negatives, at least 1.

    >>> [round(end, 3) for end in area_under_roc_interval(0.8, 50, 50)]
    [0.697, 0.871]

    """

    def is_inside(value: float) -> bool:
        spread = (1 - value) / (2 - value) + value / (1 + value)
        others = (positives + negatives) / 2 - 1
        variance = value * (1 - value) * (1 + others * spread) / (positives * negatives)
        return abs(auroc - value) <= _Z * math.sqrt(variance)

    return _end(auroc, 0.0, is_inside), _end(auroc, 1.0, is_inside)


_Z = 1.959964  # standard normal deviate of 95 %


def _end(inside: float, outside: float, is_inside: Callable[[float], bool]) -> float:
    """Return by bisection where an interval ends, between a value inside and one outside."""
    for _ in range(50):
        middle = (inside + outside) / 2
        if is_inside(middle):
            inside = middle
        else:
            outside = middle
    return inside


def risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[Floats, Floats]:
    """Return the risk–coverage curve (El-Yaniv & Wiener 2010, JMLR 11).

    Args:
        confidence: confidence of each question, shape ``(n,)``.
        correct: whether the answer to each question is correct, shape ``(n,)``.

    Returns:
        Coverage (fraction of questions answered) and risk (fraction of the answered ones that are
        wrong), one point for each distinct confidence in descending order. Questions of equal
        confidence are one step, so their order does not matter.

    """
    c = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-c, kind="stable")
    wrong = np.cumsum(~np.asarray(correct, dtype=bool)[order])
    count = np.arange(1, len(c) + 1)
    last = np.append(c[order][1:] != c[order][:-1], True)
    return (count / len(c))[last], (wrong / count)[last]


def area_under_risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """AURC: Σ risk · Δcoverage over the risk–coverage curve; **lower is better**.

    Geifman & El-Yaniv 2017, arXiv:1705.08500.
    """
    coverage, risk = risk_coverage(confidence, correct)
    return float((risk * np.diff(coverage, prepend=0.0)).sum())


def expected_calibration_error(
    confidence: Sequence[float], correct: Sequence[bool], bins: int = 10
) -> float:
    """ECE: Σ_b (n_b / n) · |mean confidence_b − fraction correct_b|; **lower is better**.

    Guo et al. 2017, arXiv:1706.04599, with bins of equal width.
    """
    c, y = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    which = np.minimum((c * bins).astype(int), bins - 1)
    return float(
        sum(
            (which == b).mean() * abs(c[which == b].mean() - y[which == b].mean())
            for b in np.unique(which)
        )
    )


def brier(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """Brier score: mean of (confidence − correct)²; **lower is better** (Brier 1950)."""
    c, y = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    return float(((c - y) ** 2).mean())
