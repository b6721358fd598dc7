"""Writers killed at every step and at any moment, disks whose power goes, steps that fail."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.torture.corpora import QUESTIONS, SEED, few_documents, int8_encoder
from benchmarks.torture.power import Disk
from benchmarks.torture.rows import Row, Tally
from benchmarks.torture.steps import Step, steps_below
from ragkit import Answer, Encoder, Index, RagkitError
from ragkit.errors import IndexWriteError
from ragkit.index import Manifest, verify
from ragkit.index.journal import JOURNAL

TITLE = "Crashes"
ABOUT = """\
A step is opening a file to write, renaming, removing, creating a folder, or a sync. A build, an
update, a repair and a copy were killed (SIGKILL) before each of their steps and at random moments,
and steps were made to fail. For a loss of power before each step, the states that a disk may then
hold were derived from what was synced (names in order, or any of them; contents complete, cut, or
zeros). Each time the index had to open with every byte verified, in its state before or after the
operation, and to give that state's answers. The same operation, run again, had to produce the same
bytes as one that was never interrupted, and to leave nothing of the interrupted one."""


def run(effort: float) -> Iterator[Row]:
    torture = Torture(int8_encoder())
    for name in OPERATIONS:
        yield torture.killed_at_each_step(name, effort)
    for name in OPERATIONS:
        yield torture.power_lost(name, effort)
    for name in OPERATIONS:
        yield torture.steps_that_fail(name, effort)
    yield _killed_at_random(int(300 * effort))
    yield _builders_at_once(int(30 * effort))


# What is done to an index, by name.


def _build(path: Path, encoder: Encoder) -> None:
    Index.build(few_documents(1), path, encoder=encoder, replace=True)


def _update(path: Path, encoder: Encoder) -> None:
    Index.update(path, few_documents(1), encoder=encoder)


def _repair(path: Path, encoder: Encoder) -> None:
    Index.repair(path, encoder=encoder)


def _copy(path: Path, encoder: Encoder) -> None:
    Index.open(path.parent / "other", encoder=encoder).save(path)


Operation = Callable[[Path, Encoder], None]

OPERATIONS: Mapping[str, Operation] = {
    "first build": _build,
    "build": _build,
    "update": _update,
    "repair": _repair,
    "copy": _copy,
}

State = tuple[str, list[Answer]] | str
"""A generation and what it answers, or why there is none."""

Ends = tuple[State, State, dict[str, bytes]]
"""How an index was before, how it is after, and its files then."""


class Torture:
    """Indexes to do it to, and how they looked before and after."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def prepared(self, name: str, root: Path) -> Path:
        """A folder with ``index``, as the operation finds it."""
        root.mkdir()
        path = root / "index"
        if name != "first build":
            Index.build(few_documents(0), path, encoder=self._encoder)
            (path / ".lock").unlink(missing_ok=True)
        if name == "copy":
            Index.build(few_documents(1), root / "other", encoder=self._encoder)
        if name == "repair":
            [tokens] = path.glob("*/tokens.npy")
            content = bytearray(tokens.read_bytes())
            content[len(content) // 2] ^= 1
            tokens.write_bytes(content)
        return path

    def state(self, path: Path) -> State:
        try:
            verify(path, Manifest.load(path))
            index = Index.open(path, encoder=self._encoder)
            return index.generation, [index.ask(q, threshold=0) for q in QUESTIONS]
        except RagkitError as error:
            return type(error).__name__

    def before_and_after(self, name: str, root: Path) -> Ends:
        path = self.prepared(name, root)
        before = self.state(path)
        OPERATIONS[name](path, self._encoder)
        return before, self.state(path), _content(path)

    def ends_and_steps(self, name: str, top: Path) -> tuple[Ends, list[Step]]:
        """Leaves in ``top`` a folder ``start``, as the operation finds it."""
        ends = self.before_and_after(name, top / "whole")
        self.prepared(name, top / "start")
        steps: list[Step] = []
        root = _copied(top / "start", top / "count")
        with steps_below(root, steps.append):
            OPERATIONS[name](root / "index", self._encoder)
        return ends, steps

    def killed_at_each_step(self, name: str, effort: float) -> Row:
        tally = Tally(f"{name}, killed before each step")
        with tempfile.TemporaryDirectory() as scratch:
            top = Path(scratch)
            ends, steps = self.ends_and_steps(name, top)
            every = range(0, len(steps), max(1, round(1 / effort)))
            for number in every:
                root = _copied(top / "start", top / "killed")
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.torture.crashes",
                    name,
                    str(root),
                    str(number),
                ]
                done = subprocess.run(command, check=False, capture_output=True)
                tally.saw("killed" if done.returncode == -signal.SIGKILL else "was through before")
                self._check(
                    name, root, ends, f"{name} killed at step {number} {steps[number]}", tally
                )
        return tally.row()

    def power_lost(self, name: str, effort: float) -> Row:
        tally = Tally(f"{name}, power lost before each step")
        rng = random.Random(name)
        with tempfile.TemporaryDirectory() as scratch:
            top = Path(scratch)
            ends = self.before_and_after(name, top / "whole")
            self.prepared(name, top / "start")
            disk = Disk(top / "start")
            number = 0

            def lose(ordered: bool, what: str) -> None:
                root = top / "left"
                shutil.rmtree(root, ignore_errors=True)
                disk.after_loss(root, rng, ordered=ordered)
                tally.saw("names in order" if ordered else "any names")
                self._check(name, root, ends, f"{name}, power lost {what}", tally)

            def meet(step: Step) -> None:
                nonlocal number
                number += 1
                if number % max(1, round(1 / (4 * effort))) == 0:
                    for turn in range(max(1, round(4 * effort))):
                        lose((number + turn) % 2 == 0, f"before step {number} {step}")
                disk.meet(step)

            with steps_below(top / "start", meet):
                OPERATIONS[name](top / "start" / "index", self._encoder)
            after = ends[1]
            for turn in range(max(1, round(20 * effort))):  # what was said to be there stays there
                root = top / "left"
                shutil.rmtree(root, ignore_errors=True)
                disk.after_loss(root, rng, ordered=turn % 2 == 0)
                tally.saw("after it was through")
                tally.check(
                    self.state(root / "index") == after, f"{name}: lost after it was through"
                )
        return tally.row()

    def steps_that_fail(self, name: str, effort: float) -> Row:
        tally = Tally(f"{name}, each step fails")
        errors = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE)
        with tempfile.TemporaryDirectory() as scratch:
            top = Path(scratch)
            ends, steps = self.ends_and_steps(name, top)
            for number, step in list(enumerate(steps))[:: max(1, round(1 / effort))]:
                for turn, code in enumerate(errors):
                    root = _copied(top / "start", top / "failing")
                    once = turn % 2 == 0
                    example = (
                        f"{name}: {errno.errorcode[code]} at step {number} {step}, once: {once}"
                    )
                    failing = _Failing(number, code, once=once)
                    try:
                        with steps_below(root, failing.meet):
                            OPERATIONS[name](root / "index", self._encoder)
                        tally.saw("went on without that step")
                    except IndexWriteError:
                        tally.saw("told by IndexWriteError")
                    except Exception as error:
                        tally.broke(error, example)
                    self._check(name, root, ends, example, tally)
        return tally.row()

    def _check(
        self,
        name: str,
        root: Path,
        ends: Ends,
        example: str,
        tally: Tally,
    ) -> None:
        """The index is as it was or as it was to be; done again, it is as it was to be."""
        before, after, content = ends
        found = self.state(root / "index")
        tally.check(found in (before, after), f"{example}: {found}")
        try:
            OPERATIONS[name](root / "index", self._encoder)
            left = _content(root / "index")
            if name == "repair":  # which, where it had mended all, leaves what it had encoded
                left = {key: value for key, value in left.items() if not key.startswith(JOURNAL)}
            tally.check(left == content, f"{example}: other files when done again")
        except RagkitError as error:
            tally.check(False, f"{example}: done again, {error}")


