"""SQuAD, BEIR, CSV and TREC files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import Document, InputError, evaluation
from ragkit.cli import cli
from ragkit.evaluation import (
    lint,
    load_beir,
    load_csv,
    load_dataset,
    load_qrels,
    load_report,
    load_run,
    load_squad,
)

SQUAD = {
    "version": "2.0",
    "data": [
        {
            "title": "Bread_and_Rivers",
            "paragraphs": [
                {
                    "context": "Bread is made of flour.",
                    "qas": [
                        {"id": "1", "question": "What is bread made of?", "answers": [{"text": "flour", "answer_start": 17}]},
                        {"id": "2", "question": "Who eats it?", "answers": [], "is_impossible": True},
                    ],
                },
                {
                    "context": "The Danube rises in Germany.",
                    "qas": [{"id": "3", "question": "Where does the Danube rise?", "answers": [{"text": "Germany", "answer_start": 20}]}],
                },
            ],
        }
    ],
}  # fmt: skip


def test_squad_questions_have_their_spans_and_some_are_unanswerable(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(SQUAD), encoding="utf-8")
    documents, questions = load_squad(path)
    assert [(d.id, d.title) for d in documents] == [
        ("bread-and-rivers-1", "Bread and Rivers"),
        ("bread-and-rivers-2", "Bread and Rivers"),
    ]
    assert [q.answerable for q in questions] == [True, False, True]
    found = lint(questions, {d.id: d for d in documents})
    assert not found.errors


def test_a_squad_file_is_indexed_and_scored_in_one_command(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(SQUAD), encoding="utf-8")
    done = CliRunner().invoke(cli, ["eval", "--dataset", f"squad:{path}", "--json"])
    assert json.loads(done.output)["summary"]["Success@1"] == 1.0


def write_beir(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    corpus = [
        {"_id": "a", "title": "A", "text": "Bread."},
        {"_id": "b", "title": "", "text": "River."},
    ]
    queries = [{"_id": "1", "text": "bread?"}, {"_id": "2", "text": "unjudged"}]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    qrels = "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n"
    (folder / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")
    return folder


def test_beir_evidence_has_its_relevance_grades(tmp_path: Path) -> None:
    documents, questions = load_beir(write_beir(tmp_path / "beir"))
    assert [d.title for d in documents] == ["A", "b"]
    [question] = questions
    assert [(e.document_id, e.relevance) for e in question.evidence] == [("a", 2)]


def test_quotes_of_a_csv_file_are_resolved(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(
        'question,answers,quote\nOf what?,flour|rye,"made of flour"\nWho?,,\n', encoding="utf-8"
    )
    document = Document("d", "D", "Bread is made of flour.")
    one, other = load_csv(path, {"d": document})
    assert (one.answers, one.evidence[0].span) == (("flour", "rye"), (9, 22))
    assert not other.answerable


def test_a_csv_file_exported_by_a_spreadsheet_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes('\ufeffquestion,quote\r\nOf what?,"made of\r\nflour"\r\n'.encode())
    document = Document("d", "D", "Bread is made of\r\nflour.")
    [question] = load_csv(path, {"d": document})
    assert question.evidence[0].span == (9, 23)
    with pytest.raises(InputError, match=r"set\.csv"):
        load_csv(path, {})


@pytest.mark.parametrize(
    ("load", "content"),
    [
        (load_squad, "{}"),
        (load_squad, "not json"),
        (load_beir, ""),
        (lambda path: load_csv(path, {}), "nothing\nx"),
        (lambda path: load_csv(path, {"d": Document("d", "D", "x")}), "question,quote\nq,absent"),
        (load_run, "one two\n"),
        (load_qrels, "a b c d e\n"),
        (load_report, "{}"),
    ],
)
def test_malformed_files_are_refused_by_name(
    tmp_path: Path, load: Callable[[Path], object], content: str
) -> None:
    path = tmp_path / "malformed"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="malformed"):
        load(path)


def test_an_unknown_dataset_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"squad:FILE\.json or beir:FOLDER"):
        load_dataset("msmarco:x")


@pytest.mark.parametrize("name", ["read_baseline", "read_qrels", "read_run"])
def test_old_names_work_with_a_deprecation_warning(name: str) -> None:
    new = name.replace("read", "load")
    with pytest.warns(DeprecationWarning, match=new):
        assert getattr(evaluation, name) is getattr(evaluation, new)
