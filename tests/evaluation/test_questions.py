"""The question set: the committed one, its file format, and the lint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit import Document, Index, InputError
from ragkit.evaluation import (
    QuestionSet,
    lint,
    load_questions,
    load_set,
    save_questions,
)
from support.parts import ROOT

EVAL = ROOT / "eval"


def test_the_committed_set_holds_what_its_readme_promises(
    committed: QuestionSet, german_soviet: Index, article: Document
) -> None:
    found = lint(committed, {article.id: article})
    assert not found.findings
    assert found.answerable >= 240
    assert found.unanswerable >= 50
    assert found.overlap is not None
    assert found.overlap < 0.25
    assert set(found.splits) == {"dev", "test"}
    covered = {q.section for q in committed if q.answerable}
    assert covered >= {s.path for s in article.sections if s.path != ("See also",)}
    talks = load_set(EVAL / "conversations.jsonl", german_soviet)
    assert not lint(talks, {article.id: article}).errors
    assert len({q.id.rsplit("-", 1)[0] for q in talks}) >= 25
    assert {"opener", "follow-up", "topic-switch"} == {q.category for q in talks}


def test_every_category_has_questions_of_both_splits(committed: QuestionSet) -> None:
    for category in {q.category for q in committed}:
        assert {q.split for q in committed if q.category == category} == {"dev", "test"}


def test_a_set_survives_the_round_trip(committed: QuestionSet, tmp_path: Path) -> None:
    save_questions(committed, tmp_path / "again.jsonl")
    again = load_questions(tmp_path / "again.jsonl")
    assert again.questions == committed.questions
    assert again.checksum == committed.checksum


def test_a_turn_has_the_question_as_typed_and_its_standalone_wording(tmp_path: Path) -> None:
    turn = {"question": "why?", "standalone": "Why did X?", "answerable": False}
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"id": "t", "turns": [turn]}) + "\n", encoding="utf-8")
    [question] = load_questions(path)
    assert (question.id, question.text, question.asked) == ("t-1", "Why did X?", "why?")
    assert question.conversation == "t"


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"question": "x"}',
        '{"question": "x", "answerable": true, "split": "train"}',
        '{"question": "x", "answerable": true, "evidence": [{"quote": "y"}]}',
    ],
)
def test_an_error_names_the_line_that_is_not_a_question(tmp_path: Path, line: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text("\n" + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"set\.jsonl, line 2"):
        load_questions(path)


def test_a_quote_without_offsets_resolves_if_it_occurs_exactly_once(tmp_path: Path) -> None:
    evidence = {"document_id": "d", "quote": "made of flour"}
    content = {"id": "q", "question": "of what?", "answerable": True, "evidence": [evidence]}
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(content), encoding="utf-8")
    document = Document("d", "D", "Bread is made of flour.")
    [question] = load_questions(path, {"d": document})
    assert question.evidence[0].span == (9, 22)
    twice = {"d": replace(document, text=document.text * 2)}
    [finding] = [f for f in lint(load_questions(path, twice), twice).findings if f.level == "error"]
    assert "occurs 2 times" in finding.message


@pytest.mark.parametrize(
    "change",
    [
        {"answers": "flour"},
        {"answerable": "false"},
        {"question": 3},
        {"section": "Bread"},
        {"evidence": [{"document_id": "d", "quote": ""}]},
        {"evidence": [{"document_id": "d", "quote": "x", "relevance": 0}]},
    ],
)
def test_fields_of_the_wrong_type_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"question": "x", "answerable": True} | change), encoding="utf-8")
    with pytest.raises(InputError, match=r"set\.jsonl, line 1"):
        load_questions(path)
