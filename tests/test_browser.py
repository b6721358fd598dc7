"""The HTML report in a real browser. Run by ``.ci/browser``, which brings Chromium."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import ROOT
from ragkit.cli import cli

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--window-size=1100,2400",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = CliRunner().invoke(
        cli, ["eval", "--set", str(ROOT / "eval"), "--html", str(path), "--json"]
    )
    assert done.exit_code == 0, done.output
    return path


def chromium(page: Path, *arguments: str) -> str:
    command = shutil.which("chromium")
    assert command, "Chromium is not installed; .ci/browser installs it"
    done = subprocess.run(
        [command, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", *arguments, page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def test_the_report_is_whole_when_a_browser_has_parsed_it(page: Path) -> None:
    tree = chromium(page, "--dump-dom")
    assert tree.count("<svg") == 4
    assert "Risk–coverage" in tree
    assert "failures</h2>" in tree
    assert tree.count("<article") > 10
    assert "<script" not in tree


def test_the_report_draws_something(page: Path) -> None:
    picture = page.with_suffix(".png")
    chromium(page, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 50_000
