"""Measures: hand-worked examples, and independent implementations as oracles."""

from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from ragkit import Answer, Citation, Passage, Span
from ragkit.evaluation import measures as m
from ragkit.evaluation import significance as s
from ragkit.evaluation.questions import Evidence, Question

TEXT = "0123456789" * 20


def passage(start: int, end: int, rank: int = 1, *, highlight: Span | None = None) -> Passage:
    citation = Citation("d", "T", (), start, end, TEXT[start:end])
    return Passage(citation.quote, 1 / rank, rank, citation, (highlight or Span(start, end),))


def question(*evidence: tuple[int, int, int], answers: tuple[str, ...] = ()) -> Question:
    spans = tuple(Evidence("d", a, b, TEXT[a:b], part) for a, b, part in evidence)
    return Question("q", "?", bool(evidence), answers, spans)


def test_a_passage_covers_evidence_that_it_holds_by_half() -> None:
    evidence = Evidence("d", 10, 20, TEXT[10:20])
    assert m.covers(passage(0, 15), evidence)
    assert not m.covers(passage(0, 14), evidence)
    assert m.covers(passage(12, 16), evidence)  # it lies inside: half of the shorter
    assert not m.covers(passage(20, 30), evidence)
    elsewhere = Passage("x", 1.0, 1, Citation("other", "T", (), 10, 11, "x"))
    assert not m.covers(elsewhere, evidence)


def test_a_hand_worked_ranking_of_two_needed_parts() -> None:
    # Part 0 stands twice ([0, 10) or [20, 30)), part 1 once ([40, 50)).
    gold = question((0, 10, 0), (20, 30, 0), (40, 50, 1))
    ranking = [passage(60, 70), passage(20, 30), passage(0, 10), passage(40, 50)]
    assert m.gains(ranking, gold) == [0, 1, 0, 1]  # the second copy of part 0 is not new
    assert m.success(ranking, gold, 1) == 0
    assert m.success(ranking, gold, 2) == 1
    assert m.recall(ranking, gold, 3) == 0.5
    assert m.recall(ranking, gold, 4) == 1
    assert m.reciprocal_rank(ranking, gold) == 0.5
    dcg = 1 / math.log2(3) + 1 / math.log2(5)
    assert m.ndcg(ranking, gold) == pytest.approx(dcg / (1 + 1 / math.log2(3)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 14), unique=True, max_size=12),
    st.sets(st.integers(0, 14), min_size=1, max_size=5),
)
def test_retrieval_measures_equal_ir_measures(ranked: list[int], relevant: set[int]) -> None:
    gold = question(*((10 * i, 10 * i + 10, part) for part, i in enumerate(sorted(relevant))))
    ranking = [passage(10 * i, 10 * i + 10, rank) for rank, i in enumerate(ranked, start=1)]
    qrels = {"q": {f"d{i}": 1 for i in relevant}}
    run = {"q": {f"d{i}": float(-rank) for rank, i in enumerate(ranked)}}
    wanted = [Success @ 1, Success @ 5, R @ 5, R @ 10, RR, nDCG @ 10]
    truth = ir_measures.calc_aggregate(wanted, qrels, run)
    assert m.success(ranking, gold, 1) == pytest.approx(truth[Success @ 1])
    assert m.success(ranking, gold, 5) == pytest.approx(truth[Success @ 5])
    assert m.recall(ranking, gold, 5) == pytest.approx(truth[R @ 5])
    assert m.recall(ranking, gold, 10) == pytest.approx(truth[R @ 10])
    assert m.reciprocal_rank(ranking, gold) == pytest.approx(truth[RR])
    assert m.ndcg(ranking, gold) == pytest.approx(truth[nDCG @ 10])


def test_squad_measures_on_hand_worked_examples() -> None:
    assert m.exact_match("The Treaty, signed!", ["treaty signed"]) == 1
    assert m.exact_match("treaty", ["treaty signed"]) == 0
    # tokens {signed, in, 1922} against {1922}: precision 1/3, recall 1, F1 1/2
    assert m.token_f1("signed in 1922", ["1922", "1923"]) == pytest.approx(0.5)
    assert m.token_f1("", [""]) == 1
    assert m.token_f1("x", []) == 0
    assert m.contains("It was signed in 1917.", ["1917"]) == 1
    assert m.contains("It was signed in 1917.", ["7", "191", "signed 1917"]) == 0
    assert m.contains("Franz von Papen", ["von Papen"]) == 1


def test_span_precision_and_recall_count_code_points() -> None:
    gold = question((0, 10, 0), (90, 100, 0))
    best = passage(0, 40, highlight=Span(5, 25))
    answer = Answer("?", True, best.quote(Span(5, 25)), 1.0, (best,))
    assert m.span_precision(answer, gold) == 5 / 20
    assert m.span_recall(answer, gold) == 5 / 10


def test_a_missing_answer_scores_zero_and_never_disappears() -> None:
    values = m.score_answer(None, question((0, 10, 0), answers=("0",)))
    assert values["highlight"] is None  # only asked of questions whose passage was found
    assert all(value == 0 for name, value in values.items() if name != "highlight")
    assert m.score_answer(None, question())["abstention"] == 0


def test_measures_that_do_not_apply_are_none_not_zero() -> None:
    silent = Answer("?", False, "", 0.1, (passage(0, 10),))
    values = m.score_answer(silent, question())
    assert values["abstention"] == 1
    assert all(value is None for name, value in values.items() if name != "abstention")
    assert m.mean([None, 1.0, 0.0]) == 0.5
    assert m.mean([None]) is None


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


def test_risk_coverage_and_ece_on_hand_worked_examples() -> None:
    confidence, correct = [0.9, 0.8, 0.8, 0.1], [True, True, False, False]
    coverage, risk = m.risk_coverage(confidence, correct)
    np.testing.assert_allclose(coverage, [0.25, 0.75, 1.0])  # the tie at 0.8 is one step
    np.testing.assert_allclose(risk, [0, 1 / 3, 1 / 2])
    assert m.area_under_risk_coverage(confidence, correct) == pytest.approx(0.5 / 3 + 0.25 / 2)
    # bins: [0.1] 0 of 1; [0.8, 0.8] 1 of 2; [0.9] 1 of 1
    expected = 0.25 * 0.1 + 0.5 * abs(0.8 - 0.5) + 0.25 * 0.1
    assert m.expected_calibration_error(confidence, correct) == pytest.approx(expected)


def test_the_exact_randomisation_test_equals_scipys() -> None:
    differences = np.asarray([1.0, 1, 1, -1, 0.5, 1, 0.25, -0.5])
    truth = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert s.randomisation_test(differences) == pytest.approx(truth.pvalue)


def test_the_sampled_randomisation_test_is_near_the_exact_one_and_never_zero() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.15, 1, 60)
    truth = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=50_000, rng=rng
    )
    assert s.randomisation_test(differences) == pytest.approx(truth.pvalue, abs=0.02)
    assert s.randomisation_test(np.ones(60)) > 0
    assert s.randomisation_test(np.zeros(60)) == 1


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


def test_holm_on_his_own_kind_of_example() -> None:
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
