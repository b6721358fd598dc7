"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit.cli import cli
from support.parts import DEFAULT_INDEX, SEED


def ragkit(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ragkit", *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_ask_prints_the_answer_and_where_it_stands() -> None:
    done = ragkit("ask", "Who signed the Treaty of Rapallo?", "-k", "2")
    assert done.returncode == 0, done.stderr
    assert "Walther Rathenau" in done.stdout
    assert "› Treaty of Rapallo 1922 and secret military cooperation  6298–6729" in done.stdout
    assert "\x1b[" not in done.stdout


def test_ask_takes_bare_words_and_gives_json() -> None:
    done = ragkit("ask", "--json", "-k", "1", "who", "signed", "rapallo")
    content = json.loads(done.stdout)
    assert content["question"] == "who signed rapallo"
    citation = content["passages"][0]["citation"]
    text = SEED.read_text(encoding="utf-8")
    assert text[citation["start"] : citation["end"]] == citation["quote"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["ask", " "], 2, "blank"),
        (["ask", "who", "-k", "0"], 2, "expected 1 or more"),
        (["ask", "who", "--index", "nowhere"], 3, "no index at nowhere"),
        (["index", "build", "missing.txt", "--out", "never-made"], 2, "does not exist"),
        (
            ["index", "build", str(SEED), "--out", "never-made", "--model", "no/such"],
            4,
            "model hub",
        ),
        (["index", "info", "nowhere"], 3, "no index at nowhere"),
        (["eval"], 2, "there is no question set at eval"),
        (["eval", "gate"], 2, "ragkit eval bless"),
        (["index", "verify", "nowhere"], 3, "ragkit index build"),
        (["frobnicate"], 2, "No such command"),
        (["ask"], 2, "Missing argument"),
    ],
)
def test_every_failure_is_one_message_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ragkit(*arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())


def test_build_info_verify_ask_work_on_a_corpus_of_ones_own(
    tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "bread.txt").write_text("= Bread =\n\nBread is made of flour.\n", encoding="utf-8")
    index = tmp_path / "index"
    built = ragkit("index", "build", tmp_path / "bread.txt", "--out", index, "--model", tiny_model)
    assert built.stdout == f"Built {index}: 1 documents, 1 chunks, 1 sentences.\n", built.stderr
    info = ragkit("index", "info", index)
    assert "bread (../bread.txt)" in info.stdout
    assert json.loads(ragkit("index", "info", index, "--json").stdout)["counts"]["chunks"] == 1
    assert "is intact" in ragkit("index", "verify", index).stdout
    assert json.loads(ragkit("index", "verify", index, "--json").stdout)["ok"] is True
    assert "Bread is made of flour." in ragkit("ask", "flour?", "--index", index).stdout
    victim = next(index.glob("*/chunks.npy"))
    victim.write_bytes(victim.read_bytes()[:-1])
    damaged = ragkit("index", "verify", index)
    assert damaged.returncode == 3
    assert "chunks.npy is damaged" in damaged.stderr


def test_a_corpus_may_be_read_by_the_export_too(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "bread.txt").write_text("= Bread =\n\nBread is made of flour.\n", encoding="utf-8")
    build: list[str | Path] = ["index", "build", tmp_path / "bread.txt"]
    build += ["--model", tiny_model, "--out"]
    for runtime in ("reference", "float32", "int8"):
        index = tmp_path / runtime
        assert ragkit(*build, index, "--runtime", runtime).returncode == 0
        assert "Bread is made of flour." in ragkit("ask", "flour?", "--index", index).stdout


def test_timings_are_told_beside_the_answer() -> None:
    done = ragkit("ask", "Who signed the Treaty of Rapallo?", "--json", "--timings")
    assert json.loads(done.stdout)["answered"] is True
    assert "ms  late interaction" in done.stderr
    assert "GFLOP" in done.stderr


def test_the_doctor_finds_this_installation_in_order() -> None:
    done = ragkit("doctor", "--json")
    assert done.returncode == 0
    statuses = {finding["name"]: finding["status"] for finding in json.loads(done.stdout)}
    assert [statuses[name] for name in ("packages", "model", "reader", "index")] == ["ok"] * 4
    assert re.search(r"^ok +model +late-MiniLM-L6, 96 dimensions", ragkit("doctor").stdout, re.M)


