"""The README and the documentation are true: examples run, commands parse, figures are the measured ones."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml

import ragkit
from support.commands import parse
from support.parts import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
OVERVIEW = DOCS / "benchmarks" / "overview.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = sorted((DOCS / "reference").glob("*.md"))

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the file that its title names, and its lines."""

    language: str
    file: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    fence = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
    return [Block(*found) for found in fence.findall(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_blocks(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(block.language in languages for block in blocks(page))]


@pytest.mark.parametrize("page", with_blocks("pycon", "console"), ids=name_of)
def test_the_examples_of_a_page_give_what_they_show(page: Path) -> None:
    """In reading order, in one folder and one namespace; a block with a title is a file there."""
    names: dict[str, Any] = {}
    # Tables show paths in it, which have to fit.
    with tempfile.TemporaryDirectory(prefix="page-") as folder, contextlib.chdir(folder):
        for block in blocks(page):
            if block.file:
                Path(block.file).parent.mkdir(parents=True, exist_ok=True)
                Path(block.file).write_text(block.text, encoding="utf-8")
            elif block.language == "pycon":
                run_python(block.text, names, name_of(page))
            elif block.language == "console":
                run_commands(block.text)


def run_python(text: str, names: dict[str, Any], page: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, names, page, page, 0)
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, clear_globs=False)
    names.update(test.globs)
    assert test.examples
    assert result.failed == 0


def run_commands(text: str) -> None:
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        program, *arguments = shlex.split(command)
        assert program == "ragkit"
        done = subprocess.run(
            [sys.executable, "-m", "ragkit", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        )
        assert done.returncode in (0, 1), done.stderr
        assert doctest.OutputChecker().check_output(expected, done.stdout, FLAGS), done.stdout


@pytest.mark.parametrize("page", with_blocks("sh", "console"), ids=name_of)
def test_every_command_of_a_page_is_one_that_the_program_accepts(
    page: Path, tmp_path: Path
) -> None:
    with contextlib.chdir(tmp_path):
        for block in blocks(page):
            if block.language in ("sh", "console"):
                for arguments in commands(block.text):
                    for argument in arguments:
                        if argument.endswith(".txt"):
                            Path(argument).touch()
                    parse(arguments)


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each call of ragkit; of console blocks only what follows the prompt."""
    lines = [line for line in text.splitlines() if line.startswith("$ ")] or text.splitlines()
    for line in lines:
        tokens = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="&|;>")
        tokens.whitespace_split = True
        call: list[str] = []
        for token in [*tokens, ";"]:
            if not re.fullmatch("[&|;>]+", token):
                call.append(token)
                continue
            while call and re.match(r"[A-Z_]+=", call[0]):
                call.pop(0)
            if call and call[0] == "ragkit":
                yield call[1:]
            call = []


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert list(commands("A=1 ragkit ask x && ragkit eval > out | cat")) == [["ask", "x"], ["eval"]]
    for wrong in (
        ["index", "mend", "x"],
        ["ask", "--no-such-option", "x"],
        ["index", "build", "x"],
    ):
        with pytest.raises(click.UsageError):
            parse(wrong)


@pytest.mark.parametrize("page", with_blocks("python", "json"), ids=name_of)
def test_python_and_json_of_a_page_are_well_formed(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "json":
            try:
                json.loads(block.text)
            except ValueError:
                for line in block.text.splitlines():
                    json.loads(line)


def test_the_figures_are_those_of_the_committed_baseline() -> None:
    baseline = json.loads((ROOT / "eval" / "baseline.json").read_text(encoding="utf-8"))
    rows = re.findall(
        r"^\| ([^|]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$",
        OVERVIEW.read_text(encoding="utf-8"),
        flags=re.M,
    )
    assert [name for name, *_ in rows] == ["dev", "test"]
    readme = README.read_text(encoding="utf-8")
    for split, number, *shown in rows:
        outcomes = [o for o in baseline["outcomes"] if o["split"] == split and o["answerable"]]
        assert len(outcomes) == int(number)
        measured = [
            sum(o["values"][f"Success@{k}"] for o in outcomes) / len(outcomes) for k in (1, 3, 5)
        ]
        assert [f"{value:.3f}" for value in measured] == shown
        assert f"{measured[0]:.1%}".replace("%", " %") in readme


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    readme = README.read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    assert readme.count("![") == 1
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target


def test_every_public_name_is_documented_once() -> None:
    shown = [
        name
        for page in REFERENCE
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), flags=re.M)
    ]
    assert len(shown) == len(set(shown))
    public = {f"ragkit.{name}" for name in ragkit.__all__} - {"ragkit.__version__"}
    assert public == {name for name in shown if name.count(".") == 1}
    from ragkit import evaluation

    assert {f"ragkit.evaluation.{name}" for name in evaluation.__all__} <= set(shown)


def test_the_architecture_names_every_module() -> None:
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for path in (ROOT / "ragkit").iterdir():
        if path.name.startswith("_") or path.name == "py.typed":
            continue
        assert f"`{path.name}{'/' if path.is_dir() else ''}`" in architecture


def test_every_script_is_described_and_run_by_ci_or_by_hand() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    by_hand = {"lock", "release", "setup", "test"}
    for path in (ROOT / "scripts").iterdir():
        if path.is_file() and not path.suffix:
            assert f"scripts/{path.name}" in contributing + ci
            assert (f"scripts/{path.name}" in ci) != (path.name in by_hand)
            assert os.access(path, os.X_OK), path


def hooks() -> ModuleType:
    pytest.importorskip("mkdocs", reason="the site is built by scripts/docs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "scripts" / "mkdocs_hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation_and_has_a_description_for_llms_txt() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w./-]+\.md", text.split("\nnav:")[1]))
    assert {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} <= listed
    for page in DOCS.rglob("*.md"):
        _, front, _ = page.read_text(encoding="utf-8").split("---\n", 2)
        assert yaml.safe_load(front)["description"].strip(), page


def test_the_page_of_settings_has_the_table_that_the_program_uses() -> None:
    from ragkit.cli.settings import SETTINGS

    _, _, *rows = hooks()._settings()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    assert len(rows) == len(SETTINGS)
    for (name, about), setting in zip(cells, SETTINGS.values(), strict=True):
        assert f"`{setting.variable}`" in name
        assert (f"`{setting.key}`" in name) == setting.in_file
        meaning, value, *commands_of = about.split("<br>")
        assert meaning == setting.help
        assert setting.expected in value
        assert ("; default" in value) == (setting.default not in (None, ()))
        assert commands_of or setting.key in ("config", "endpoint-token", "cache")
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert "<!-- generated: settings -->" in page


def test_a_file_from_another_host_is_noticed() -> None:
    foreign = hooks()._FOREIGN
    for bad in (
        '<script src="https://cdn.example/x.js">',
        '<link href="https://fonts.example/x.css" rel="stylesheet">',
        '<img alt="" src="//cdn.example/x.png">',
        "url(https://fonts.example/x.woff)",
        '@import "https://fonts.example/x.css"',
    ):
        assert foreign.search(bad), bad
    for good in ('<a href="https://example.org">', '<img src="pictures/x.png">', "url(#a)"):
        assert not foreign.search(good), good
