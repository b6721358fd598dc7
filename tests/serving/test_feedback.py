"""What people say about answers: stored where the operator turns it on, in a file of its own."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ragkit import Index, InputError
from ragkit.serving import Settings, create_app
from ragkit.serving.feedback_file import Feedback, Verdict, load_feedback
from support.http_api import RAPALLO, TOKEN, ask, client


def said(index: Index, **more: Any) -> dict[str, Any]:
    """The body of a request, as the page sends it."""
    answer = index.ask(RAPALLO)
    return {
        "question": RAPALLO,
        "standalone": RAPALLO,
        "answered": True,
        "passages": [passage.citation.passage_id for passage in answer.passages],
        "text": answer.text,
        "verdict": "good",
        "generation": index.generation,
        **more,
    }


def test_what_is_said_is_appended_with_its_time_and_without_the_person(
    german_soviet: Index, tmp_path: Path
) -> None:
    path = tmp_path / "feedback.jsonl"
    with client(german_soviet, Settings(feedback=path)) as web:
        assert web.get("/v1/corpus").json()["feedback"] is True
        first = web.post("/v1/feedback", json=said(german_soviet))
        second = web.post(
            "/v1/feedback", json=said(german_soviet, verdict="wrong", comment="Não é assim.")
        )
    assert (first.status_code, second.status_code) == (204, 204)
    liked, wrong = load_feedback(path)
    assert (liked.verdict, wrong.verdict) == (Verdict.GOOD, Verdict.WRONG)
    assert wrong.comment == "Não é assim."
    assert liked.passages == tuple(said(german_soviet)["passages"])
    assert liked.time.endswith("Z")
    assert set(json.loads(path.read_text().splitlines()[0])) == set(Feedback.__slots__)
    assert "testclient" not in path.read_text()


def test_only_the_owner_can_read_a_new_file_and_an_old_one_keeps_its_mode(
    german_soviet: Index, tmp_path: Path
) -> None:
    new, old = tmp_path / "new.jsonl", tmp_path / "old.jsonl"
    old.touch()
    old.chmod(0o640)
    for path in (new, old):
        create_app(german_soviet, Settings(feedback=path))
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_what_is_not_a_regular_file_is_refused_and_left_as_it_is(
    german_soviet: Index, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    mode = pipe.stat().st_mode
    try:
        for path in (pipe, Path(os.devnull), tmp_path):
            with pytest.raises(InputError, match="cannot be written"):
                create_app(german_soviet, Settings(feedback=path))
    finally:
        os.close(reader)
    with pytest.raises(InputError, match="cannot be written"):
        create_app(german_soviet, Settings(feedback=pipe))  # nobody reads it
    assert pipe.stat().st_mode == mode


def test_without_the_setting_nothing_is_stored_and_the_page_is_told(german_soviet: Index) -> None:
    with client(german_soviet) as web:
        assert web.get("/v1/corpus").json()["feedback"] is False
        refused = web.post("/v1/feedback", json=said(german_soviet))
    assert refused.status_code == 404
    assert "--feedback" in refused.json()["error"]["message"]


def test_a_file_that_cannot_be_written_stops_the_start(
    german_soviet: Index, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        create_app(german_soviet, Settings(feedback=tmp_path / "no" / "such" / "folder.jsonl"))
    with pytest.raises(InputError, match="max_feedback"):
        Settings(max_feedback=0)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"verdict": "great"}, 422),
        ({"comment": "x" * 2001}, 422),
        ({"question": "x" * 4001}, 422),
        ({"passages": ["doc#0-1"] * 51}, 422),
        ({"passages": ["no id"]}, 400),
        ({"address": "127.0.0.1"}, 422),
    ],
)
def test_what_no_page_sends_is_refused_and_not_stored(
    german_soviet: Index, tmp_path: Path, more: dict[str, Any], status: int
) -> None:
    path = tmp_path / "feedback.jsonl"
    with client(german_soviet, Settings(feedback=path)) as web:
        assert web.post("/v1/feedback", json=said(german_soviet, **more)).status_code == status
    assert path.read_bytes() == b""


def test_a_full_file_takes_no_more_and_answers_go_on(german_soviet: Index, tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    with client(german_soviet, Settings(feedback=path, max_feedback=2500)) as web:
        statuses = [web.post("/v1/feedback", json=said(german_soviet)).status_code for _ in "12345"]
        assert ask(web).status_code == 200
    stored = len(list(load_feedback(path)))
    assert 0 < stored < 5
    assert statuses == [204] * stored + [507] * (5 - stored)
    assert path.stat().st_size <= 2500


def test_a_folder_that_is_gone_is_said_in_the_log(
    german_soviet: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with client(german_soviet, Settings(feedback=folder / "feedback.jsonl")) as web:
        (folder / "feedback.jsonl").unlink()
        folder.rmdir()
        assert web.post("/v1/feedback", json=said(german_soviet)).status_code == 507
    assert "feedback.jsonl: No such file or directory" in caplog.text


def test_records_of_many_at_once_are_whole(german_soviet: Index, tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    comments = [f"{number} " * 500 for number in range(40)]
    with client(german_soviet, Settings(feedback=path)) as web, ThreadPoolExecutor(8) as pool:
        bodies = [said(german_soviet, comment=comment) for comment in comments]
        list(pool.map(lambda body: web.post("/v1/feedback", json=body), bodies))
    assert sorted(one.comment for one in load_feedback(path)) == sorted(comments)


def test_a_file_that_is_moved_away_is_begun_anew(german_soviet: Index, tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    with client(german_soviet, Settings(feedback=path)) as web:
        web.post("/v1/feedback", json=said(german_soviet))
        path.rename(tmp_path / "old.jsonl")
        web.post("/v1/feedback", json=said(german_soviet, verdict="bad"))
    assert [one.verdict for one in load_feedback(path)] == [Verdict.BAD]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_feedback_needs_the_servers_token(german_soviet: Index, tmp_path: Path) -> None:
    settings = Settings(token=TOKEN, feedback=tmp_path / "feedback.jsonl")
    with client(german_soviet, settings) as web:
        body = said(german_soviet)
        assert web.post("/v1/feedback", json=body).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert web.post("/v1/feedback", json=body, headers=headers).status_code == 204


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"question": "Who?", "verdict": "good"}', "null"]
)
def test_a_line_that_is_not_feedback_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(InputError, match="line 2, is not feedback"):
        list(load_feedback(path))
