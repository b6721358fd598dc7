"""`ragkit eval review`: decisions are saved at once, on a page that only this machine reaches."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragkit import Document, InputError
from ragkit.evaluation import Evidence, Provenance, Question, QuestionSet, load_questions
from ragkit.evaluation.questions import save_questions
from ragkit.evaluation.review import Decision, Review, Status
from ragkit.evaluation.review_server import listen
from support.parts import ROOT

TEXT = "Bread is baked at dawn. Rye bread 🍞 keeps for a week. On Sundays the shop is closed."
BAKERY = Document("bakery", "Bakery", TEXT)
WEEK = "Rye bread 🍞 keeps for a week."
START = TEXT.index(WEEK)


def proposals() -> QuestionSet:
    passage = f"bakery#0-{len(TEXT)}"
    evidence = (Evidence("bakery", START, START + len(WEEK), WEEK),)
    return QuestionSet(
        "proposals",
        (
            Question("a", "How long does rye bread keep?", True, ("a week",), evidence, "written", provenance=Provenance("m", passage)),
            Question("b", "How long does it keep?", True, ("a week",), evidence, "written"),
            Question("c", "How long does wheat bread keep?", False, category="swapped entity", provenance=Provenance("m", passage, "a")),
        ),
    )  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "proposals.jsonl"
    save_questions(proposals(), path)
    return path


def opened(file: Path, *, replace: bool = False) -> Review:
    return Review.open(file, file.parent / "my-eval" / "questions.jsonl", [BAKERY], replace=replace)


def test_accepted_questions_are_written_at_once_as_they_were_edited(file: Path) -> None:
    review = opened(file)
    assert not review.out.exists()
    review.decide(Decision("c", Status.ACCEPTED))
    review.decide(Decision("a", Status.ACCEPTED, "Until when is rye good?", ("week",)))
    review.decide(Decision("b", Status.REJECTED))
    first, second = load_questions(review.out)
    assert (first.id, first.text, first.answers) == ("a", "Until when is rye good?", ("week",))
    assert first.evidence == proposals().questions[0].evidence
    assert first.provenance == Provenance("m", f"bakery#0-{len(TEXT)}")
    assert second == proposals().questions[2]
    assert review.counts == {"accepted": 2, "rejected": 1, "pending": 0}


def test_a_review_goes_on_where_it_was_left(file: Path) -> None:
    opened(file).decide(Decision("a", Status.ACCEPTED, "Until when?"))
    again = opened(file)
    assert again.status_of("a") is Status.ACCEPTED
    assert again.status_of("b") is Status.PENDING
    again.decide(Decision("b", Status.ACCEPTED))
    again.decide(Decision("a", Status.PENDING))
    assert [q.id for q in load_questions(opened(file).out)] == ["b"]
    opened(file).out.unlink()
    assert [q.id for q in load_questions(opened(file).out)] == ["b"]  # written again


def test_a_file_that_the_review_did_not_write_is_not_overwritten(file: Path) -> None:
    review = opened(file)
    review.decide(Decision("a", Status.ACCEPTED))
    save_questions(proposals(), review.out)
    before = review.out.read_bytes()
    with pytest.raises(InputError, match=r"is not what the review of .* wrote.*--replace"):
        opened(file)
    assert review.out.read_bytes() == before
    opened(file, replace=True)
    assert [q.id for q in load_questions(review.out)] == ["a"]
    with pytest.raises(InputError, match="the proposals themselves"):
        Review.open(file, file, [BAKERY], replace=True)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision("x", Status.ACCEPTED), "no question 'x'"),
        (Decision("a", Status.ACCEPTED, "How long?", ("a month",)), "does not stand in the marked"),
        (Decision("a", Status.ACCEPTED, "Does it keep a week?", ("a week",)), "contains its answer"),
    ],
)  # fmt: skip
def test_a_decision_that_would_spoil_the_set_is_refused(
    file: Path, decision: Decision, message: str
) -> None:
    review = opened(file)
    with pytest.raises(InputError, match=message):
        review.decide(decision)
    assert review.counts["pending"] == 3
    assert not review.out.exists()


def test_a_damaged_line_of_decisions_is_named(file: Path) -> None:
    opened(file).decide(Decision("a", Status.ACCEPTED))
    with file.with_suffix(".review.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"id": "b", "status": "acc')
    with pytest.raises(InputError, match="line 2, is not a decision"):
        opened(file)


def test_a_passage_comes_in_pieces_with_the_evidence_marked(file: Path) -> None:
    with_passage, without, miss = opened(file).items()
    for item in (with_passage, without):
        assert "".join(text for text, _ in item["pieces"]) == TEXT
        assert [text for text, marked in item["pieces"] if marked] == [WEEK]
    assert miss["pieces"] == [(TEXT, False)]
    assert miss["derived_from"] == "How long does rye bread keep?"
    assert with_passage["title"] == "Bakery"


def call(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    if body is None:
        response = httpx.get(url, headers=headers, timeout=20)
    else:
        kinds = {"content-type": "application/json", **headers}
        response = httpx.post(url, content=json.dumps(body), headers=kinds, timeout=20)
    return response.status_code, response.text


def test_the_page_shows_and_decides(file: Path) -> None:
    review = opened(file)
    with listen(review, 0) as server:
        for path in ("", "review.js", "review.css"):
            assert call(server.url + path)[0] == 200
        status, content = call(f"{server.url}items")
        assert [item["id"] for item in json.loads(content)["items"]] == ["a", "b", "c"]
        decision = {
            "id": "a",
            "status": "accepted",
            "question": " Until when? ",
            "answers": ["a week", ""],
        }
        status, content = call(f"{server.url}decisions", decision)
        assert (status, json.loads(content)["counts"]["accepted"]) == (200, 1)
    [question] = load_questions(review.out)
    assert (question.text, question.answers) == ("Until when?", ("a week",))


@pytest.mark.parametrize(
    ("path", "body", "headers", "expected"),
    [
        ("items", None, {"host": "evil.example"}, 403),
        ("items", None, {"host": "evil.example:80", "origin": "http://evil.example"}, 403),
        ("items", None, {"origin": "http://evil.example"}, 403),
        ("decisions", {"id": "a", "status": "accepted"}, {"origin": "http://evil.example"}, 403),
        ("decisions", {"id": "a", "status": "accepted"}, {"content-type": "text/plain"}, 403),
        ("decisions", {"id": "a", "status": "accepted", "question": "x" * 70_000}, {}, 404),
        ("../review.py", None, {}, 404),
        ("decisions", {"id": "a"}, {}, 400),
        ("decisions", {"id": "a", "status": "perhaps"}, {}, 400),
        ("decisions", {"id": "a", "status": "accepted", "answers": [1]}, {}, 400),
        ("decisions", {"id": "a", "status": "accepted", "answers": "a week"}, {}, 400),
        ("decisions", {"id": "a", "status": "accepted", "answers": {"a week": 1}}, {}, 400),
        ("decisions", ["a"], {}, 400),
    ],
)  # fmt: skip
def test_what_does_not_come_from_the_page_decides_nothing(
    file: Path, path: str, body: Any, headers: dict[str, str], expected: int
) -> None:
    review = opened(file)
    with listen(review, 0) as server:
        assert call(server.url + path, body, **headers)[0] == expected
    assert review.counts["pending"] == 3


@pytest.mark.parametrize("length", ["x", "-1", "1_0", "²", "9" * 5000])
def test_a_length_that_is_no_number_gets_a_reply(file: Path, length: str) -> None:
    with listen(opened(file), 0) as server:
        address = httpx.URL(server.url)
        head = (
            f"POST /decisions HTTP/1.0\r\nHost: 127.0.0.1:{address.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        with socket.create_connection((address.host, address.port or 0), timeout=20) as connection:
            connection.sendall(head.encode())
            assert b" 400 " in connection.makefile("rb").readline()


def test_json_that_is_too_deep_is_refused(file: Path) -> None:
    with listen(opened(file), 0) as server:
        kind = {"content-type": "application/json"}
        url = f"{server.url}decisions"
        deep = httpx.post(url, content="[" * 60_000, headers=kind, timeout=20)
    assert deep.status_code == 400


def test_the_command_serves_the_page_until_it_is_interrupted(tmp_path: Path) -> None:
    file, out = tmp_path / "proposals.jsonl", tmp_path / "my-eval" / "questions.jsonl"
    command = [sys.executable, "-m", "ragkit", "eval"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*command, "generate", "--out", str(file), "--answerable", "2", "--unanswerable", "1"],
        check=True, env=environment, capture_output=True, timeout=120,
    )  # fmt: skip
    with subprocess.Popen(
        [*command, "review", str(file), "--out", str(out), "--port", "0"],
        stdout=subprocess.PIPE, text=True, env={**environment, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        [first, *_] = json.loads(call(f"{url}items")[1])["items"]
        assert call(f"{url}decisions", {"id": first["id"], "status": "accepted"})[0] == 200
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "1 accepted, 0 rejected, 2 pending." in printed
    assert [q.id for q in load_questions(out)] == [first["id"]]


def test_a_port_in_use_is_named(file: Path) -> None:
    with listen(opened(file), 0) as server:
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with pytest.raises(InputError, match=f"port {port} cannot"), listen(opened(file), port):
            pass
