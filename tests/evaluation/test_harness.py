"""Asking an index, or a chatbot in its place, every question of a set."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import Abstention, Answer, Document, Encoder, Index, InputError
from ragkit.cli import cli
from ragkit.evaluation import (
    GateError,
    Question,
    QuestionSet,
    evaluate_index,
    gate,
    load_set,
)
from support.parts import ROOT

EVAL = ROOT / "eval"


def test_turns_are_asked_as_typed_in_a_conversation_of_their_own(german_soviet: Index) -> None:
    talks = load_set(EVAL / "conversations.jsonl", german_soviet)
    some = QuestionSet("some", talks.questions[:8])
    heard: list[list[str]] = []

    def converse() -> Callable[[str], Answer]:
        heard.append([])

        def ask(question: str) -> Answer:
            heard[-1].append(question)
            return german_soviet.ask(question)

        return ask

    evaluate_index(some, german_soviet, converse=converse)
    assert heard == [[q.asked for q in some.questions[:4]], [q.asked for q in some.questions[4:]]]
    alone = evaluate_index(some, german_soviet, ask=german_soviet.ask)
    assert [o.question for o in alone.outcomes] == [q.text for q in some]


def test_an_index_that_always_abstains_is_measured(
    committed: QuestionSet, german_soviet: Index
) -> None:
    silent = evaluate_index(
        committed,
        german_soviet,
        ask=lambda q: Answer(q, False, "", 0.0, reason=Abstention.EMPTY_CORPUS),
    )
    summary = silent.summary()
    assert summary["Success@10"] == 0
    assert summary["abstention"] == pytest.approx(84 / 336)
    assert summary["AUROC"] == 0.5


def test_a_chatbot_without_highlights_is_measured(
    committed: QuestionSet, german_soviet: Index
) -> None:
    few = QuestionSet("few", committed.questions[:3])

    def bare(text: str) -> Answer:
        answer = german_soviet.ask(text, k=10, threshold=0)
        return replace(answer, passages=tuple(replace(p, highlights=()) for p in answer.passages))

    assert evaluate_index(few, german_soviet, ask=bare).summary()["span precision"] == 0


@pytest.mark.parametrize(
    "questions", [(), (Question("q", "Who?", True),)], ids=["empty", "answerable without evidence"]
)
def test_a_set_that_cannot_be_measured_is_refused(
    german_soviet: Index, questions: tuple[Question, ...]
) -> None:
    with pytest.raises(InputError, match="ragkit eval lint"):
        evaluate_index(QuestionSet("bare", questions), german_soviet)


EXAMPLE_TEST = """
from pathlib import Path
from ragkit.evaluation import gate

HERE = Path(__file__).parent

def test_the_chatbot_finds_what_it_should():
    gate(HERE / "eval", index=HERE / "index").check()
"""


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


def test_a_repository_of_its_own_gates_with_one_line(
    tmp_path: Path, documents: list[Document], tiny: Encoder
) -> None:
    """A small project: an index, a question set, a blessed baseline, and a test of one line."""
    index = tmp_path / "index"
    Index.build(documents, index, encoder=tiny)
    (tmp_path / "eval").mkdir()
    gold = {"document_id": "bread", "quote": "Bread is made of flour."}
    rows = [
        {
            "id": "q1",
            "question": "bread made of flour",
            "answerable": True,
            "evidence": [gold],
            "answers": ["flour"],
        },
        {"id": "q2", "question": "Who is the president?", "answerable": False},
    ]
    questions = tmp_path / "eval" / "questions.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "test_bot.py").write_text(EXAMPLE_TEST, encoding="utf-8")
    arguments = ["eval", "bless", "--set", str(tmp_path / "eval"), "--index", str(index)]
    missing = run_pytest(tmp_path)
    assert "ragkit eval bless" in missing.stdout
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    passed = run_pytest(tmp_path)
    assert passed.returncode == 0, passed.stdout
    # The corpus loses what the set asks for: the gate in the chatbot's own CI says so.
    Index.build([documents[0]], index, encoder=tiny, replace=True)
    failed = run_pytest(tmp_path)
    assert failed.returncode == 1
    assert "gold evidence does not resolve in the corpus for q1" in failed.stdout
    with pytest.raises(GateError):
        gate(tmp_path / "eval", index=index).check()
