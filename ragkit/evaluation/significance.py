"""Significance of the difference between two runs over the same questions.

All tests are paired and two-sided and take per-question values. They use fixed seeds: equal input
gives equal p-values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ragkit.evaluation.measures import DIGITS

__all__ = [
    "Comparison",
    "bootstrap_interval",
    "compare_values",
    "holm",
    "mcnemar",
    "mean_interval",
    "minimum_detectable_effect",
    "permutation_test",
]

Floats = NDArray[np.float64]

RESAMPLES = 10_000
_EXACT = 14  # number of differences up to which all 2^n sign patterns are tested
_Z_ALPHA, _Z_POWER = 1.959964, 0.841621  # two-sided 5 %, power 80 %


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure in two runs.

    Attributes:
        measure: name of the measure.
        n: number of questions.
        before: mean of the first run.
        after: mean of the second run.
        difference: ``after − before``.
        low: lower bound of the difference's 95 % bootstrap interval.
        high: upper bound of that interval.
        p: p-value of the paired permutation test.
        adjusted: ``p`` after Holm's adjustment for all measures compared.
        mcnemar: p-value of McNemar's test; None unless all values are 0 or 1.
        detectable: minimum detectable effect at 5 % significance and 80 % power.
        better: number of questions whose value rose.
        worse: number of questions whose value fell.

    """

    measure: str
    n: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    mcnemar: float | None
    detectable: float
    better: int
    worse: int

    def significant(self, alpha: float = 0.05) -> bool:
        """Return whether the adjusted p-value is below ``alpha``."""
        return self.adjusted < alpha


def compare_values(
    before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]
) -> list[Comparison]:
    """Compare two runs, measure by measure, and adjust the p-values together.

    Args:
        before: ``{measure: {question id: value}}`` of the first run.
        after: the same of the second run. A question that only one run has counts 0 in the other.

    Returns:
        A comparison for each measure of ``before`` that has values, in its order.

    """
    rows = [(name, *_paired(before[name], after.get(name, {}))) for name in before if before[name]]
    tests = [permutation_test(b - a) for _, a, b in rows]
    adjusted = holm(tests)
    return [
        _comparison(name, a, b, p, h)
        for (name, a, b), p, h in zip(rows, tests, adjusted, strict=True)
    ]


def bootstrap_interval(differences: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Return the paired bootstrap interval of the mean difference.

    Percentile method (Efron & Tibshirani 1993, chapter 13) with 10,000 resamples.

    Args:
        differences: paired differences, shape ``(n,)``.
        level: coverage of the interval, in (0, 1).

    Returns:
        Lower and upper bound; ``(0, 0)`` if all differences are 0.

    """
    if not differences.any():
        return 0.0, 0.0
    rng = np.random.default_rng(0)
    n = len(differences)
    means = np.empty(RESAMPLES)
    for start in range(0, RESAMPLES, 1000):  # in blocks, so that memory stays small
        means[start : start + 1000] = differences[rng.integers(0, n, (1000, n))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean of values in [0, 1] (Wilson 1927).

    For values of 0 and 1 it is the score interval of a proportion; for others it is wider than
    needed, since their variance is at most that of a proportion with the same mean. It stays wide
    for few values, also if all are 1.

    Args:
        values: at least one.

    """
    n, mean = len(values), sum(values) / len(values)
    square = _Z_ALPHA**2
    half = _Z_ALPHA * math.sqrt(mean * (1 - mean) / n + square / (4 * n**2))
    center, scale = mean + square / (2 * n), 1 + square / n
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def permutation_test(differences: Floats) -> float:
    """Return the two-sided p-value of the paired permutation (sign-flip) test.

    The null hypothesis is a mean difference of 0 (Smucker et al. 2007,
    doi:10.1145/1321440.1321528). Up to 14 non-zero differences are tested exactly, by all sign
    patterns. Beyond that, 10,000 random patterns give (extreme + 1) / (patterns + 1), which is
    never 0 (Phipson & Smyth 2010, arXiv:1603.05766).

    Args:
        differences: paired differences, shape ``(n,)``.

    Returns:
        A p-value in (0, 1]; 1 if all differences are 0.

    """
    changed = differences[np.abs(differences) > 1e-12]
    if not len(changed):
        return 1.0
    observed = abs(changed.sum()) - 1e-9
    if len(changed) <= _EXACT:
        signs = np.asarray(list(product((1.0, -1.0), repeat=len(changed))))
        return float((np.abs(signs @ changed) >= observed).mean())
    rng = np.random.default_rng(0)
    signs = rng.choice((1.0, -1.0), size=(RESAMPLES, len(changed)))
    extreme = int((np.abs(signs @ changed) >= observed).sum())
    return (extreme + 1) / (RESAMPLES + 1)


def mcnemar(before: Sequence[float] | Floats, after: Sequence[float] | Floats) -> float:
    """Return the two-sided p-value of McNemar's exact test on paired values of 0 or 1.

    It is a binomial test of gains against losses (McNemar 1947, doi:10.1007/BF02295996).
    """
    a, b = np.asarray(before) > 0.5, np.asarray(after) > 0.5
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    n = gained + lost
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, i) for i in range(min(gained, lost) + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjustment of p-values, in the same order (Holm 1979).

    It controls the family-wise error rate: the probability of any false alarm.

    >>> holm([0.01, 0.04])
    [0.02, 0.04]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for position, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - position) * p_values[i]))
        adjusted[i] = running
    return adjusted


def minimum_detectable_effect(n: int, spread: float) -> float:
    """Return the smallest true mean difference that a paired test finds with 80 % power.

    Two-sided at 5 %, by the normal approximation: ``(1.96 + 0.84) · spread / √n``.

    Args:
        n: number of questions.
        spread: standard deviation of the paired differences. For values of 0 or 1 of which a
            fraction ``d`` changes, it is about ``√d``.

    Returns:
        The difference, in units of the measure.

    """
    return float((_Z_ALPHA + _Z_POWER) * spread / n**0.5)


def _paired(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Both runs' values question by question, as exactly as reports are saved."""
    names = list(dict.fromkeys([*before, *after]))
    return (
        np.asarray([round(before.get(name, 0.0), DIGITS) for name in names]),
        np.asarray([round(after.get(name, 0.0), DIGITS) for name in names]),
    )


def _comparison(name: str, a: Floats, b: Floats, p: float, adjusted: float) -> Comparison:
    difference = b - a
    low, high = bootstrap_interval(difference)
    hits = bool(np.isin(np.concatenate([a, b]), (0.0, 1.0)).all())
    return Comparison(
        measure=name,
        n=len(a),
        before=float(a.mean()),
        after=float(b.mean()),
        difference=float(difference.mean()),
        low=low,
        high=high,
        p=p,
        adjusted=adjusted,
        mcnemar=mcnemar(a, b) if hits else None,
        detectable=minimum_detectable_effect(len(a), float(difference.std())),
        better=int((difference > 1e-12).sum()),
        worse=int((difference < -1e-12).sum()),
    )
