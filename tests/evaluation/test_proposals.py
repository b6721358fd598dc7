"""`ragkit eval generate`: proposed questions have spans, and near-misses have none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import Document, Encoder, Index, InputError
from ragkit.cli import cli
from ragkit.evaluation import (
    Proposals,
    Question,
    lint,
    load_questions,
    propose_questions,
    save_questions,
)
from ragkit.evaluation.measures import contains
from ragkit.evaluation.proposals import KINDS
from ragkit.evaluation.templates import extract
from ragkit.grounding import Message, Piece
from support.chat_endpoint import endpoint


@pytest.fixture(scope="module")
def proposals(article: Document) -> Proposals:
    return propose_questions([article])


def test_each_answerable_proposal_has_its_span_and_its_answer_in_it(
    proposals: Proposals, article: Document
) -> None:
    answerable = [q for q in proposals.questions if q.answerable]
    assert len(answerable) >= 10
    assert len({q.category for q in answerable}) >= 2
    for question in answerable:
        [evidence] = question.evidence
        assert article.text[evidence.start : evidence.end] == evidence.quote
        [answer] = question.answers
        assert contains(evidence.quote, [answer])
        assert not contains(question.text, [answer])
        assert question.text.endswith("?")
        assert question.provenance is not None
        assert question.provenance.by == f"template {question.category}"
    assert not lint(proposals.questions, {article.id: article}).errors


def test_each_unanswerable_proposal_is_a_near_miss_of_one_of_six_kinds(
    proposals: Proposals,
) -> None:
    by_id = {q.id: q for q in proposals.questions}
    unanswerable = [q for q in proposals.questions if not q.answerable]
    assert len(unanswerable) >= 5
    assert len(set(KINDS.values())) == 6
    assert len({q.category for q in unanswerable}) >= 4
    for question in unanswerable:
        assert question.category in KINDS.values()
        assert question.provenance is not None
        source = by_id[question.provenance.derived_from]
        assert source.answerable
        assert source.text != question.text
        assert source.provenance is not None
        assert source.provenance.passage == question.provenance.passage


def test_a_seed_decides_what_is_proposed(article: Document) -> None:
    def texts(seed: int) -> list[str]:
        few = propose_questions([article], answerable=5, unanswerable=2, seed=seed)
        return [q.text for q in few.questions]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert len(texts(1)) == 7


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("The library was founded in 1922.", "When was the library founded?", "1922"),
        ("On 3 May 1923 the bridge was closed.", "When was the bridge closed?", "3 May 1923"),
        ("In 1923, Otto closed the bridge.", "When did Otto close the bridge?", "1923"),
        ("Otto founded the library in May 1922.", "When did Otto found the library?", "May 1922"),
        ("The library was built by Otto Wagner.", "By whom was the library built?", "Otto Wagner"),
        ("Anna Freud closed the old library.", "Who or what closed the old library?", "Anna Freud"),
        ("Every employee has 28 days of leave.", "How many days of leave does every employee have?", "28"),
        ("Radek is a town in the north of Bohemia.", "What is Radek?", "a town in the north of Bohemia"),
    ],
)  # fmt: skip
def test_a_template_asks_for_a_part_of_a_sentence(
    sentence: str, question: str, answer: str
) -> None:
    common = frozenset(["library", "bridge"]).__contains__
    assert (question, answer) in {(one.question, one.answer) for one in extract(sentence, common)}


@pytest.mark.parametrize(
    "sentence",
    [
        "He was born in 1922.",  # who?
        "This was decided in May.",
        "However, the town was founded in 1922.",
        "Was it founded in 1922?",
        "Litvinov was dismissed and Molotov took over in 1939.",
        "The town lies on a river.",
    ],
)
def test_a_sentence_that_names_no_subject_or_no_fact_gives_no_question(sentence: str) -> None:
    assert list(extract(sentence, "town".__eq__)) == []


BAKERY = Document(
    "bakery",
    "Bakery",
    "Bread is baked at dawn by two bakers. Rye bread is dark, and it keeps for a whole week. "
    "On Sundays the bakery is closed.\n\nRoggenbrot hält sich eine Woche lang frisch, und es wird "
    "jeden Morgen um vier Uhr gebacken.",
)
GOOD = {"question": "How long does it stay fresh?", "answer": "a whole week", "quote": "Rye bread is dark, and it keeps for a whole week."}  # fmt: skip


class Writer:
    """A language model that replies with the same proposals to every passage."""

    name = "writer-1b"

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.asked: list[str] = []

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        self.asked.append(messages[-1]["content"])
        yield Piece(self.reply, "stop")


def written(*items: object) -> tuple[list[Question], dict[str, int], Writer]:
    model = Writer(f"Here they are: {json.dumps(items)}")
    proposals = propose_questions([BAKERY], unanswerable=0, model=model)
    return list(proposals.questions), dict(proposals.refused), model


def test_a_models_proposal_is_taken_with_the_span_of_its_quote() -> None:
    questions, refused, model = written(GOOD)
    [question] = questions
    [evidence] = question.evidence
    assert evidence.quote == GOOD["quote"] == BAKERY.text[evidence.start : evidence.end]
    assert question.provenance is not None
    assert question.provenance.by == "writer-1b"
    assert refused == {"the quote is not in the passage": 1}  # it said so of the German passage too
    assert any("in the language of the passage" in text for text in model.asked)
    assert any("Roggenbrot" in text for text in model.asked)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote": "Rye bread keeps for a whole week."}, "the quote is not in the passage"),
        ({"answer": "a month"}, "the answer is not in the quote"),
        ({"question": "What keeps for a whole week?"}, "the question contains the answer"),
        ({"question": ""}, "a field is missing"),
        ({"quote": None}, "the quote is not in the passage"),
    ],
)
def test_a_models_proposal_that_fails_a_check_is_refused_with_the_reason(
    change: dict[str, object], reason: str
) -> None:
    questions, refused, _ = written({**GOOD, **change})
    assert questions == []
    assert reason in refused


@pytest.mark.parametrize("reply", ["", "no list", "[", "[1, null]", "[" * 50_000 + "]" * 50_000])
def test_a_model_that_writes_no_list_is_counted(reply: str) -> None:
    proposals = propose_questions([BAKERY], model=Writer(reply))
    assert len(proposals.questions) == 0
    assert set(proposals.refused) == {"a field is missing"}


def test_provenance_survives_the_round_trip(proposals: Proposals, tmp_path: Path) -> None:
    path = tmp_path / "proposals.jsonl"
    save_questions(proposals.questions, path)
    assert load_questions(path).questions == proposals.questions.questions


def test_the_command_line_writes_proposals_and_does_not_overwrite(tmp_path: Path) -> None:
    out = tmp_path / "proposals.jsonl"
    command = ["eval", "generate", "--out", str(out), "--answerable", "5", "--unanswerable", "3"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "5 answerable and 3 unanswerable questions" in done.output
    assert f"ragkit eval review {out}" in done.output
    assert len(load_questions(out)) == 8
    again = CliRunner().invoke(cli, command)
    assert isinstance(again.exception, InputError)
    assert "--replace" in str(again.exception)
    assert CliRunner().invoke(cli, [*command, "--replace"]).exit_code == 0


def test_the_command_line_asks_a_model_and_says_what_was_refused(tmp_path: Path) -> None:
    out = tmp_path / "proposals.jsonl"
    with endpoint([json.dumps([GOOD])]) as to:
        done = CliRunner().invoke(
            cli, ["eval", "generate", "--out", str(out), "--llm", "m", "--llm-url", to.url]
        )
    assert done.exit_code == 1, done.output
    assert "the quote is not in the passage" in done.output
    assert "None of the model's proposals can be used" in done.output
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--llm-url", "http://127.0.0.1:9/v1"], "--llm"),
        (["--answerable", "0"], "expected at least 1"),
        (["--max-calls", "3"], "--max-calls 3 has no --llm beside it"),
        (["--out", "no/such/folder.jsonl"], "folder.jsonl cannot be written"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["eval", "generate", "--out", "x.jsonl", *arguments])
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_model_is_not_called_more_often_than_is_allowed() -> None:
    refused = Writer("I will not.")
    paragraphs = "\n\n".join(
        f"Oven {n} bakes bread for the {n}th street of the town of Brot, every single morning."
        for n in range(9)
    )
    many = Document("ovens", "Ovens", paragraphs)
    propose_questions([many], answerable=4, unanswerable=0, model=refused)
    assert len(refused.asked) == 4
    refused.asked.clear()
    propose_questions([many], answerable=4, unanswerable=0, model=refused, max_calls=2)
    assert len(refused.asked) == 2
    with pytest.raises(InputError, match="max_calls is 0"):
        propose_questions([many], model=refused, max_calls=0)


def test_the_command_says_what_a_model_will_cost_before_it_is_called(tmp_path: Path) -> None:
    out = tmp_path / "proposals.jsonl"
    with endpoint([json.dumps([GOOD])]) as to:
        done = CliRunner().invoke(
            cli,
            [
                "eval",
                "generate",
                "--out",
                str(out),
                "--llm",
                "m",
                "--llm-url",
                to.url,
                "--max-calls",
                "3",
            ],
        )
    first = done.output.splitlines()[0]
    assert first.startswith("m is called at most 3 times; each call reads at most")
    assert "--max-calls" in first


def test_a_corpus_that_fits_no_template_is_told_from_a_success(
    tmp_path: Path, tiny: Encoder
) -> None:
    index, out = tmp_path / "i", tmp_path / "p.jsonl"
    Index.build([Document("a", "A", "Nothing much happens here, as you see.")], index, encoder=tiny)
    done = CliRunner().invoke(cli, ["eval", "generate", "--index", str(index), "--out", str(out)])
    assert done.exit_code == 1
    assert "No question can be proposed" in done.output
    assert not out.exists()
