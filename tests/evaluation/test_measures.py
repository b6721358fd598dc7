"""Measures of one answer, worked by hand and compared with ir_measures."""

from __future__ import annotations

import math
from dataclasses import replace

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG

from ragkit import Answer, Citation, Passage, Span
from ragkit.evaluation import measures as m
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


def test_a_short_answer_counts_by_its_tokens_and_a_missing_one_is_nothing() -> None:
    gold = question((0, 10, 0), answers=("the year 1922",))
    one = passage(0, 10)
    short = Citation("d", "T", (), 0, 4, "1922")
    answer = Answer("?", True, one.text, 0.9, (one,), short=short)
    assert m.score_answer(answer, gold)["short token F1"] == pytest.approx(2 / 3)
    assert m.score_answer(replace(answer, short=None), gold)["short token F1"] == 0


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
