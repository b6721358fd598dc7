"""The harness: sets and formats, the gate and what it must catch, reports people can trust."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import ir_measures
import pytest
from click.testing import CliRunner
from ir_measures import RR, R, Success, nDCG

from ragkit import Abstention, Answer, Document, Encoder, Index, InputError, Passage
from ragkit.cli import cli
from ragkit.evaluation import (
    GateError,
    Question,
    QuestionSet,
    Report,
    check_gate,
    compare_reports,
    evaluate_index,
    gate,
    html_report,
    junit,
    lint,
    load_beir,
    load_csv,
    load_dataset,
    load_floors,
    load_questions,
    load_report,
    load_set,
    load_squad,
    markdown,
    read_qrels,
    read_run,
    save_questions,
    to_qrels,
    to_run,
    write_qrels,
    write_run,
)
from support.parts import ROOT

EVAL = ROOT / "eval"


@pytest.fixture(scope="session")
def committed(german_soviet: Index) -> QuestionSet:
    return load_set(EVAL / "questions.jsonl", german_soviet)


@pytest.fixture(scope="session")
def report(committed: QuestionSet, german_soviet: Index) -> Report:
    return evaluate_index(committed, german_soviet)


# The committed set.


def test_the_committed_set_is_what_the_readme_of_it_promises(
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


# Files and formats.


def test_a_set_survives_the_round_trip(committed: QuestionSet, tmp_path: Path) -> None:
    save_questions(committed, tmp_path / "again.jsonl")
    again = load_questions(tmp_path / "again.jsonl")
    assert again.questions == committed.questions
    assert again.checksum == committed.checksum


def test_conversations_keep_what_was_asked_and_are_measured_as_standalone(tmp_path: Path) -> None:
    turn = {"question": "why?", "standalone": "Why did X?", "answerable": False}
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"id": "t", "turns": [turn]}) + "\n", encoding="utf-8")
    [question] = load_questions(path)
    assert (question.id, question.text, question.asked) == ("t-1", "Why did X?", "why?")
    assert question.conversation == "t"


def test_turns_are_asked_as_typed_of_one_conversation_each(german_soviet: Index) -> None:
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
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text("\n" + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"set\.jsonl, line 2"):
        load_questions(path)


def test_quotes_alone_are_resolved_where_they_stand_once(tmp_path: Path) -> None:
    evidence = {"document_id": "d", "quote": "made of flour"}
    content = {"id": "q", "question": "of what?", "answerable": True, "evidence": [evidence]}
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(content), encoding="utf-8")
    document = Document("d", "D", "Bread is made of flour.")
    [question] = load_questions(path, {"d": document})
    assert question.evidence[0].span == (9, 22)
    twice = {"d": replace(document, text=document.text * 2)}
    [finding] = [f for f in lint(load_questions(path, twice), twice).findings if f.level == "error"]
    assert "stands 2 times" in finding.message


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


def test_squad_is_read_with_its_spans_and_its_impossible_questions(tmp_path: Path) -> None:
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


def test_beir_is_read_with_its_grades(tmp_path: Path) -> None:
    documents, questions = load_beir(write_beir(tmp_path / "beir"))
    assert [d.title for d in documents] == ["A", "b"]
    [question] = questions
    assert [(e.document_id, e.relevance) for e in question.evidence] == [("a", 2)]


def test_csv_is_read_and_its_quotes_resolved(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(
        'question,answers,quote\nOf what?,flour|rye,"made of flour"\nWho?,,\n', encoding="utf-8"
    )
    document = Document("d", "D", "Bread is made of flour.")
    one, other = load_csv(path, {"d": document})
    assert (one.answers, one.evidence[0].span) == (("flour", "rye"), (9, 22))
    assert not other.answerable


@pytest.mark.parametrize(
    ("load", "content"),
    [
        (load_squad, "{}"),
        (load_squad, "not json"),
        (load_beir, ""),
        (lambda path: load_csv(path, {}), "nothing\nx"),
        (lambda path: load_csv(path, {"d": Document("d", "D", "x")}), "question,quote\nq,absent"),
        (read_run, "one two\n"),
        (read_qrels, "a b c d e\n"),
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


def test_exported_runs_and_qrels_give_the_reports_values_in_ir_measures(
    report: Report, tmp_path: Path
) -> None:
    write_run(to_run(report), tmp_path / "run")
    write_qrels(to_qrels(report), tmp_path / "qrels")
    run, qrels = read_run(tmp_path / "run"), read_qrels(tmp_path / "qrels")
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


def test_a_report_survives_the_round_trip_and_is_deterministic(
    report: Report, committed: QuestionSet, german_soviet: Index, tmp_path: Path
) -> None:
    (tmp_path / "r.json").write_text(json.dumps(report.to_dict()), encoding="utf-8")
    assert load_report(tmp_path / "r.json").to_dict() == report.to_dict()
    again = evaluate_index(committed, german_soviet)
    assert again.to_dict(timed=False) == report.to_dict(timed=False)


# The gate.


def rerun(
    committed: QuestionSet,
    index: Index,
    damage: Callable[[Question, Answer], Answer],
) -> Report:
    """The same answers, some of them damaged, measured again."""
    by_text = {q.text: q for q in committed}
    answers = {
        q.text: a
        for q, a in zip(committed, index.ask_many([q.text for q in committed], k=10), strict=True)
    }
    return evaluate_index(committed, index, ask=lambda text: damage(by_text[text], answers[text]))


def ranked(passages: Iterable[Passage]) -> tuple[Passage, ...]:
    return tuple(replace(p, rank=i) for i, p in enumerate(passages, start=1))


def test_reruns_with_no_change_never_fail(report: Report) -> None:
    rng = random.Random(0)
    for _ in range(200):
        # Another machine rounds differently: scores and confidence move in the sixth digit.
        moved = tuple(
            replace(o, confidence=o.confidence + rng.uniform(-1e-6, 1e-6)) for o in report.outcomes
        )
        verdict = check_gate(replace(report, outcomes=moved), report, {})
        assert verdict.passed
        assert not verdict.changed


def test_shuffled_passages_are_caught(
    report: Report, committed: QuestionSet, german_soviet: Index
) -> None:
    rng = random.Random(1)

    def shuffle(_: Question, answer: Answer) -> Answer:
        passages = list(answer.passages)
        rng.shuffle(passages)
        return replace(answer, passages=ranked(passages))

    verdict = check_gate(rerun(committed, german_soviet, shuffle), report, {})
    assert any("Success@1 fell significantly" in reason for reason in verdict.reasons)
    assert verdict.changed


def test_one_broken_category_is_caught(
    report: Report, committed: QuestionSet, german_soviet: Index
) -> None:
    def forget_numbers(question: Question, answer: Answer) -> Answer:
        return replace(answer, passages=()) if question.category == "number" else answer

    verdict = check_gate(rerun(committed, german_soviet, forget_numbers), report, {})
    assert any("fell significantly" in reason for reason in verdict.reasons)
    assert {after.category for _, after in verdict.changed} == {"number"}
    floors = {"categories": {"number": {"Success@5": 0.5}}}
    verdict = check_gate(rerun(committed, german_soviet, forget_numbers), report, floors)
    assert any("Success@5 of number is 0.000, under its floor 0.5" in r for r in verdict.reasons)


def test_one_broken_must_pass_question_is_caught(
    report: Report, committed: QuestionSet, german_soviet: Index
) -> None:
    victim = next(q for q in committed if q.must_pass)

    def break_it(question: Question, answer: Answer) -> Answer:
        return (
            replace(answer, passages=ranked(answer.passages[1:])) if question == victim else answer
        )

    verdict = check_gate(rerun(committed, german_soviet, break_it), report, {})
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


def test_gold_that_does_not_resolve_and_another_set_are_caught(report: Report) -> None:
    lost = replace(report, unresolved_gold=("weimar-001",))
    assert any("gold evidence does not resolve" in r for r in check_gate(lost, report, {}).reasons)
    other = replace(report, configuration=replace(report.configuration, questions="x"))
    assert any("bless" in r for r in check_gate(other, report, {}).reasons)


def test_an_abstaining_library_is_measured_not_crashed(
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


def test_comparing_a_report_with_itself_finds_nothing(report: Report) -> None:
    for comparison in compare_reports(report, report):
        assert (comparison.difference, comparison.adjusted) == (0, 1)


# Where people look.


def test_markdown_and_junit_say_what_the_gate_says(report: Report) -> None:
    outcomes = tuple(replace(o, must_pass=False) for o in report.outcomes)
    good = replace(report, outcomes=outcomes)
    assert "**The gate passes.**" in markdown(good, check_gate(good, good, {}))
    bad = check_gate(good, good, {"overall": {"Success@1": 1.1}})
    assert "**The gate fails:**" in markdown(good, bad)
    suite = ET.fromstring(junit(good, bad))  # noqa: S314 - our own output
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


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


# The command line, and a repository of one's own.


def test_the_command_line_runs_compares_and_lints(tmp_path: Path, report: Report) -> None:
    runner = CliRunner()
    saved = tmp_path / "a.json"
    done = runner.invoke(
        cli,
        ["eval", "--set", str(EVAL), "--save", str(saved), "--junit", str(tmp_path / "j.xml"),
         "--markdown", str(tmp_path / "m.md"), "--html", str(tmp_path / "h.html"), "--trec", str(tmp_path / "trec")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Success@1" in done.output
    assert load_report(saved).to_dict(timed=False) == report.to_dict(timed=False)
    for name in ("j.xml", "m.md", "h.html", "trec/run.trec", "trec/qrels.trec"):
        assert (tmp_path / name).stat().st_size > 100
    same = runner.invoke(cli, ["eval", "compare", str(saved), str(saved), "--json"])
    assert {c["difference"] for c in json.loads(same.output)} == {0}
    linted = runner.invoke(cli, ["eval", "lint", "--set", str(EVAL), "--json"])
    assert linted.exit_code == 0
    assert json.loads(linted.output)["findings"] == []
    dev = runner.invoke(cli, ["eval", "run", "--set", str(EVAL), "--split", "dev", "--json"])
    assert 0 < json.loads(dev.output)["summary"]["Success@1"] <= 1


def test_a_squad_file_is_indexed_and_scored_in_one_command(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(SQUAD), encoding="utf-8")
    done = CliRunner().invoke(cli, ["eval", "--dataset", f"squad:{path}", "--json"])
    assert json.loads(done.output)["summary"]["Success@1"] == 1.0


EXAMPLE_TEST = """
from pathlib import Path
from ragkit.evaluation import gate

