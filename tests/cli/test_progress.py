"""Long commands show how far they are: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from ragkit import Document, Encoder, Index
from ragkit.cli import output
from ragkit.cli.output import progress_bar
from ragkit.progress import STAGE, counted, listening
from support.parts import ROOT


def in_terminal(*arguments: str) -> str:
    """Run a command in a terminal; return what it shows, without colours and cursor movements."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
    child = pexpect.spawn(
        sys.executable, ["-m", "ragkit", *arguments], encoding="utf-8", timeout=120,
        dimensions=(40, 120), env={**inherited, "TERM": "xterm", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.before)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "bread.txt"
    file.write_text("Bread is made of flour. Rye bread is dark.\n")
    return file


def test_a_build_and_an_update_show_their_stages_in_a_terminal(
    tmp_path: Path, source: Path
) -> None:
    index = str(tmp_path / "i")
    built = in_terminal("index", "build", str(source), "--out", index)
    for stage in ("Reading documents", "Encoding texts", "Writing chunks", "Securing files"):
        assert stage in built
    assert built.rstrip().endswith("Built " + index + ": 1 documents, 1 chunks, 2 sentences.")
    source.write_text("Bread is made of rye.\n")
    updated = in_terminal("index", "update", index)
    assert "Encoding texts" in updated
    assert "0 added, 1 changed, 0 removed" in updated
    verified = in_terminal("index", "verify", index)
    assert "Verifying files" in verified


def test_a_pipe_gets_the_result_alone_and_json_stays_json(tmp_path: Path, source: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", "index", "build", str(source), "--out", str(tmp_path / "i")],
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.startswith("Built ")
    assert "Encoding" not in done.stderr


def test_without_a_terminal_a_line_says_the_stage_at_intervals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_INTERVAL", 0.02)
    with progress_bar("Opening"):
        STAGE.get()("Encoding texts", 300, 1200)
        for _ in range(500):
            if "Encoding texts … 300 of 1,200" in (shown := capsys.readouterr().err):
                break
            time.sleep(0.01)
    assert "Encoding texts … 300 of 1,200" in shown
    assert "\x1b" not in shown


def test_a_stage_that_reports_nothing_still_moves_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("Training"):
        drawn = screen.getvalue().count("Training")
        for _ in range(500):
            if screen.getvalue().count("Training") > drawn + 2:
                break
            time.sleep(0.01)
    assert drawn >= 1
    assert screen.getvalue().count("Training") > drawn + 2


def test_the_stages_of_a_build_follow_one_another_and_each_ends_whole(
    tmp_path: Path, tiny: Encoder
) -> None:
    heard: list[tuple[str, int, int | None]] = []
    with listening(lambda *stage: heard.append(stage)):
        Index.build([Document("a", "A", "Bread is dark.")], tmp_path / "i", encoder=tiny)
    stages = list(dict.fromkeys(name for name, _, _ in heard))
    assert stages[0] == "Reading documents"
    assert stages.index("Encoding texts") < stages.index("Securing files")
    assert stages.index("Securing files") < stages.index("Publishing")
    done, total = [(done, total) for name, done, total in heard if name == "Encoding texts"][-1]
    assert done == total


def test_nobody_listens_unless_asked() -> None:
    assert list(counted("reading", [1, 2])) == [1, 2]
