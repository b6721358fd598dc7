"""Tuning: settings and confidences fitted to a question set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ragkit import Index, RetrievalConfig
from ragkit.answering.confidence import log_odds
from ragkit.errors import InputError
from ragkit.evaluation import QuestionSet
from ragkit.evaluation.tuning import fit_scaling, tune
from ragkit.reading.reader import sigmoid

QUESTION = "When did the first German officers go to Soviet Russia?"


def test_scaling_finds_the_slope_and_the_shift_that_chances_were_drawn_with() -> None:
    rng = np.random.default_rng(17)
    odds = rng.normal(0, 2, 20_000)
    right = (rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))).astype(float)
    slope, shift = fit_scaling(odds, right)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert shift == pytest.approx(-1, abs=0.06)


def test_questions_that_are_told_apart_without_a_fault_do_not_make_confidence_certain() -> None:
    slope, shift = fit_scaling(
        np.array([-1.0] * 20 + [1.0] * 20), np.array([0.0] * 20 + [1.0] * 20)
    )
    assert sigmoid(slope + shift) == pytest.approx(21 / 22)
    assert sigmoid(-slope + shift) == pytest.approx(1 / 22)


def test_a_tuned_confidence_is_kept_by_the_index_and_answers_the_same_questions(
    german_soviet: Index, tmp_path: Path
) -> None:
    tuned = german_soviet.with_config(replace(german_soviet.config, slope=0.5, shift=-0.3))
    tuned.save(tmp_path / "tuned")
    manifest = json.loads((tmp_path / "tuned" / "manifest.json").read_text())
    assert manifest["weights"] == {"reverse": 0.5, "rarity": 0.5, "slope": 0.5, "shift": -0.3}
    for question in (QUESTION, "Who was the president of Kenya in 1994?"):
        before = german_soviet.ask(question)
        after = Index.open(tmp_path / "tuned").ask(question)
        assert after.answered == before.answered
        expected = sigmoid(0.5 * log_odds(before.confidence) - 0.3)
        assert after.confidence == pytest.approx(expected)


def test_an_index_whose_confidence_was_not_tuned_says_nothing_of_it(
    german_soviet: Index, tmp_path: Path
) -> None:
    german_soviet.save(tmp_path / "plain")
    manifest = json.loads((tmp_path / "plain" / "manifest.json").read_text())
    assert manifest["weights"] == {"reverse": 0.5, "rarity": 0.5}


def test_confidences_far_from_what_comes_true_are_brought_to_it(
    german_soviet: Index, committed: QuestionSet
) -> None:
    overconfident = german_soviet.with_config(replace(german_soviet.config, shift=3.0))
    tuning = tune(committed.of_split("dev"), overconfident, grid=())
    assert tuning.confidence is not None
    assert tuning.confidence.after < tuning.confidence.before
    assert tuning.gained
    assert tuning.chosen.shift < 1.5  # at least half of what was added is taken back
    assert tuning.chosen.reverse == german_soviet.config.reverse


def test_too_few_questions_leave_the_confidence_as_it_is(
    german_soviet: Index, committed: QuestionSet
) -> None:
    few = QuestionSet("few", tuple(q for q in committed.of_split("dev") if q.answerable)[:24])
    tuning = tune(few, german_soviet, grid=())
    assert tuning.confidence is None
    assert not tuning.gained


def test_a_scaling_out_of_range_says_what_is_expected() -> None:
    with pytest.raises(InputError, match="expected a slope above 0, at most 10"):
        RetrievalConfig(slope=0)
