"""The libraries compared: their environments, and their programs as subprocesses."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

__all__ = [
    "HERE",
    "LIBRARIES",
    "Library",
    "NoReplyError",
    "Server",
    "child_environment",
    "install",
    "program",
    "serving",
    "spend",
]

HERE = Path(__file__).parent
LONGEST_REPLY = 1800
"""Seconds to wait for a reply of a program."""


@dataclass(frozen=True)
class Library:
    """One row of the tables.

    Attributes:
        name: the name shown.
        key: names its program ``peers/KEY_peer.py``, its pinned versions and its environment.
        own: whether it is ragkit, which runs in the benchmark's environment.
        asks_as: the key of the library that answers, if only the build differs from it.

    """

    name: str
    key: str
    own: bool = False
    asks_as: str = ""

    @property
    def source(self) -> Path:
        """The path of its program."""
        return HERE / "peers" / f"{self.key}_peer.py"

    @property
    def python(self) -> Path:
        """The Python interpreter of its environment."""
        return Path(sys.executable) if self.own else HERE / ".venvs" / self.key / "bin" / "python"


LIBRARIES = (
    Library("ragkit", "ragkit", own=True),
    Library("ragkit (int8 build)", "ragkit_int8", own=True, asks_as="ragkit"),
    Library("LangChain", "langchain"),
    Library("LlamaIndex", "llamaindex"),
    Library("Haystack", "haystack"),
    Library("txtai (hybrid)", "txtai"),
)


def install(library: Library) -> None:
    """Create the library's environment unless it exists with the pinned versions."""
    if library.own:
        return
    pinned = HERE / "peers" / f"{library.key}.txt"
    folder = library.python.parent.parent
    stamp = folder / "installed.txt"
    if stamp.is_file() and stamp.read_bytes() == pinned.read_bytes():
        return
    print(f"installing {library.name} into {folder}", file=sys.stderr, flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(library.python), "-m", "pip", "install", "--quiet", "-r", str(pinned)])
    stamp.write_bytes(pinned.read_bytes())


def child_environment(threads: int) -> dict[str, str]:
    """Return the environment variables of every program: number of threads, and no network."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }


def program(library: Library, arguments: Sequence[str], threads: int) -> str:
    """Run the library's program with ``arguments``; return what it prints."""
    with _log(library).open("a", encoding="utf-8") as log:
        done = subprocess.run(  # noqa: S603 this folder's own program
            _command(library, arguments),
            cwd=HERE.parent,
            env=child_environment(threads),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=False,
        )
    if done.returncode or not done.stdout:
        raise SystemExit(f"{library.name} {arguments[0]} failed; see {_log(library)}")
    return done.stdout


def spend(library: Library, arguments: Sequence[str], threads: int) -> tuple[float, int]:
    """Run the library's program; return its seconds and its peak memory in bytes."""
    with _log(library).open("a", encoding="utf-8") as log:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 this folder's own program
            _command(library, arguments),
            cwd=HERE.parent,
            env=child_environment(threads),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{library.name} {arguments[0]} failed; see {_log(library)}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class NoReplyError(SystemExit):
    """A library's program died, or did not reply in time."""


@dataclass(frozen=True)
class Server:
    """A library's program with an open index, waiting for requests."""

    library: Library
    process: subprocess.Popen[str]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request of ``peers/protocol.py``. Raises NoReplyError."""
        try:
            print(json.dumps(request), file=_pipe(self.process.stdin), flush=True)
        except BrokenPipeError as error:
            raise NoReplyError(f"{self.library.name} has died; see {_log(self.library)}") from error
        return self.reply()

    def reply(self) -> dict[str, Any]:
        """Return the next reply. Raises NoReplyError if ``LONGEST_REPLY`` seconds pass without."""
        replies = _pipe(self.process.stdout)
        line = replies.readline() if select.select([replies], [], [], LONGEST_REPLY)[0] else ""
        if not line:
            raise NoReplyError(f"{self.library.name} gave no reply; see {_log(self.library)}")
        reply: dict[str, Any] = json.loads(line)
        return reply


@contextmanager
def serving(
    libraries: Sequence[Library], folders: Sequence[Path], threads: int
) -> Iterator[dict[str, Server]]:
    """Yield each library's server by its name, with the index in its folder open."""
    with ExitStack() as stack:
        yield {
            library.name: stack.enter_context(_served(library, folder, threads))
            for library, folder in zip(libraries, folders, strict=True)
        }


@contextmanager
def _served(library: Library, folder: Path, threads: int) -> Iterator[Server]:
    with (
        _log(library).open("a", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603 this folder's own program
            _command(library, ["serve", str(folder)]),
            cwd=HERE.parent,
            env=child_environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            server = Server(library, process)
            server.reply()
            yield server
        finally:
            process.kill()


def _command(library: Library, arguments: Sequence[str]) -> list[str]:
    return [str(library.python), "-m", f"benchmarks.peers.{library.source.stem}", *arguments]


def _log(library: Library) -> Path:
    folder = HERE / ".work" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{library.key}.log"


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise SystemExit("the program was started without pipes")
    return pipe


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)  # noqa: S603 only install calls this
