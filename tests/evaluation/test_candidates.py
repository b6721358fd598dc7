"""Feedback becomes candidate questions: with gold where it was liked, else to be reviewed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ragkit import Document, Index, InputError
from ragkit.cli import cli
from ragkit.evaluation import evaluate_index, lint, load_questions
from ragkit.evaluation.feedback import candidate_questions, save_candidates
from ragkit.serving.feedback_file import Feedback, Verdict

BREAD = Document("bread", "Bread", "Bread is made of flour and water.\n\nIt is baked for an hour.")
TOWER = Document("tower", "Tower", "The wizard keeps 17 owls in his tower.")
FLOUR = "What is bread made of?"
OWLS = "How many owls does he keep?"
OWLS_ALONE = "How many owls does the wizard keep?"


@pytest.fixture(scope="module")
def index() -> Index:
    return Index.build([BREAD, TOWER])


def about(index: Index, question: str, verdict: Verdict = Verdict.GOOD) -> Feedback:
    answer = index.ask(question, threshold=0.0)
    return Feedback(
        question=question,
        standalone=question,
        answered=True,
        passages=tuple(passage.citation.passage_id for passage in answer.passages),
        short="",
        text=answer.text,
        verdict=verdict,
        comment="",
        generation=index.generation,
        time="2025-03-01T12:00:00Z",
    )


def test_the_quote_of_a_liked_answer_is_gold(index: Index) -> None:
    record = replace(about(index, OWLS_ALONE), question=OWLS, short="17 owls")
    [candidate] = candidate_questions([record], index)
    question = candidate.question
    assert not candidate.needs_review
    assert (question.text, question.answerable, question.category) == (OWLS_ALONE, True, "liked")
    [evidence] = question.evidence
    assert TOWER.text[evidence.start : evidence.end] == evidence.quote == record.text
    assert question.answers == ("17 owls",)


def test_a_liked_silence_is_unanswerable(index: Index) -> None:
    record = replace(about(index, "Who was Napoleon?"), answered=False, text="")
    [candidate] = candidate_questions([record], index)
    assert (candidate.question.answerable, candidate.question.evidence) == (False, ())
    assert not candidate.needs_review


def test_a_disliked_answer_waits_for_review_with_all_that_was_said(index: Index) -> None:
    wrong = replace(about(index, FLOUR, Verdict.WRONG), comment="Rye, too.")
    for records in ([wrong], [about(index, FLOUR), wrong]):
        [candidate] = candidate_questions(records, index)
        assert candidate.needs_review
        assert (candidate.question.answerable, candidate.question.evidence) == (True, ())
        review = candidate.to_dict()["review"]
        assert (review["wrong"], review["good"]) == (1, len(records) - 1)
        assert review["comments"] == ["Rye, too."]
        assert review["answers"] == [wrong.text]


def test_duplicates_are_merged_whatever_their_case_and_spaces(index: Index) -> None:
    first, again = about(index, FLOUR), about(index, FLOUR)
    again = replace(again, standalone=f"  {FLOUR.upper()} ")
    candidates = candidate_questions([first, about(index, OWLS_ALONE), again], index)
    assert [candidate.question.text for candidate in candidates] == [FLOUR, OWLS_ALONE]
    assert len(candidates[0].question.evidence) == 1
    assert candidates[0].to_dict()["review"]["good"] == 2


def test_gold_is_only_what_the_index_still_says(index: Index) -> None:
    record = about(index, FLOUR)
    changed = Index.build([replace(BREAD, text=BREAD.text.replace("water", "rye!!")), TOWER])
    without = Index.build([TOWER])
    moved = Index.build([replace(BREAD, text=f"{BREAD.text}\n\nIt is eaten."), TOWER])
    assert candidate_questions([record], changed)[0].needs_review
    assert candidate_questions([record], without)[0].needs_review
    assert not candidate_questions([record], moved)[0].needs_review


def test_what_a_model_wrote_has_its_passage_as_gold_in_the_same_generation(index: Index) -> None:
    record = replace(about(index, OWLS_ALONE), text="He keeps seventeen. [1]")
    [candidate] = candidate_questions([record], index)
    assert [evidence.quote for evidence in candidate.question.evidence] == [TOWER.text]
    later = replace(record, generation="0123456789abcdef")
    assert candidate_questions([later], index)[0].needs_review


def test_the_file_is_a_question_set_that_measures_once_it_is_reviewed(
    index: Index, tmp_path: Path
) -> None:
    path = tmp_path / "candidates.jsonl"
    documents = {document.id: document for document in index.documents}
    save_candidates(
        candidate_questions([about(index, FLOUR), about(index, OWLS_ALONE)], index), path
    )
    questions = load_questions(path, documents)
    assert lint(questions, documents).errors == ()
    assert evaluate_index(questions, index).summary()["Success@1"] == 1
    save_candidates(candidate_questions([about(index, FLOUR, Verdict.BAD)], index), path)
    unreviewed = load_questions(path, documents)
    assert "has no evidence" in lint(unreviewed, documents).errors[0].message
    with pytest.raises(InputError, match="evidence"):
        evaluate_index(unreviewed, index)


def test_the_command_writes_candidates_and_says_how_many(index: Index, tmp_path: Path) -> None:
    stored, out, folder = tmp_path / "f.jsonl", tmp_path / "c.jsonl", tmp_path / "index"
    index.save(folder)
    records = [about(index, FLOUR), about(index, OWLS_ALONE, Verdict.WRONG)]
    stored.write_text("".join(json.dumps(record.to_dict()) + "\n" for record in records))
    arguments = ["eval", "import-feedback", str(stored), "--out", str(out), "--index", str(folder)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert "2 questions, 1 of them to review" in done.output
    assert [question.category for question in load_questions(out)] == ["liked", "to review"]
    missing = CliRunner().invoke(
        cli, [*arguments[:2], "nowhere.jsonl", *arguments[3:], "--replace"]
    )
    assert "nowhere.jsonl cannot be read" in str(missing.exception)


def test_candidates_that_are_reviewed_are_not_overwritten_unless_told(
    index: Index, tmp_path: Path
) -> None:
    stored, out, folder = tmp_path / "f.jsonl", tmp_path / "c.jsonl", tmp_path / "index"
    index.save(folder)
    line = json.dumps(about(index, FLOUR).to_dict()) + "\n"
    stored.write_text(line)
    out.write_text("reviewed")

    def imported(path: Path, *more: str) -> Result:
        arguments = ["eval", "import-feedback", str(stored), "--out", str(path)]
        return CliRunner().invoke(cli, [*arguments, "--index", str(folder), *more])

    assert "--replace" in str(imported(out).exception)
    assert out.read_text() == "reviewed"
    assert "the feedback itself" in str(imported(stored, "--replace").exception)
    assert stored.read_text() == line
    assert imported(out, "--replace").exit_code == 0
    assert len(load_questions(out)) == 1


@pytest.mark.parametrize("text", ["I", "t", "is"])
def test_a_letter_or_a_word_is_no_gold(index: Index, text: str) -> None:
    record = replace(about(index, FLOUR), text=text, short=text, generation="another")
    [candidate] = candidate_questions([record], index)
    assert candidate.needs_review
    same = replace(about(index, FLOUR), text="Flour, water.", short="a")
    [liked] = candidate_questions([same], index)
    assert liked.question.answers == ()  # "a" stands in many words
    [evidence] = liked.question.evidence
    assert len(evidence.quote) > len("Flour, water.")
