"""Real disks that are full or may not be written, and processes that are out of file handles."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path

from benchmarks.torture.corpora import QUESTIONS, few_documents, int8_encoder
from benchmarks.torture.rows import Row, Tally
from ragkit import Encoder, Index, IndexWriteError, RagkitError
from ragkit.index import Manifest, verify

TITLE = "Disks and handles"
ABOUT = """\
File systems in memory of every size, from too small for anything to large enough, and one mounted
read-only; limits on open files from none to enough. The existing index must answer as before,
failures must be errors that ragkit declares, and an incomplete write must not be reported as
complete."""

_PAGE = 4096


def run(effort: float) -> Iterator[Row]:
    yield from _in_namespace(effort)
    yield out_of_handles(int8_encoder(), effort)


def _in_namespace(effort: float) -> list[Row]:
    """In a process that may mount, where nobody else sees it."""
    program = [sys.executable, "-m", "benchmarks.torture.disks", str(effort)]
    command = ["unshare", "--map-root-user", "--mount", *program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


class _Disk:
    """A file system of so many bytes."""

    def __init__(self, at: Path) -> None:
        self.at = at
        at.mkdir()

    def mount(self, size: int) -> None:
        self._run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.at))

    def read_only(self) -> None:
        self._run("mount", "-o", "remount,ro", str(self.at))

    def unmount(self) -> None:
        self._run("umount", "--lazy", str(self.at))

    @staticmethod
    def _run(*command: str) -> None:
        subprocess.run(command, check=True)


def _mounted(effort: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        disk, writing = _Disk(Path(scratch) / "disk"), _Writing(Path(scratch), int8_encoder())
        needed = sum(-(-p.stat().st_size // _PAGE) + 1 for p in writing.old.rglob("*"))
        sizes = range(needed + 4, 3 * needed + 40, max(1, round(2 / effort)))
        rows = []
        for name in writing.writers:
            tally = Tally(f"{name} on a disk that is full at any size")
            for pages in sizes:
                disk.mount(pages * _PAGE)
                path = shutil.copytree(writing.old, disk.at / "index")
                writing.check(name, path, f"{name} on {pages} pages", tally)
                disk.unmount()
            rows.append(tally.row())
        tally = Tally("a disk mounted read-only")
        disk.mount(8 << 20)
        path = shutil.copytree(writing.old, disk.at / "index")
        disk.read_only()
        for name in writing.writers:
            writing.check(name, path, name, tally)
        disk.unmount()
        return [*rows, tally.row()]


class _Writing:
    """An old index, the ways to make the new one of it, and what both answer."""

    def __init__(self, scratch: Path, encoder: Encoder) -> None:
        self.old, new = scratch / "old", scratch / "new"
        self._encoder = encoder
        Index.build(few_documents(0), self.old, encoder=encoder)
        made = Index.build(few_documents(1), new, encoder=encoder)
        self._before, self._after = _answers(self.old, encoder), _answers(new, encoder)
        self.writers: Mapping[str, Callable[[Path], object]] = {
            "build": lambda path: Index.build(
                few_documents(1), path, encoder=encoder, replace=True
            ),
            "update": lambda path: Index.update(path, few_documents(1), encoder=encoder),
            "copy": made.save,
        }

    def read(self, path: Path, example: str, tally: Tally) -> None:
        """It answers as before or after, or tells why not."""
        found = _tried("asked", lambda: _answers(path, self._encoder), example, tally)
        if found is not None:
            tally.check(found in (self._before, self._after), f"{example}: other answers")

    def write(self, path: Path, example: str, tally: Tally) -> None:
        """It is built, or tells why not."""
        _tried("built", lambda: self.writers["build"](path), example, tally)

    def check(self, name: str, path: Path, example: str, tally: Tally) -> None:
        try:
            self.writers[name](path)
        except IndexWriteError as error:
            tally.saw("told by IndexWriteError")
            expected = self._before
            tally.check("could not be written" in str(error), f"{example}: {error}")
        except Exception as error:  # any other is what is looked for
            tally.broke(error, example)
            return
        else:
            tally.saw("written")
            expected = self._after
        tally.check(_answers(path, self._encoder) == expected, f"{example}: other answers")
        left = [p.name for p in path.iterdir() if p.name.startswith(".partial")]
        tally.check(not left, f"{example}: left {left}")


def _tried(what: str, do: Callable[[], object], example: str, tally: Tally) -> object | None:
    """What came of it; None where too few handles were told of, or worse happened."""
    try:
        found = do()
    except RagkitError as error:
        tally.saw(f"{what}: told by {type(error).__name__}")
        tally.check("open files" in str(error), f"{example}: {error}")
    except Exception as error:  # any other is what is looked for
        tally.broke(error, example)
    else:
        tally.saw(what)
        return found
    return None


def _answers(path: Path, encoder: Encoder) -> object:
    verify(path, Manifest.load(path))
    index = Index.open(path, encoder=encoder)
    return [index.ask(question, threshold=0) for question in QUESTIONS]


def out_of_handles(encoder: Encoder, effort: float) -> Row:
    """The same with ever more files that may be opened."""
    tally = Tally("build, open and ask with few file handles")
    with tempfile.TemporaryDirectory() as scratch:
        writing, path = _Writing(Path(scratch), encoder), Path(scratch) / "index"
        for more in range(0, 60, max(1, round(1 / effort))):
            shutil.copytree(writing.old, path)
            with _handles(more):
                writing.read(path, f"asked with {more} handles", tally)
                writing.write(path, f"built with {more} handles", tally)
            writing.read(path, f"asked after {more} handles", tally)
            shutil.rmtree(path)
    return tally.row()


@contextmanager
def _handles(more: int) -> Iterator[None]:
    """Only this many more files may be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208 - names alone
    free = (number for number in count() if number not in used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next(islice(free, more, None)), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in _mounted(float(sys.argv[1]))]))