class _Failing:
    """Lets a step fail, and if not ``once``, all steps from there on."""

    def __init__(self, number: int, code: int, *, once: bool) -> None:
        self._left = number
        self._code = code
        self._once = once

    def meet(self, step: Step) -> None:
        self._left -= 1
        if self._left == -1 or (self._left < 0 and not self._once):
            raise OSError(self._code, os.strerror(self._code), step[1][0])


def _copied(start: Path, root: Path) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(start, root)
    return root


def _content(path: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in sorted(path.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


# With the command line, as users have it.


def _killed_at_random(number: int) -> Row:
    """Builds and updates of a growing article, killed at any moment, then run to their end."""
    tally = Tally("ragkit index build and update, killed at any moment")
    rng = random.Random(11)
    text = SEED.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        source, path = Path(scratch) / "a.txt", Path(scratch) / "index"
        source.write_text(text[:4000], encoding="utf-8")
        took = _timed(["build", str(source), "--out", str(path), "--runtime", "int8"])
        for turn in range(number):
            before = Index.open(path, check_sources=False).generation
            said = f"Turn {turn}."
            start = rng.randrange(len(text) - 4000)
            source.write_text(f"{text[start : start + 4000]}\n\n{said}", encoding="utf-8")
            arguments = (
                ["build", str(source), "--out", str(path), "--runtime", "int8"]
                if turn % 2
                else ["update", str(path), str(source), "--runtime", "int8"]
            )
            killed = _killed(arguments, rng.uniform(0.1, 1.2 * took))
            tally.saw("killed" if killed else "was through before")
            example = f"turn {turn} {arguments[0]}"
            try:
                verify(path, Manifest.load(path))
                index = Index.open(path, check_sources=False)
                text_now = index.documents[0].text
                tally.check(index.generation == before or said in text_now, f"{example}: mixed")
            except RagkitError as error:
                tally.check(False, f"{example}: {error}")
            _timed(arguments)
            tally.check(said in Index.open(path).documents[0].text, f"{example}: not finished")
            left = [p.name for p in path.iterdir() if p.name.startswith((".partial", ".journal"))]
            tally.check(not left, f"{example}: left {left}")
    return tally.row()


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "ragkit", "index", *arguments]


def _timed(arguments: Sequence[str]) -> float:
    begun = time.monotonic()
    subprocess.run(_command(arguments), check=True, capture_output=True)
    return time.monotonic() - begun


def _killed(arguments: Sequence[str], after: float) -> bool:
    process = subprocess.Popen(
        _command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def _builders_at_once(rounds: int) -> Row:
    """Several builders of one index: each is through, or is told that another is at it."""
    tally = Tally("four builders of one index at once")
    text = SEED.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "index"
        sources = [Path(scratch) / f"{number}.txt" for number in range(4)]
        for number, source in enumerate(sources):
            source.write_text(text[3000 * number : 3000 * number + 3000], encoding="utf-8")
        for turn in range(rounds):
            processes = [
                subprocess.Popen(
                    _command(["build", str(source), "--out", str(path), "--runtime", "int8"]),
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                )
                for source in sources
            ]  # fmt: skip
            ends = [(process.communicate()[1], process.returncode) for process in processes]
            for said, code in ends:
                tally.saw("through" if code == 0 else "told that another writes")
                tally.check(code == 0 or "another process" in said, f"round {turn}: {said[-300:]}")
            tally.check(any(code == 0 for _, code in ends), f"round {turn}: nobody was through")
            verify(path, Manifest.load(path))
            verify(path, Manifest.load(path))
            tally.check(len(Index.open(path).documents) == 1, f"round {turn}: mixed")
    return tally.row()


def _die(name: str, root: Path, number: int) -> None:
    """In a process of its own: do it, and be killed before that step."""
    left = number

    def meet(_: Step) -> None:
        nonlocal left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    encoder = int8_encoder()
    with steps_below(root, meet):
        OPERATIONS[name](root / "index", encoder)


if __name__ == "__main__":
    _die(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
