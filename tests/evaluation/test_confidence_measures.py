"""Measures of confidence, compared with scikit-learn and worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from ragkit.evaluation import confidence_measures as m


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20).map(lambda i: i / 20), st.booleans()), min_size=2, max_size=60
    )
)
def test_auroc_and_brier_equal_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = zip(*pairs, strict=True)
    assert m.brier(scores, labels) == pytest.approx(brier_score_loss(labels, scores))
    if len(set(labels)) == 2:
        assert m.area_under_roc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    else:
        assert m.area_under_roc(scores, labels) is None


@pytest.mark.parametrize("auroc", [0.0, 0.3, 0.5, 0.97, 1.0])
def test_the_interval_of_auroc_holds_it_and_is_symmetric(auroc: float) -> None:
    low, high = m.area_under_roc_interval(auroc, 30, 12)
    assert 0 <= low <= auroc <= high <= 1
    assert high - low > 0.05
    mirrored = m.area_under_roc_interval(1 - auroc, 30, 12)
    assert mirrored == pytest.approx((1 - high, 1 - low))
    wider = m.area_under_roc_interval(auroc, 6, 3)
    assert wider[1] - wider[0] > high - low


def test_the_interval_of_auroc_holds_the_true_value_95_times_in_100() -> None:
    rng = np.random.default_rng(5)
    labels = [True] * 40 + [False] * 20
    true = 0.760250  # P(a > b), a normal around 1 and b around 0: Φ(1 / √2)
    held = 0
    for _ in range(2000):
        scores = np.concatenate([rng.normal(1, 1, 40), rng.normal(0, 1, 20)])
        auroc = m.area_under_roc(scores.tolist(), labels)
        assert auroc is not None
        low, high = m.area_under_roc_interval(auroc, 40, 20)
        held += low <= true <= high
    assert held / 2000 == pytest.approx(0.95, abs=0.02)


def test_risk_coverage_and_ece_on_hand_worked_examples() -> None:
    confidence, correct = [0.9, 0.8, 0.8, 0.1], [True, True, False, False]
    coverage, risk = m.risk_coverage(confidence, correct)
    np.testing.assert_allclose(coverage, [0.25, 0.75, 1.0])  # the tie at 0.8 is one step
    np.testing.assert_allclose(risk, [0, 1 / 3, 1 / 2])
    assert m.area_under_risk_coverage(confidence, correct) == pytest.approx(0.5 / 3 + 0.25 / 2)
    # bins: [0.1] 0 of 1; [0.8, 0.8] 1 of 2; [0.9] 1 of 1
    expected = 0.25 * 0.1 + 0.5 * abs(0.8 - 0.5) + 0.25 * 0.1
    assert m.expected_calibration_error(confidence, correct) == pytest.approx(expected)
