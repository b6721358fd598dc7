"""Telling change from noise between two runs over the same questions.

All tests are paired and two-sided, deterministic (fixed seeds), and work on per-question values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Comparison",
    "bootstrap_interval",
    "compare_values",
    "holm",
    "mcnemar",
    "minimum_detectable_effect",
    "randomisation_test",
]

Floats = NDArray[np.float64]

RESAMPLES = 10_000
_EXACT = 14  # up to 2^14 sign patterns are enumerated
_Z_ALPHA, _Z_POWER = 1.959964, 0.841621  # two-sided 5 %, power 80 %


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure in two runs: means, the mean difference B − A with its 95 % interval, p-values.

    ``p`` is the paired randomisation test's, ``adjusted`` is Holm's over all measures compared,
    ``mcnemar`` is given for measures that are hits or misses. ``detectable`` is the smallest true
    difference that a set of this size and spread would show in 4 of 5 runs.
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
        return self.adjusted < alpha


def compare_values(
    before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]
) -> list[Comparison]:
    """Measure → question → value, twice: a comparison a measure, Holm-adjusted together.

    A question that is missing on one side counts 0 there.
    """
    rows = [(name, *_paired(before[name], after.get(name, {}))) for name in before if before[name]]
    tests = [randomisation_test(b - a) for _, a, b in rows]
    adjusted = holm(tests)
    return [
        _comparison(name, a, b, p, h)
        for (name, a, b), p, h in zip(rows, tests, adjusted, strict=True)
    ]


def bootstrap_interval(differences: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of paired differences (Efron & Tibshirani 1993)."""
    if not differences.any():
        return 0.0, 0.0
    rng = np.random.default_rng(0)
    n = len(differences)
    means = np.empty(RESAMPLES)
    for start in range(0, RESAMPLES, 1000):  # in blocks, so that memory stays small
        means[start : start + 1000] = differences[rng.integers(0, n, (1000, n))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def randomisation_test(differences: Floats) -> float:
    """Paired randomisation (sign-flip) test of a zero mean difference; two-sided p.

    Exact by enumeration for up to 14 non-zero differences, else 10,000 random sign patterns with
    the add-one estimate (Phipson & Smyth 2010), which is never 0. See Smucker et al. 2007.
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
    """McNemar's exact test for hits (0 or 1) of paired questions; two-sided binomial p."""
    a, b = np.asarray(before) > 0.5, np.asarray(after) > 0.5
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    n = gained + lost
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, i) for i in range(min(gained, lost) + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979): controls the chance of any false alarm."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for position, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - position) * p_values[i]))
        adjusted[i] = running
    return adjusted


def minimum_detectable_effect(n: int, spread: float) -> float:
    """The smallest mean difference found at 5 % two-sided with power 80 %.

    ``spread``: standard deviation of the paired differences; for hits of which a fraction d
    changes, about √d. Normal approximation: (1.96 + 0.84) · spread / √n.
    """
    return float((_Z_ALPHA + _Z_POWER) * spread / n**0.5)


def _paired(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[Floats, Floats]:
    names = list(dict.fromkeys([*before, *after]))
    return (
        np.asarray([before.get(name, 0.0) for name in names]),
        np.asarray([after.get(name, 0.0) for name in names]),
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