def test_the_doctor_names_a_fault_and_what_to_do_and_goes_on(tmp_path: Path) -> None:
    done = ragkit("doctor", "--index", str(tmp_path / "none"), "--json")
    assert done.returncode == 1
    *others, index = json.loads(done.stdout)
    assert all(finding["status"] != "fault" for finding in others)
    assert index["status"] == "fault"
    assert "ragkit index build" in index["detail"]


def test_the_committed_index_verifies() -> None:
    done = ragkit("index", "verify", DEFAULT_INDEX)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unanswered_question_has_a_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from ragkit import Abstention, Answer

    nothing = Answer("who?", False, "", 0.0, reason=Abstention.EMPTY_CORPUS)
    monkeypatch.setattr("ragkit.Index.ask", lambda *_, **__: nothing)
    result = CliRunner().invoke(cli, ["ask", "who?"])
    assert result.exit_code == 1
    assert "The corpus does not say (empty corpus)." in result.output


def test_colours_are_for_terminals_and_no_color_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in runner.invoke(cli, ["ask", "Rapallo?"], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in runner.invoke(cli, ["ask", "Rapallo?"], color=True).output


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    index = tmp_path / "index"
    # Where the tests run in the background of a shell, interruptions are ignored from birth.
    heeding = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('ragkit', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", heeding, "index", "build", str(SEED), "--out", str(index)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (index / ".lock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Interrupted" in errors
    assert not (index / "manifest.json").exists()
    assert {path.name.partition("-")[0] for path in index.glob("*")} <= {".lock", ".journal"}


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m ragkit ask Rapallo | head -c 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_old_citations_are_found_again_after_an_edit(tmp_path: Path, tiny_model: Path) -> None:
    source, index = tmp_path / "bread.txt", tmp_path / "index"
    source.write_text(
        "Bread is made of flour. Rye bread is dark and keeps long.\n", encoding="utf-8"
    )
    build = ["index", "build", str(source), "--out", str(index), "--model", str(tiny_model)]
    assert CliRunner().invoke(cli, build).exit_code == 0
    answer = CliRunner().invoke(cli, ["ask", "flour?", "--index", str(index), "--json"])
    (tmp_path / "answer.json").write_text(answer.output, encoding="utf-8")
    source.write_text("News first.\n\n" + source.read_text(encoding="utf-8"), encoding="utf-8")
    assert CliRunner().invoke(cli, build).exit_code == 0
    done = CliRunner().invoke(
        cli, ["index", "reanchor", str(tmp_path / "answer.json"), "--index", str(index), "--json"]
    )
    [found] = json.loads(done.output)
    assert (found["status"], found["similarity"]) == ("moved", 1.0)
    assert found["after"]["start"] == found["before"]["start"] + len("News first.\n\n")
    assert found["after"]["quote"] == found["before"]["quote"]


def test_a_file_without_citations_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    done = ragkit("index", "reanchor", tmp_path / "a.json", "--index", DEFAULT_INDEX)
    assert done.returncode == 2
    assert "holds no citations" in done.stderr


def test_quotes_of_a_removed_document_are_gone_and_latin1_is_refused(tmp_path: Path) -> None:
    old = {"document_id": "lost", "title": "L", "section": [], "start": 0, "end": 1, "quote": "x"}
    (tmp_path / "old.json").write_text(json.dumps([old]), encoding="utf-8")
    arguments = ["index", "reanchor", str(tmp_path / "old.json"), "--index", str(DEFAULT_INDEX)]
    assert CliRunner().invoke(cli, arguments).output.startswith("gone")
    (tmp_path / "latin1.txt").write_bytes("Köln".encode("latin-1"))
    done = ragkit("quotes", tmp_path / "latin1.txt")
    assert done.returncode == 2
    assert "is not UTF-8" in done.stderr


def test_what_is_left_out_of_a_folder_is_printed_beside_the_result(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "bread.txt").write_text("Bread is made of flour.", encoding="utf-8")
    (folder / "empty.txt").touch()
    (folder / "latin1.txt").write_bytes("Köln".encode("latin-1"))
    (folder / "~$bread.docx").write_bytes(b"x")
    (folder / "table.xlsx").write_bytes(b"x")
    index = tmp_path / "index"
    build: list[str | Path] = ["index", "build", folder, "--out", index, "--model", tiny_model]
    update: list[str | Path] = ["index", "update", index, folder]
    done = ragkit(*build)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Built {index}: 1 documents, 1 chunks, 1 sentences.\n"
    head, empty, latin1, others, locks = done.stderr.splitlines()
    assert head == "Left out: 4 files."
    assert "empty.txt is empty" in empty
    assert "latin1.txt is not UTF-8" in latin1
    assert others.strip() == "files of other formats: 1 .xlsx"
    assert locks.strip() == "lock files of Office: 1"
    for command in (build, update):
        content = json.loads(ragkit(*command, "--json").stdout)
        assert content["documents"] == 1
        assert content["left_out"]["suffixes"] == {".xlsx": 1}
        refused = ragkit(*command, "--strict")
        assert refused.returncode == 2
        assert "empty.txt is empty" in refused.stderr
    named = ragkit("index", "build", folder / "empty.txt", "--out", index)
    assert (named.returncode, named.stdout) == (2, "")


def test_a_passage_is_shown_whole_with_the_file_to_open(tmp_path: Path, tiny_model: Path) -> None:
    source, index = tmp_path / "bread.txt", tmp_path / "index"
    text = "Bread is made of flour. Rye bread is dark and keeps long."
    source.write_text(text, encoding="utf-8")
    ragkit("index", "build", source, "--out", index, "--model", tiny_model)
    asked = ragkit("ask", "flour?", "--index", index).stdout
    name = f"bread#0-{len(text)}"
    assert f"{name}  {source.resolve()}" in asked
    [passage] = json.loads(ragkit("ask", "flour?", "--json", "--index", index).stdout)["passages"]
    assert passage["path"] == str(source.resolve())
    assert set(passage["citation"]) == {
        "document_id", "title", "section", "start", "end", "quote", "url", "page",
    }  # fmt: skip
    shown = ragkit("show", name, "--index", index)
    assert shown.stdout == f"bread\n{source.resolve()}\n\n{text}\n"
    content = json.loads(ragkit("show", "bread#0-5", "--index", index, "--json").stdout)
    assert (content["id"], content["citation"]["quote"]) == ("bread#0-5", "Bread")
    assert content["path"] == str(source.resolve())
    for wrong in ("bread", "bread#0-999", "cake#0-5"):
        assert ragkit("show", wrong, "--index", index).returncode == 2
    source.unlink()
    assert ragkit("show", name, "--index", index).stdout == f"bread\n\n{text}\n"


def test_a_passage_of_the_bundled_article_is_shown_with_its_web_address() -> None:
    [passage] = json.loads(ragkit("ask", "Rapallo?", "-k", "1", "--json").stdout)["passages"]
    assert "path" not in passage
    citation = passage["citation"]
    name = f"{citation['document_id']}#{citation['start']}-{citation['end']}"
    shown = ragkit("show", name).stdout
    assert citation["url"] in shown
    assert shown.endswith(f"\n\n{citation['quote']}\n")


def test_a_condition_holds_by_the_kind_of_each_documents_own_value(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, year in (("a", "2026"), ("b", '"2025"')):
        (folder / f"{name}.md").write_text(f"---\nyear: {year}\n---\nRivers flow.", "utf-8")
    index = tmp_path / "index"
    ragkit("index", "build", folder, "--out", index, "--model", tiny_model)
    ask = ["ask", "Do rivers flow?", "--threshold", "0", "--index", str(index), "--json", "--where"]
    for condition, ids in (("year=2026", ["a"]), ("year=2025", ["b"]), ("year>=2026", ["a"])):
        passages = json.loads(ragkit(*ask, condition).stdout)["passages"]
        assert [passage["citation"]["document_id"] for passage in passages] == ids
