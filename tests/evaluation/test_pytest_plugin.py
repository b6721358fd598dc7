"""`pytest --ragkit FOLDER`: each check of the gate is a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from ragkit import Document, Index
from ragkit.encoding import Encoder
from ragkit.evaluation import Evidence, Question, QuestionSet, evaluate_index, save_questions
from ragkit.evaluation.harness import save_baseline
from support.parts import ROOT

TEXT = "The library opens at nine. On Sundays it is closed. A card costs four euros."


def question(name: str, text: str, quote: str, *, must_pass: bool = False) -> Question:
    start = TEXT.index(quote)
    return Question(
        name, text, True, evidence=(Evidence("hours", start, start + len(quote), quote),),
        category="hours", must_pass=must_pass,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, tiny: Encoder) -> Path:
    """A folder with an index, and a question set with its baseline and floors."""
    index = Index.build([Document("hours", "Library", TEXT)], encoder=tiny)
    index.save(tmp_path / "idx")
    questions = QuestionSet(
        "questions",
        (
            question("nine", "When does it open?", "The library opens at nine.", must_pass=True),
            question("card", "What does a card cost?", "A card costs four euros."),
        ),
    )
    folder = tmp_path / "eval"
    folder.mkdir()
    save_questions(questions, folder / "questions.jsonl")
    save_baseline(evaluate_index(questions, index), folder)
    floors = {"overall": {"Success@5": 0.5}, "categories": {"hours": {"RR": 0.25}}}
    (folder / "floors.json").write_text(json.dumps(floors), encoding="utf-8")
    return tmp_path


def run_pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a project with the plugin does, whether or not this environment installed it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "ragkit.pytest_plugin", "-p", "no:cacheprovider", *arguments],
        capture_output=True, text=True, check=False, cwd=project, env=environment, timeout=120,
    )  # fmt: skip


def test_each_check_of_the_gate_is_a_test(project: Path) -> None:
    done = run_pytest(project, "--ragkit", "eval", "--ragkit-index", "idx", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "question set",
        "citations",
        "gold evidence",
        "must-pass nine",
        "Success@1 against the baseline",
        "floor of Success@5 (overall)",
        "floor of RR (hours)",
    ):
        assert f"eval::{name} PASSED" in done.stdout
    assert "12 passed" in done.stdout


def test_a_check_fails_with_the_gates_own_message(project: Path) -> None:
    floors = project / "eval" / "floors.json"
    floors.write_text('{"overall": {"AUROC": 0.5}}', encoding="utf-8")
    done = run_pytest(project, "--ragkit", "eval", "--ragkit-index", "idx")
    assert done.returncode == 1
    assert "AUROC of overall is missing, below its floor 0.5" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 10 passed" in done.stdout


def test_the_checks_run_beside_other_tests_and_are_selected_by_mark_and_name(project: Path) -> None:
    (project / "test_other.py").write_text("def test_other() -> None:\n    pass\n")
    gate = ("--ragkit", "eval", "--ragkit-index", "idx")
    assert "13 passed" in run_pytest(project, *gate).stdout
    assert "12 passed, 1 deselected" in run_pytest(project, *gate, "-m", "ragkit").stdout
    assert "2 passed, 11 deselected" in run_pytest(project, *gate, "-k", "floor").stdout
    assert "1 passed" in run_pytest(project).stdout


def test_a_folder_without_a_baseline_is_a_usage_error_that_says_what_to_run(project: Path) -> None:
    (project / "eval" / "baseline.json").unlink()
    done = run_pytest(project, "--ragkit", "eval", "--ragkit-index", "idx")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ragkit eval bless --set eval" in done.stderr


def test_an_index_that_is_not_there_fails_each_check_with_its_message(project: Path) -> None:
    done = run_pytest(project, "--ragkit", "eval", "--ragkit-index", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_package_registers_the_plugin() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    plugin = import_module(content["project"]["entry-points"]["pytest11"]["ragkit"])
    assert plugin.pytest_addoption


def test_pytest_without_the_option_does_not_load_the_evaluation(tmp_path: Path) -> None:
    (tmp_path / "test_cheap.py").write_text(
        "import sys\n\ndef test_cheap() -> None:\n    assert 'ragkit.evaluation' not in sys.modules\n"
    )
    assert "1 passed" in run_pytest(tmp_path).stdout


def test_questions_are_asked_once_even_if_that_fails(project: Path) -> None:
    (project / "conftest.py").write_text(
        """
import ragkit.evaluation
from ragkit.errors import InputError


def gate(*_, **__):
    with open("runs", "a") as file:
        file.write("run ")
    raise InputError("the chatbot is down.")


ragkit.evaluation.gate = gate
"""
    )
    done = run_pytest(project, "--ragkit", "eval", "--ragkit-index", "idx")
    assert "12 failed" in done.stdout
    assert "the chatbot is down." in done.stdout
    assert (project / "runs").read_text() == "run "
