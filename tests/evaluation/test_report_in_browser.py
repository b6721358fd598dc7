"""The HTML report in a real browser. Run by ``scripts/browser``, which brings Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ragkit.cli import cli
from ragkit.evaluation import load_report, record_run
from ragkit.evaluation.html import html_report
from support.parts import ROOT

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--window-size=1100,2400",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = CliRunner().invoke(
        cli, ["eval", "--set", str(ROOT / "eval"), "--split", "dev", "--html", str(path), "--json"]
    )
    assert done.exit_code == 0, done.output
    return path


def chromium(page: Path, *arguments: str) -> str:
    command = shutil.which("chromium")
    assert command, "Chromium is not installed; scripts/browser installs it"
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


def test_the_trend_is_drawn_with_a_title_a_description_and_a_table(tmp_path: Path) -> None:
    report = load_report(ROOT / "eval" / "baseline.json")
    record_run(report, tmp_path / "history.jsonl")
    page = tmp_path / "report.html"
    page.write_text(
        html_report(report, record_run(report, tmp_path / "history.jsonl")), encoding="utf-8"
    )
    tree = chromium(page, "--dump-dom")
    trend = tree.split("<h2>Trend</h2>")[1].split("<h2>")[0]
    number = trend.count("<svg")
    assert number == 7
    for part in ("<title", "<desc", "<polyline"):
        assert trend.count(part) == number
    assert trend.count("<tr>") == 3


EVIL = '"><img src=x onerror="document.title=1"><script>document.title=1</script>'
SAID = {"question", "category", "section", "text", "quote", "name", "why"}


def with_evil(node: Any, key: str = "") -> Any:
    """The same report, in which everything that people wrote holds markup."""
    match node:
        case str():
            return node + EVIL if key in SAID else node
        case dict():
            return {name: with_evil(child, name) for name, child in node.items()}
        case list():
            return [with_evil(child, key) for child in node]
        case _:
            return node


def test_nothing_in_a_report_that_others_wrote_runs(tmp_path: Path) -> None:
    content = with_evil(json.loads((ROOT / "eval" / "baseline.json").read_text(encoding="utf-8")))
    content["answers"] = {name: [EVIL] for name in content["answers"]}
    saved, page = tmp_path / "saved.json", tmp_path / "report.html"
    saved.write_text(json.dumps(content), encoding="utf-8")
    html = html_report(load_report(saved))
    # The policy in the page would stop a script that got through: here nothing may need it.
    page.write_text(re.sub(r"<meta http-equiv[^>]*>", "", html, count=1), encoding="utf-8")
    tree = chromium(page, "--dump-dom")
    assert tree.count("&lt;img") > 10
    assert "<img" not in tree
    assert "<script" not in tree
    assert "<title>1</title>" not in tree


def test_the_report_draws_something(page: Path) -> None:
    picture = page.with_suffix(".png")
    chromium(page, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 50_000