HERE = Path(__file__).parent

def test_the_chatbot_finds_what_it_should():
    gate(HERE / "eval", index=HERE / "index").check()
"""


def test_a_chatbots_own_repository_gates_with_one_line(
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
    Index.build([documents[0]], index, encoder=tiny)
    failed = run_pytest(tmp_path)
    assert failed.returncode == 1
    assert "gold evidence does not resolve in the corpus for q1" in failed.stdout
    with pytest.raises(GateError):
        gate(tmp_path / "eval", index=index).check()


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "--set", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["eval", "gate", "--set", "nowhere"], "there is no baseline at"),
        (["eval", "bless", "--set", "nowhere"], "nowhere"),
        (
            ["eval", "--set", "set.jsonl", "--html", "no/such/folder.html"],
            "folder.html cannot be written",
        ),
        (["eval", "--set", "set.jsonl", "--trec", "set.jsonl"], "set.jsonl cannot be written"),
        (["eval", "compare", "a.json", "b.json"], "a.json is no evaluation report"),
        (["eval", "--dataset", "squad:nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_files_that_cannot_be_read_or_written_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set.jsonl").write_text(
        '{"id": "q", "question": "Who signed at Rapallo?", "answerable": false}\n', encoding="utf-8"
    )
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, InputError), result.output
    assert message in str(result.exception)


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
def test_fields_of_the_wrong_kind_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"question": "x", "answerable": True} | change), encoding="utf-8")
    with pytest.raises(InputError, match=r"set\.jsonl, line 1"):
        load_questions(path)


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
def test_floors_that_would_not_hold_anything_are_refused(tmp_path: Path, floors: str) -> None:
    path = tmp_path / "floors.json"
    path.write_text(floors, encoding="utf-8")
    with pytest.raises(InputError, match="holds no floors"):
        load_floors(path)


def test_a_spreadsheets_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes('\ufeffquestion,quote\r\nOf what?,"made of\r\nflour"\r\n'.encode())
    document = Document("d", "D", "Bread is made of\r\nflour.")
    [question] = load_csv(path, {"d": document})
    assert question.evidence[0].span == (9, 23)
    with pytest.raises(InputError, match=r"set\.csv"):
        load_csv(path, {})


def test_names_of_categories_are_not_markup(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    line = {"id": "q", "question": "Who?", "answerable": False, "category": "[/x]"}
    path.write_text(json.dumps(line), encoding="utf-8")
    done = CliRunner().invoke(cli, ["eval", "--set", str(path)])
    assert done.exit_code == 0, done.output
    assert "[/x]" in done.output
