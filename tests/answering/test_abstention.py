"""Knowing when not to answer: the confidence, the threshold, and promises about error."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ragkit import (
    Abstention,
    Document,
    Encoder,
    Index,
    InputError,
    RetrievalConfig,
    ask,
    check_quotes,
)
from ragkit.answering.confidence import confidence
from ragkit.cli import cli
from ragkit.evaluation import Evidence, Question, QuestionSet, Report, load_set
from ragkit.evaluation.conformal import threshold_for
from ragkit.evaluation.tuning import tune
from ragkit.index import IndexData
from ragkit.reading import Result
from ragkit.retrieval import Query, Retrieved, encode_questions, score_chunks
from support.parts import ROOT


def by_hand(data: IndexData, query: Query) -> float:
    """The docstring's formula, token by token."""
    ranking = score_chunks(data, query, 5)
    s = [r.score for r in ranking]
    margin = (math.sqrt(s[0] - s[1]) + math.sqrt(s[0] - sum(s[1:]) / len(s[1:]))) / 2
    tokens = data.token_vectors(np.asarray([ranking[0].chunk]))
    decoded = tokens.quantizer.decode(tokens.codes) * tokens.scales[:, None]
    vectors = tokens.quantizer.rotate_back(decoded)
    around, *runs = np.split(vectors, np.cumsum(tokens.lengths)[:-1])
    best: tuple[float, float] = (-1.0, 0.0)
    explained = []
    for inside in runs:  # read once: within is alone
        partners = [*inside, *around]
        met = [max(float(q @ d) for d in partners) for q in query.tokens]
        forward = sum(w * a for w, a in zip(query.weights, met, strict=True))
        unmet = sum(w * max(0.0, 1 - a) ** 3 for w, a in zip(query.weights, met, strict=True))
        best = max(best, (float(forward), float(unmet) ** (1 / 3)))
        explained.append(np.mean([max(float(q @ d) for q in query.tokens) for d in inside]))
    logit = 4.13 * margin - 5.01 * best[1] + 3.33 * float(max(explained)) - 0.861
    return 1 / (1 + math.exp(-logit))


def test_without_a_reader_the_confidence_is_the_formula_of_its_docstring(
    german_soviet: Index,
) -> None:
    data = german_soviet._data
    questions = ["Who signed the Treaty of Rapallo?", "Why is the sky blue?"]
    for query in encode_questions(data, german_soviet.encoder, questions, RetrievalConfig()):
        scored = score_chunks(data, query, 5)
        found = confidence(Result(query, Retrieved(scored, scored)))
        assert found == pytest.approx(by_hand(data, query), abs=1e-4)


def test_off_topic_questions_are_not_answered_and_the_nearest_passages_are_shown() -> None:
    for question in ("How do I bake sourdough bread?", "python list comprehension", "hi"):
        answer = ask(question)
        assert not answer.answered
        # Of one or two words the reader reads nothing: they ask for no words that answer.
        is_read = len(question.split()) > 2
        assert answer.reason is (Abstention.OFF_TOPIC if is_read else Abstention.LOW_CONFIDENCE)
        assert answer.text == ""
        assert len(answer.passages) == 5


def test_a_question_without_a_known_word_has_little_confidence(german_soviet: Index) -> None:
    assert 0 < german_soviet.ask("xyzzy plugh").confidence < 0.06


def test_the_threshold_is_the_askers_to_set(german_soviet: Index) -> None:
    question = "Who signed the Treaty of Rapallo?"
    sure = german_soviet.ask(question).confidence
    assert 0.5 < sure < 1
    assert german_soviet.ask(question, threshold=sure).answered
    assert not german_soviet.ask(question, threshold=min(1.0, sure + 0.01)).answered
    assert german_soviet.ask("How do I bake bread?", threshold=0).answered
    for wrong in (-0.1, 1.1, "0.5", True):
        with pytest.raises(InputError, match="expected"):
            german_soviet.ask(question, threshold=wrong)  # type: ignore[arg-type]


def test_k_does_not_change_the_confidence(german_soviet: Index) -> None:
    question = "When was the Treaty of Berlin signed?"
    assert {german_soviet.ask(question, k=k).confidence for k in (1, 5, 20)} == {
        german_soviet.ask(question).confidence
    }


def test_a_corpus_of_one_chunk_still_has_a_confidence(tiny: Encoder) -> None:
    index = Index.build([Document("d", "D", "Bread is made of flour.")], encoder=tiny)
    assert 0 < index.ask("bread").confidence < 1


def test_the_command_line_abstains_with_its_own_status() -> None:
    done = CliRunner().invoke(cli, ["ask", "How do I bake sourdough bread?"])
    assert done.exit_code == 1
    assert "does not say" in done.output
    assert CliRunner().invoke(cli, ["ask", "sourdough bread", "--threshold", "0"]).exit_code == 0


