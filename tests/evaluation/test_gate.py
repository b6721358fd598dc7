"""The gate: unchanged runs pass, and each kind of regression fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit import Answer, Document, Encoder, Index, InputError, Passage
from ragkit.evaluation import (
    Evidence,
    GateError,
    Question,
    QuestionSet,
    Report,
    check_gate,
    compare_reports,
    evaluate_index,
    load_baseline,
    load_floors,
)
from ragkit.evaluation.harness import save_baseline
from ragkit.evaluation.questions import resolve

Damage = Callable[[Question, Answer], Answer]
Rerun = Callable[[Damage], Report]


@pytest.fixture(scope="module")
def rerun(
    committed: QuestionSet, german_soviet: Index, committed_answers: Mapping[str, Answer]
) -> Rerun:
    """The same answers, some of them damaged, measured again."""
    asked = {q.text: (q, committed_answers[q.text]) for q in committed}
    return lambda damage: evaluate_index(
        committed, german_soviet, ask=lambda text: damage(*asked[text])
    )


def ranked(passages: Iterable[Passage]) -> tuple[Passage, ...]:
    return tuple(replace(p, rank=i) for i, p in enumerate(passages, start=1))


def test_unchanged_reruns_never_fail(report: Report) -> None:
    rng = random.Random(0)
    for _ in range(200):
        # Another machine rounds differently: scores and confidence move in the sixth digit.
        moved = tuple(
            replace(o, confidence=o.confidence + rng.uniform(-1e-6, 1e-6)) for o in report.outcomes
        )
        verdict = check_gate(replace(report, outcomes=moved), report, {})
        assert verdict.passed
        assert not verdict.changed


def test_shuffled_passages_are_caught(report: Report, rerun: Rerun) -> None:
    rng = random.Random(1)

    def shuffle(_: Question, answer: Answer) -> Answer:
        passages = list(answer.passages)
        rng.shuffle(passages)
        return replace(answer, passages=ranked(passages))

    verdict = check_gate(rerun(shuffle), report, {})
    assert any("Success@1 fell significantly" in reason for reason in verdict.reasons)
    assert verdict.changed


def test_one_broken_category_is_caught(report: Report, rerun: Rerun) -> None:
    def forget_numbers(question: Question, answer: Answer) -> Answer:
        return replace(answer, passages=()) if question.category == "number" else answer

    verdict = check_gate(rerun(forget_numbers), report, {})
    assert any("fell significantly" in reason for reason in verdict.reasons)
    assert {after.category for _, after in verdict.changed} == {"number"}
    floors = {"categories": {"number": {"Success@5": 0.5}}}
    verdict = check_gate(rerun(forget_numbers), report, floors)
    assert any("Success@5 of number is 0.000, below its floor 0.5" in r for r in verdict.reasons)


def test_one_broken_must_pass_question_is_caught(
    report: Report, committed: QuestionSet, rerun: Rerun
) -> None:
    victim = next(q for q in committed if q.must_pass)

    def break_it(question: Question, answer: Answer) -> Answer:
        return (
            replace(answer, passages=ranked(answer.passages[1:])) if question == victim else answer
        )

    verdict = check_gate(rerun(break_it), report, {})
    assert [r for r in verdict.reasons if victim.id in r]
    with pytest.raises(GateError, match=victim.id):
        verdict.check()


def test_a_citation_that_does_not_resolve_is_caught(
    committed: QuestionSet, german_soviet: Index
) -> None:
    def misplace(_: Question, answer: Answer) -> Answer:
        first, *rest = answer.passages
        citation = replace(
            first.citation, start=first.citation.start + 1, end=first.citation.end + 1
        )
        return replace(answer, passages=(replace(first, citation=citation, highlights=()), *rest))

    wrong = evaluate_index(
        QuestionSet("one", tuple(q for q in committed if not q.answerable)[:1]), german_soviet,
        ask=lambda text: misplace(committed.questions[0], german_soviet.ask(text, k=10)),
    )  # fmt: skip
    assert wrong.citation_validity < 1
    assert any("citations do not resolve" in r for r in check_gate(wrong, wrong, {}).reasons)


def test_unresolved_gold_and_another_question_set_are_caught(report: Report) -> None:
    lost = replace(report, unresolved_gold=("weimar-001",))
    assert any("gold evidence does not resolve" in r for r in check_gate(lost, report, {}).reasons)
    first, *rest = report.outcomes
    other = replace(
        report,
        configuration=replace(report.configuration, questions="x"),
        outcomes=(replace(first, question="Another?"), *rest),
    )
    assert any("bless" in r for r in check_gate(other, report, {}).reasons)


def test_a_report_compared_with_itself_has_no_difference(report: Report) -> None:
    for comparison in compare_reports(report, report):
        assert (comparison.difference, comparison.adjusted) == (0, 1)


def test_a_run_compared_with_its_own_baseline_file_has_no_difference(
    report: Report, tmp_path: Path
) -> None:
    save_baseline(report, tmp_path)
    for comparison in compare_reports(load_baseline(tmp_path), report):
        assert (comparison.better, comparison.worse, comparison.adjusted) == (0, 0, 1)


@pytest.mark.parametrize(
    "floors",
    [
        '{"overall": {"RR": "0.5"}}',
        '{"categories": {"a": 0.5}}',
        '{"overal": {"RR": 9}}',
        '{"overall": {"Sucess@1": 1}}',
        "[]",
    ],
)
def test_floors_that_could_never_apply_are_refused(tmp_path: Path, floors: str) -> None:
    path = tmp_path / "floors.json"
    path.write_text(floors, encoding="utf-8")
    with pytest.raises(InputError, match="holds no valid floors"):
        load_floors(path)


def test_an_edit_that_moves_the_gold_is_not_another_question_set(tiny: Encoder) -> None:
    """The baseline of before the edit still holds: the same is asked, and quotes the same."""
    text = "The library opens at nine. On Sundays it is closed."
    quote = "On Sundays it is closed."
    asked = Question("q", "When is it closed?", True, evidence=(Evidence("hours", -1, -1, quote),))

    def run(text: str, question: Question) -> Report:
        documents = [Document("hours", "Library", text)]
        index = Index.build(documents, encoder=tiny)
        questions = resolve(QuestionSet("set", (question,)), {d.id: d for d in documents})
        return evaluate_index(questions, index)

    moved = check_gate(run(f"Welcome! {text}", asked), run(text, asked), {})
    assert moved.checks["question set"] is None
    other = check_gate(run(text, replace(asked, text="When may I come?")), run(text, asked), {})
    assert "differs from the baseline's" in str(other.checks["question set"])
