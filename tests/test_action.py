"""The GitHub Action: its own steps run here, with GitHub's API on loopback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.github import REPOSITORY, Job, comments_api, run_action
from support.parts import ROOT

ACTION = ROOT / "action.yml"
HANDBOOK = """# Handbook

## Leave

Every employee has 28 days of paid leave a year.

## Travel

Trains are booked by the office. A receipt is needed for every taxi.
"""
QUESTIONS = """\
{"id": "leave", "question": "How long may I go on holiday?", "answerable": true, "evidence": [{"document_id": "handbook", "quote": "Every employee has 28 days of paid leave a year."}]}
{"id": "taxi", "question": "What do I hand in after a cab ride?", "answerable": true, "must_pass": true, "evidence": [{"document_id": "handbook", "quote": "A receipt is needed for every taxi."}]}
"""
PULL_REQUEST = {"pull_request": {"number": 7}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a handbook and an evaluation folder, and the programs that a job has."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "eval").mkdir()
    (folder / "eval" / "questions.jsonl").write_text(QUESTIONS, encoding="utf-8")
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    programs = folder / "bin"
    programs.mkdir()
    script(programs / "python", f'exec {shlex.quote(sys.executable)} "$@"')
    script(programs / "ragkit", 'exec python -m ragkit "$@"')
    script(programs / "pip", 'printf "pip %s\\n" "$*"')
    for command in ("index build handbook.md --out idx", "eval bless --set eval --index idx"):
        subprocess.run(
            [str(programs / "ragkit"), *command.split()], cwd=folder, env={**os.environ, **environment(folder)},
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
    return folder


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{line}\n")
    path.chmod(0o755)


def environment(project: Path, api: str = "") -> dict[str, str]:
    path = f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "GITHUB_API_URL": api}


def run(project: Path, api: str = "", event: dict[str, Any] | None = None, **inputs: str) -> Job:
    return run_action(
        ACTION, project, inputs={"index": "idx", **inputs}, environment=environment(project, api),
        event=PULL_REQUEST if event is None else event,
    )  # fmt: skip


def test_a_pull_request_that_changes_nothing_passes_and_gets_one_comment(project: Path) -> None:
    with comments_api() as comments:
        comments.bodies += [f"comment {n}" for n in range(120)]  # more than a page
        first = run(project, comments.url)
        second = run(project, comments.url, index="", sources="  handbook.md\n\n")
    for job in (first, second):
        assert job.status == 0, job.log
        assert job.outputs["passed"] == "true"
    assert "**The gate passes.**" in second.summary
    [comment] = comments.bodies[120:]
    assert comment.startswith("<!-- ragkit gate: eval -->")
    assert "**The gate passes.**" in comment
    methods = [method for method, _ in comments.requests]
    assert methods == ["GET", "GET", "POST", "GET", "GET", "PATCH"]
    assert comments.requests[2][1] == f"/repos/{REPOSITORY}/issues/7/comments"
    assert comments.tokens == {"Bearer job-token"}


def test_it_installs_itself_with_the_pinned_versions_and_uploads_the_report(project: Path) -> None:
    job = run(project, event={}, extras="html", artifact="answers")
    [line] = [line for line in job.log.splitlines() if line.startswith("pip ")]
    assert line == f"pip install -c {ROOT}/constraints.txt {ROOT}[report,html]"
    assert (ROOT / "constraints.txt").is_file()
    [upload] = [used for name, used in job.used.items() if "upload-artifact" in name]
    assert upload["name"] == "answers"
    files = {path.name for path in Path(upload["path"]).iterdir()}
    assert files == {"summary.md", "report.html", "report.json", "gate.xml", "history.jsonl"}


def test_the_history_goes_through_the_cache_also_if_the_gate_fails(
    project: Path, tmp_path: Path
) -> None:
    worse = tmp_path / "handbook.md"
    worse.write_text(HANDBOOK.replace("A receipt is needed for every taxi.", "Taxis are fine."))
    job = run(project, event={}, index="", sources=str(worse))
    assert job.status == 1
    [restored, saved] = [
        used for name, used in job.used.items() if name.startswith("actions/cache")
    ]
    assert restored["key"] == saved["key"] == "ragkit-history/42-1"
    assert restored["restore-keys"] == "ragkit-history/"
    assert restored["path"] == saved["path"]
    before = Path(saved["path"]).read_text(encoding="utf-8").splitlines()
    assert len(before) >= 1
    again = run(project, event={}, index="", sources=str(worse))
    assert Path(saved["path"]).read_text(encoding="utf-8").splitlines()[:-1] == before
    assert "Trend of " in again.summary


def test_a_history_in_the_repository_needs_no_cache(project: Path) -> None:
    job = run(project, event={}, history="eval/history.jsonl")
    assert job.status == 0, job.log
    assert not [name for name in job.used if name.startswith("actions/cache")]
    [line] = (project / "eval" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["n"] == 2
    (project / "eval" / "history.jsonl").unlink()


def test_a_worse_index_fails_and_the_summary_names_the_questions(
    project: Path, tmp_path: Path
) -> None:
    worse = tmp_path / "handbook.md"
    worse.write_text(HANDBOOK.replace("A receipt is needed for every taxi.", "Taxis are fine."))
    with comments_api() as comments:
        job = run(project, comments.url, index="", sources=str(worse))
    assert job.status == 1
    assert job.outputs["passed"] == "false"
    assert "must-pass question taxi fails" in job.summary
    assert "Changed questions: 1" in job.summary
    assert "What do I hand in after a cab ride?" in comments.bodies[0]
    assert "::error title=ragkit gate::" in job.log


def test_a_push_is_gated_without_a_comment_and_ragkit_may_be_installed_already(
    project: Path,
) -> None:
    with comments_api() as comments:
        job = run(project, comments.url, event={}, install="false")
    assert job.status == 0, job.log
    assert not comments.requests
    assert "pip " not in job.log


def test_a_set_that_cannot_be_used_stops_the_job_with_its_message(project: Path) -> None:
    job = run(project, set="nowhere")
    assert job.status == 2
    assert "there is no baseline at nowhere" in job.log
    assert not [name for name in job.used if "upload-artifact" in name]


def test_a_token_that_may_only_read_is_a_warning(project: Path) -> None:
    with comments_api() as comments:
        comments.refuses = 403
        job = run(project, comments.url)
    assert job.status == 0, job.log
    assert "::warning title=ragkit gate::The token may not write" in job.log


def test_a_comment_that_fails_is_a_warning(tmp_path: Path) -> None:
    with comments_api() as comments:
        comments.refuses = 502
        failing = comment(tmp_path, comments.url, "x")
    gone = comment(tmp_path, comments.url, "x")
    assert failing.startswith("::warning title=ragkit gate::No comment was posted")
    assert "502" in failing
    assert gone.startswith("::warning title=ragkit gate::No comment was posted")
    assert failing.count("\n") == gone.count("\n") == 1


def comment(folder: Path, api: str, text: str) -> str:
    """Run the script, which may not fail, and return what it prints."""
    file, event = folder / "summary.md", folder / "event.json"
    file.write_text(text)
    event.write_text('{"pull_request": {"number": 7}}')
    script = ROOT / "scripts" / "comment_on_pull_request.py"
    done = subprocess.run(
        [sys.executable, str(script), str(file), "--name", "a--b"],
        check=True, timeout=60, stdout=subprocess.PIPE, text=True, env={
            **os.environ, "GITHUB_API_URL": api, "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_PATH": str(event), "GITHUB_TOKEN": "t",
        },
    )  # fmt: skip
    return done.stdout


def test_a_comment_that_github_would_refuse_for_its_length_is_cut(
    tmp_path: Path,
) -> None:
    with comments_api() as comments:
        comment(tmp_path, comments.url, "x" * 70_000)
    [body] = comments.bodies
    assert len(body) <= 65_536
    assert body.startswith("<!-- ragkit gate: a- -b -->")
    assert body.endswith("has all of it.)\n")


def test_other_actions_are_pinned_to_a_commit() -> None:
    steps = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    for name in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+(/[\w-]+)?@[0-9a-f]{40}", name), name


def test_two_gates_of_one_job_keep_their_files_comments_and_artifacts_apart(project: Path) -> None:
    with comments_api() as comments:
        first = run(project, comments.url)
        second = run(project, comments.url, id="with reader/2")
    assert (first.status, second.status) == (0, 0), first.log + second.log
    assert first.outputs["folder"] != second.outputs["folder"]
    assert second.outputs["folder"].endswith("/ragkit-report-with-reader-2")
    uploads = [
        used["name"] for job in (first, second) for n, used in job.used.items() if "upload" in n
    ]
    assert uploads == ["ragkit-report", "ragkit-report-with-reader-2"]
    assert [body.splitlines()[0] for body in comments.bodies] == [
        "<!-- ragkit gate: eval -->",
        "<!-- ragkit gate: with reader/2 -->",
    ]
    third = run(project, event={}, id="b", index="", sources="handbook.md")
    assert third.status == 0, third.log
    assert (project / "runner-temp" / "ragkit-index-b").is_dir()