def test_a_promised_error_is_kept_on_the_calibration_questions(report: Report) -> None:
    for most in (0.05, 0.1, 0.2):
        promise = threshold_for(report, most)
        answered = [o for o in report.outcomes if o.confidence >= promise.threshold]
        wrong = sum(not o.correct for o in answered)
        n = len(report.outcomes)
        assert (wrong + 1) / (n + 1) <= most
        assert promise.error == pytest.approx(wrong / n)
        # It is the lowest one: letting the next wrong answer through would break it.
        assert (wrong + 2) / (n + 1) > most


def test_a_promise_holds_on_new_questions_on_average(report: Report) -> None:
    rng = np.random.default_rng(0)
    outcomes = np.asarray(report.outcomes, dtype=object)
    errors = []
    for _ in range(200):
        order = rng.permutation(len(outcomes))
        half = len(outcomes) // 2
        calibration = replace(report, outcomes=tuple(outcomes[order[:half]]))
        threshold = threshold_for(calibration, 0.1).threshold
        new = outcomes[order[half:]]
        errors.append(np.mean([o.confidence >= threshold and not o.correct for o in new]))
    assert np.mean(errors) <= 0.1 + 0.01


def test_an_impossible_promise_is_refused(report: Report) -> None:
    few = replace(report, outcomes=report.outcomes[:5])
    with pytest.raises(InputError, match="needs at least 100"):
        threshold_for(few, 0.01)
    for wrong in (0, 1, -0.1):
        with pytest.raises(InputError, match="between 0 and 1"):
            threshold_for(report, wrong)


def test_the_threshold_command_prints_its_assumption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(cli, ["eval", "threshold", "--max-error", "0.2", "--split", "dev"])
    assert done.exit_code == 0, done.output
    assert "exchangeable" in done.output


def numbered(n: int) -> tuple[list[Document], QuestionSet]:
    texts = [f"The city number {i} has {i * 7} houses and a river." for i in range(n)]
    documents = [Document(f"d{i}", f"City {i}", text) for i, text in enumerate(texts)]
    questions = tuple(
        Question(f"q{i}", text, True, evidence=(Evidence(f"d{i}", 0, len(text), text),))
        for i, text in enumerate(texts)
    )
    return documents, QuestionSet("cities", questions)


def test_tuning_keeps_the_setting_where_no_gain_is_proved(tiny: Encoder) -> None:
    documents, questions = numbered(20)
    index = Index.build(documents, encoder=tiny)
    tuning = tune(questions, index, grid=[RetrievalConfig(1.0, 1.0), RetrievalConfig(0.5, 0.0)])
    assert not tuning.gained
    assert tuning.chosen == index.config == RetrievalConfig()


def test_tuning_takes_a_setting_that_is_proved_better_on_questions_not_fitted_to(
    german_soviet: Index,
) -> None:
    # Words weighted by their IDF squared and no reverse: measurably worse than the default.
    worse = german_soviet.with_config(RetrievalConfig(0.0, 2.0))
    questions = load_set(ROOT / "eval" / "questions.jsonl", german_soviet).of_split("dev")
    tuning = tune(questions, worse, grid=[RetrievalConfig()])
    assert tuning.gained
    assert (tuning.chosen.reverse, tuning.chosen.idf_power) == (0.5, 0.5)
    assert tuning.held_out.low > 0
    assert tuning.before == RetrievalConfig(0.0, 2.0)


def test_too_few_questions_to_tune_on_are_refused(tiny: Encoder) -> None:
    documents, questions = numbered(5)
    with pytest.raises(InputError, match="expected at least 20"):
        tune(questions, Index.build(documents, encoder=tiny))


def test_an_index_keeps_its_weights(tmp_path: Path, tiny: Encoder) -> None:
    documents, _ = numbered(3)
    Index.build(documents, tmp_path / "i", encoder=tiny, config=RetrievalConfig(0.25, 1.0))
    assert Index.open(tmp_path / "i").config == RetrievalConfig(0.25, 1.0)
    for wrong in ((-1.0, 0.5), (0.5, 3.0)):
        with pytest.raises(InputError, match="from 0 to 2"):
            RetrievalConfig(*wrong)


def test_the_verbatim_gate_checks_a_text_against_an_index(tmp_path: Path) -> None:
    answer = ask("When did the first German officers go to Soviet Russia?")
    good = f'They went early: "{answer.text}" [1]'
    bad = good.replace("March 1922", "March 1932")
    assert check_quotes(good, passages=answer.passages).ok
    assert not check_quotes(bad, passages=answer.passages).ok
    assert not check_quotes(good.replace("[1]", "[2]"), passages=answer.passages).ok
    (tmp_path / "bad.txt").write_text(bad, encoding="utf-8")
    done = CliRunner().invoke(cli, ["quotes", str(tmp_path / "bad.txt"), "--json"])
    assert done.exit_code == 1
    [check] = json.loads(done.output)["checks"]
    assert check["status"] == "altered"
    assert CliRunner().invoke(cli, ["quotes"], input=good).exit_code == 0
