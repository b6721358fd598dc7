"""Significance tests, compared with scipy and worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ragkit.evaluation import significance as s


def test_the_exact_permutation_test_equals_scipys() -> None:
    differences = np.asarray([1.0, 1, 1, -1, 0.5, 1, 0.25, -0.5])
    truth = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert s.permutation_test(differences) == pytest.approx(truth.pvalue)


def test_the_sampled_permutation_test_is_near_the_exact_one_and_never_zero() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.15, 1, 60)
    truth = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=50_000, rng=rng
    )
    assert s.permutation_test(differences) == pytest.approx(truth.pvalue, abs=0.02)
    assert s.permutation_test(np.ones(60)) > 0
    assert s.permutation_test(np.zeros(60)) == 1


def test_mcnemar_equals_scipys_binomial_test() -> None:
    before = [1.0] * 10 + [0.0] * 20
    after = [0.0] * 7 + [1.0] * 5 + [0.0] * 18
    assert s.mcnemar(before, after) == pytest.approx(stats.binomtest(2, 9, 0.5).pvalue)
    assert s.mcnemar(before, before) == 1


def test_the_bootstrap_interval_is_near_scipys() -> None:
    differences = np.random.default_rng(5).choice([-1.0, 0, 0, 1, 1], 200)
    truth = stats.bootstrap((differences,), np.mean, method="percentile", rng=1).confidence_interval
    low, high = s.bootstrap_interval(differences)
    assert low == pytest.approx(truth.low, abs=0.015)
    assert high == pytest.approx(truth.high, abs=0.015)


def test_holm_on_a_hand_worked_example() -> None:
    # 0.01·4, then max(0.02·3, 0.04), then 0.03·2, then 0.9·1
    assert s.holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])


def test_the_minimum_detectable_effect_is_found_in_four_of_five_simulated_runs() -> None:
    n, changing = 400, 0.2
    effect = s.minimum_detectable_effect(n, changing**0.5)
    rng = np.random.default_rng(0)
    lost, won = changing / 2 - effect / 2, changing / 2 + effect / 2
    found = [
        s.mcnemar(np.zeros(n) + (d < 0), np.zeros(n) + (d > 0)) < 0.05
        for d in rng.choice([-1, 0, 1], p=[lost, 1 - changing, won], size=(400, n))
    ]
    assert 0.7 < np.mean(found) < 0.9
