"""`ragkit eval` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import InputError
from ragkit.cli import cli
from ragkit.evaluation import (
    Report,
    load_report,
)
from support.parts import ROOT

EVAL = ROOT / "eval"


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
    assert {c["difference"] for c in json.loads(same.stdout)} == {0}
    linted = runner.invoke(cli, ["eval", "lint", "--set", str(EVAL), "--json"])
    assert linted.exit_code == 0
    assert json.loads(linted.stdout)["findings"] == []
    dev = runner.invoke(cli, ["eval", "run", "--set", str(EVAL), "--split", "dev", "--json"])
    assert 0 < json.loads(dev.stdout)["summary"]["Success@1"] <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "--set", "nowhere.jsonl"], "there is no question set at nowhere.jsonl"),
        (["eval", "gate", "--set", "nowhere"], "there is no baseline at"),
        (["eval", "bless", "--set", "nowhere"], "nowhere"),
        (
            ["eval", "--set", "set.jsonl", "--html", "no/such/folder.html"],
            "folder.html cannot be written",
        ),
        (["eval", "--set", "set.jsonl", "--trec", "set.jsonl"], "set.jsonl cannot be written"),
        (["eval", "compare", "a.json", "b.json"], "a.json is not an evaluation report"),
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


def test_category_names_are_not_parsed_as_markup(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    line = {"id": "q", "question": "Who?", "answerable": False, "category": "[/x]"}
    path.write_text(json.dumps(line), encoding="utf-8")
    done = CliRunner().invoke(cli, ["eval", "--set", str(path)])
    assert done.exit_code == 0, done.output
    assert "[/x]" in done.output
