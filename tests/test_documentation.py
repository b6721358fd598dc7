"""The README's examples are run: what it shows is what happens."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import subprocess
import sys

import pytest

from support.parts import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TRANSCRIPTS = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_examples_give_what_they_show() -> None:
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README.md", "README.md", 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert test.examples
    assert result.failed == 0


@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_the_transcripts_are_what_the_commands_print(transcript: str) -> None:
    command, expected = transcript.split("\n", 1)
    name, *arguments = shlex.split(command.removeprefix("$ "))
    assert name == "ragkit"
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout == expected, done.stderr


def test_the_figures_are_those_of_the_committed_baseline() -> None:
    baseline = json.loads((ROOT / "eval" / "baseline.json").read_text(encoding="utf-8"))
    rows = re.findall(
        r"^\| ([^|]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", README, flags=re.M
    )
    assert [name for name, *_ in rows] == ["dev", "test"]
    for split, number, *shown in rows:
        outcomes = [o for o in baseline["outcomes"] if o["split"] == split and o["answerable"]]
        assert len(outcomes) == int(number)
        measured = [
            sum(o["values"][f"Success@{k}"] for o in outcomes) / len(outcomes) for k in (1, 3, 5)
        ]
        assert [f"{value:.3f}" for value in measured] == shown


def test_the_tour_names_every_room_and_each_exists() -> None:
    tour = README.split("## A tour in reading order")[1]
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for path in (ROOT / "ragkit").iterdir():
        if path.name.startswith("_") or path.name == "py.typed":
            continue
        name = path.name + ("/" if path.is_dir() else "")
        assert f"`ragkit/{name}`" in tour
        assert f"`{name}`" in architecture
    for name in re.findall(r"`(ragkit/[\w./]+)`", tour):
        assert (ROOT / name).exists()
