"""Reports: JSON, TREC, Markdown, JUnit XML and HTML."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import ir_measures
import pytest
from ir_measures import RR, R, Success, nDCG

from ragkit import Index
from ragkit.evaluation import (
    QuestionSet,
    Report,
    check_gate,
    evaluate_index,
    html_report,
    junit,
    load_qrels,
    load_report,
    load_run,
    markdown,
    separation_by_category,
    to_qrels,
    to_run,
    write_qrels,
    write_run,
)


def test_a_report_survives_the_round_trip_and_is_deterministic(
    report: Report, committed: QuestionSet, german_soviet: Index, tmp_path: Path
) -> None:
    (tmp_path / "r.json").write_text(json.dumps(report.to_dict()), encoding="utf-8")
    assert load_report(tmp_path / "r.json").to_dict() == report.to_dict()
    some = QuestionSet("some", committed.questions[::6])
    first, again = (evaluate_index(some, german_soviet) for _ in range(2))
    assert again.to_dict(timed=False) == first.to_dict(timed=False)


def test_exported_runs_and_qrels_give_the_reports_values_in_ir_measures(
    report: Report, tmp_path: Path
) -> None:
    write_run(to_run(report), tmp_path / "run")
    write_qrels(to_qrels(report), tmp_path / "qrels")
    run, qrels = load_run(tmp_path / "run"), load_qrels(tmp_path / "qrels")
    names = {
        Success @ 1: "Success@1",
        Success @ 5: "Success@5",
        RR: "RR",
        R @ 10: "Recall@10",
        nDCG @ 10: "nDCG@10",
    }
    # Where one passage is first to hold two parts, a TREC run cannot say so.
    fit = {o.id for o in report.outcomes if o.answerable and all(len(t.covers) <= 1 for t in o.top)}
    assert len(fit) > 200
    wanted = {q: judged for q, judged in qrels.items() if q in fit}
    for metric in ir_measures.iter_calc(list(names), wanted, {q: run[q] for q in fit}):
        value = report.values(names[metric.measure])[metric.query_id]
        assert value == pytest.approx(metric.value)


def test_markdown_and_junit_say_what_the_gate_says(report: Report) -> None:
    outcomes = tuple(replace(o, must_pass=False) for o in report.outcomes)
    good = replace(report, outcomes=outcomes)
    assert "**The gate passes.**" in markdown(good, check_gate(good, good, {}))
    bad = check_gate(good, good, {"overall": {"Success@1": 1.1}})
    assert "**The gate fails:**" in markdown(good, bad)
    suite = ET.fromstring(junit(good, bad))  # noqa: S314 - our own output
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_confidence_is_compared_for_each_kind_of_unanswerable_question(report: Report) -> None:
    """Two answerable questions and three others, ranked by hand."""
    confidences = [0.9, 0.5, 0.7, 0.1, 0.5]
    kinds = ["", "", "swapped", "off topic", "off topic"]
    outcomes = tuple(
        replace(report.outcomes[0], id=str(i), answerable=not kind, category=kind, confidence=c)
        for i, (c, kind) in enumerate(zip(confidences, kinds, strict=True))
    )
    made = replace(report, outcomes=outcomes)
    separations = separation_by_category(made)
    assert {name: (one.n, one.auroc) for name, one in separations.items()} == {
        "swapped": (1, 0.5),
        "off topic": (2, 0.875),
    }
    assert "| off topic | 2 | 0.875 | 0.300 … 0.991 |" in markdown(made)
    assert "Confidence: answerable against unanswerable" in html_report(made)


def with_confidences(report: Report, real: list[float], others: list[float]) -> Report:
    outcomes = tuple(
        replace(report.outcomes[0], id=str(i), answerable=i < len(real), confidence=confidence)
        for i, confidence in enumerate([*real, *others])
    )
    return replace(report, outcomes=outcomes)


def test_a_set_whose_unanswerable_questions_confidence_cannot_tell_is_flagged(
    report: Report,
) -> None:
    alike = with_confidences(report, [0.1, 0.5, 0.9] * 40, [0.2, 0.6, 0.95] * 20)
    [note] = check_gate(alike, alike, {}).notes
    assert "confidence cannot tell the unanswerable questions" in note
    assert "AUROC 0.33, 95 % interval 0.2" in note
    assert check_gate(alike, alike, {}).passed  # it says something of the set, not of the change
    for text in (markdown(alike), html_report(alike)):
        assert "confidence cannot tell" in text
    told = with_confidences(report, [0.5, 0.9] * 30, [0.1, 0.6] * 15)
    few = with_confidences(report, [0.1, 0.2], [0.8, 0.9])  # all wrong, but only four
    one_kind = with_confidences(report, [0.1, 0.2], [])
    for fine in (told, few, one_kind):
        assert not check_gate(fine, fine, {}).notes
        assert "cannot tell" not in markdown(fine)


def test_junit_has_a_case_for_each_must_pass_question(report: Report) -> None:
    suite = ET.fromstring(junit(report))  # noqa: S314 - our own output
    assert len(suite) == sum(o.must_pass for o in report.outcomes) > 0
    assert suite.get("failures") == "0"


def test_the_html_report_shows_every_failure_and_fetches_and_runs_nothing(report: Report) -> None:
    nasty = replace(report.outcomes[0], question="<script>alert(1)</script>", rank=None)
    page = html_report(replace(report, outcomes=(nasty, *report.outcomes[1:])))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 4
    assert "src=" not in page
    assert page.count("<article") == len(list(report.failures())) + (report.outcomes[0].rank == 1)
    assert html_report(report) == html_report(report)
