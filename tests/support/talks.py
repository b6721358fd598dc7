"""Talks that the library, the terminal and the chat page hold alike, from ``tests/data/talks/``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from support.parts import ROOT

__all__ = ["MANUALS", "TALKS", "Line", "Shown", "Talk", "problems", "spoken"]

_FOLDER = ROOT / "tests" / "data" / "talks"
MANUALS = _FOLDER / "manuals"


@dataclass(frozen=True)
class Line:
    """One turn of a script; ``talks.toml`` says what each field means."""

    say: str = ""
    choose: str = ""
    standalone: str = ""
    shows: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    section: str = ""
    refused: bool = False
    fails: str = ""


@dataclass(frozen=True)
class Talk:
    """A script."""

    name: str
    about: Literal["article", "manuals"]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Shown:
    """What a person then sees: the answer or reply, its source, and how the turn was understood.

    ``standalone`` is empty where nothing is said of it.
    """

    text: str
    source: str
    standalone: str
    refused: bool


def _read(path: Path) -> Iterator[Talk]:
    for talk in tomllib.loads(path.read_text(encoding="utf-8"))["talk"]:
        yield Talk(talk["name"], talk["about"], tuple(map(_line, talk["turn"])))


def _line(turn: dict[str, Any]) -> Line:
    texts = {name: tuple(turn.get(name, ())) for name in ("shows", "hides")}
    return Line(**(turn | texts))


TALKS = tuple(_read(_FOLDER / "talks.toml"))


def problems(line: Line, shown: Shown) -> list[str]:
    """What a person would miss in what is shown after a line; nothing if all is as scripted."""
    text = " ".join(shown.text.split())
    wrong = [f"{part!r} is missing in {text!r}" for part in line.shows if part not in text]
    wrong += [f"{p!r} of another topic is in {text!r}" for p in line.hides if p in text]
    if shown.standalone != line.standalone:
        wrong.append(f"understood as {shown.standalone!r}, not as {line.standalone!r}")
    if line.section and not " ".join(shown.source.split()).endswith(line.section):
        wrong.append(f"from {shown.source!r}, not from {line.section!r}")
    if shown.refused != line.refused:
        wrong.append("refused" if shown.refused else f"answered by {text!r}")
    return wrong


def spoken(talk: Talk, hold: Callable[[Line], Shown]) -> list[str]:
    """Hold a talk, and return what was wrong in the lines of which something is expected."""
    wrong: list[str] = []
    for line in talk.lines:
        shown = hold(line)
        if not line.fails:
            wrong += [f"{line.say or line.choose}: {problem}" for problem in problems(line, shown)]
    return wrong
