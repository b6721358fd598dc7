"""Count the calls of one question and one build: ``python -m benchmarks.call_profile``.

A call is one entry into a Python function that is defined in a file of ``ragkit/``; each time a
generator goes on counts too. A room is the first part of the path below ``ragkit/``. The sizes of
functions and files of ``ragkit/`` are counted as well.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import FrameType

import ragkit

PACKAGE = Path(ragkit.__file__).parent
SEED = PACKAGE.parent / "seeds" / "germany-soviet-union-relations-1918-1941.txt"
QUESTION = "Who signed the Treaty of Rapallo?"
BUILD_CHARACTERS = 6_000
LONG_FUNCTION, LONG_FILE = 40, 400


@dataclass(frozen=True, slots=True)
class Profile:
    """The files of all calls, in the order of the calls, relative to ``ragkit/``."""

    name: str
    files: Sequence[str]

    @property
    def transitions(self) -> list[tuple[str, str]]:
        """Return the pairs of rooms of consecutive calls that lie in different rooms."""
        rooms = [file.split("/")[0] for file in self.files]
        return [(before, after) for before, after in pairwise(rooms) if before != after]

    def __str__(self) -> str:
        return (
            f"{self.name}: {len(self.files):,} calls, {len(set(self.files))} files, "
            f"{len(self.transitions)} changes of room"
        )

    def details(self) -> Iterator[str]:
        """Yield a line for each pair of rooms and for each file, the most frequent first."""
        for (before, after), number in Counter(self.transitions).most_common():
            yield f"  {number:6,}  {before} → {after}"
        for file, number in Counter(self.files).most_common():
            yield f"  {number:6,}  {file}"


def profile(name: str, run: Callable[[], object]) -> Profile:
    """Run a function and record its calls into the package. Other threads are not recorded."""
    files: list[str] = []
    prefix = f"{PACKAGE}/"

    def record(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(prefix):
            files.append(frame.f_code.co_filename.removeprefix(prefix))

    sys.setprofile(record)
    try:
        run()
    finally:
        sys.setprofile(None)
    return Profile(name, files)


def profile_ask() -> Profile:
    """Profile ``Index.ask`` on the default index; the call before it loads the models."""
    index = ragkit.default_index()
    index.ask(QUESTION)
    return profile("ask", lambda: index.ask(QUESTION))


def profile_build() -> Profile:
    """Profile ``Index.build`` of the first 6,000 characters of the seed article."""
    text = SEED.read_text(encoding="utf-8")[:BUILD_CHARACTERS]
    document = ragkit.Document(id="a", title="A", text=text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        return profile("build", lambda: ragkit.Index.build([document], path))


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the package: where it is, and its lines with and without its docstring."""

    name: str
    lines: int
    code_lines: int


def size_lines() -> Iterator[str]:
    """Yield the report of the sizes of the package's functions and files."""
    sources = {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    functions = [f for file, source in sources.items() for f in _functions(file, source)]
    for what, lengths in (
        ("lines", [f.lines for f in functions]),
        ("lines without docstrings", [f.code_lines for f in functions]),
    ):
        yield (
            f"{len(functions):,} functions, {what}: median {median(lengths):g}, "
            f"maximum {max(lengths)}"
        )
    yield from _over(LONG_FUNCTION, "functions", [(f.lines, f.name) for f in functions])
    yield from _over(
        LONG_FUNCTION,
        "functions without docstrings",
        [(f.code_lines, f.name) for f in functions],
    )
    yield from _over(LONG_FILE, "files", [(len(s.splitlines()), f) for f, s in sources.items()])


def _functions(file: str, source: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines = (node.end_lineno or first) - first + 1
            name = f"{file}:{node.lineno} {node.name}"
            yield Function(name, lines, lines - _docstring_lines(node))


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    docstring = node.body[0]
    return (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1


def _over(limit: int, what: str, sizes: Sequence[tuple[int, str]]) -> Iterator[str]:
    long = sorted((size for size in sizes if size[0] > limit), reverse=True)
    yield f"{what} over {limit} lines: {len(long)}"
    yield from (f"  {length:6,}  {name}" for length, name in long)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--details", action="store_true", help="Print calls by file and by pair of rooms."
    )
    details = parser.parse_args().details
    for found in (profile_ask(), profile_build()):
        print(found)
        if details:
            print(*found.details(), sep="\n")
    print(*size_lines(), sep="\n")


if __name__ == "__main__":
    main()
