"""A Dockerfile's stages, and its steps run in a folder where no container engine is at hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Scratch", "Stage", "stages"]


@dataclass
class Stage:
    """A stage: its name, the image or stage that it begins with, and its instructions."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """Return the argument of the last instruction of a kind."""
        return [argument for kind, argument in self.steps if kind == instruction][-1]

    def argv(self, instruction: str) -> list[str]:
        """Return the argument of an instruction in its JSON form."""
        words: list[str] = json.loads(self.last(instruction))
        return words

    def variables(self) -> dict[str, str]:
        """Return what ENV sets, as it is written."""
        text = " ".join(argument for kind, argument in self.steps if kind == "ENV")
        return dict(re.findall(r"(\w+)=(\S+)", text))


def stages(path: Path) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in filter(str.strip, text.splitlines()):
        kind, _, argument = line.strip().partition(" ")
        if kind == "FROM":
            base, _, name = argument.partition(" AS ")
            stage = found[name] = Stage(name, base)
        elif stage:
            stage.steps.append((kind, argument.strip()))
    return found


class Scratch:
    """Runs stages in folders: paths of an image are paths below the folder of the stage."""

    def __init__(self, dockerfile: Path, context: Path, folder: Path, **arguments: str) -> None:
        self._stages = stages(dockerfile)
        self._context, self._folder, self._arguments = context, folder, arguments
        self._tools = folder / "tools"
        subprocess.run([sys.executable, "-m", "venv", self._tools], check=True)

    def build(self, name: str) -> Path:
        """Return the folder of a stage, whose steps were run."""
        root = self._folder / name
        if root.exists():
            return root
        stage = self._stages[name]
        if stage.base in self._stages:
            shutil.copytree(self.build(stage.base), root, symlinks=True)
        else:
            root.mkdir()
        where, variables = root, dict(self._arguments)
        for kind, argument in stage.steps:
            match kind:
                case "WORKDIR":
                    where = root / argument.lstrip("/")
                    where.mkdir(parents=True, exist_ok=True)
                case "ARG":
                    default, _, value = argument.partition("=")
                    variables.setdefault(default, value)
                case "ENV":
                    variables |= {
                        k: self.inside(root, v)
                        for k, v in re.findall(r"(\w+)=(\S+)", argument)
                        if k != "PATH"
                    }
                case "COPY":
                    self._copy(root, where, argument)
                case "RUN":
                    self._run(root, where, argument, variables)
        return root

    def inside(self, root: Path, text: str) -> str:
        """Return a text whose paths of the image are those below the folder."""
        return re.sub(r"(?<![\w.}/-])/(?=(?:opt|wheels|src|deploy)\b)", f"{root}/", text)

    def _copy(self, root: Path, where: Path, argument: str) -> None:
        origin = self._context
        if match := re.match(r"--from=(\S+) ", argument):
            origin, argument = self.build(match[1]), argument[match.end() :]
        *sources, target = argument.split()
        to = root / target.lstrip("/") if target.startswith("/") else where / target
        for source in sources:
            path = origin / source.lstrip("/")
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, to, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(path, to)

    def _run(self, root: Path, where: Path, command: str, variables: dict[str, str]) -> None:
        path = f"{self._tools / 'bin'}{os.pathsep}{os.environ['PATH']}"
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "RAGKIT_CACHE")}
        subprocess.run(
            ["/bin/sh", "-ec", self.inside(root, command)], check=True, cwd=where,
            env={**clean, **variables, "PATH": path},
        )  # fmt: skip
