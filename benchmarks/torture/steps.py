"""Everything that a writer does to a folder, step by step, from inside: to stop it there, to make a
step fail, or to write down what a disk would hold if its power went.

Python's audit events (PEP 578) tell each opening, renaming and removing just before it happens;
``os.fsync`` has none and is wrapped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["Step", "steps_below"]

Step = tuple[str, tuple[str, ...]]
"""What is about to happen, and to which paths."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_TOLD = {
    "os.rename": 2,
    "os.remove": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.link": 2,
}
_IN_FOLDERS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
}  # these name handles of folders too


class _Hook:
    """The one audit hook of this process, which cannot be taken away again but can be idle."""

    def __init__(self) -> None:
        self._meet: Callable[[Step], None] | None = None
        self._root = ""
        self._installed = False

    @contextmanager
    def meeting(self, root: Path, meet: Callable[[Step], None]) -> Iterator[None]:
        if not self._installed:
            sys.addaudithook(self)
            self._installed = True
        self._root, self._meet = str(root.resolve()), meet
        real = os.fsync

        def fsync(descriptor: int) -> None:
            self.told("sync", (str(Path(f"/proc/self/fd/{descriptor}").readlink()),))
            real(descriptor)

        try:
            with mock.patch.object(os, "fsync", fsync):
                yield
        finally:
            self._meet = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._meet is None:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, (str, bytes)) and isinstance(flags, int) and flags & _WRITING:
                self.told("open", (os.fsdecode(path),))
        elif event in _TOLD:
            number = _TOLD[event]
            folders = arguments[-number:] if event in _IN_FOLDERS else (-1,) * number
            paths = zip(folders, arguments[:number], strict=True)
            self.told(event.removeprefix("os."), tuple(_full(*path) for path in paths))

    def told(self, what: str, paths: tuple[str, ...]) -> None:
        meet = self._meet
        full = tuple(os.path.abspath(path) for path in paths)  # noqa: PTH100 - resolve would follow
        if meet is not None and any(
            p == self._root or p.startswith(f"{self._root}/") for p in full
        ):
            self._meet = None  # what ``meet`` does itself is no step
            try:
                meet((what, full))
            finally:
                self._meet = meet


_HOOK = _Hook()


def steps_below(root: Path, meet: Callable[[Step], None]) -> Any:
    """A context in which ``meet`` is told each step below ``root`` just before it is taken.

    What it raises, the step raises.
    """
    return _HOOK.meeting(root, meet)


def _full(folder: int, path: str | bytes) -> str:
    """``folder``: the handle of the one that ``path`` is in; -1 for this process's."""
    name = os.fsdecode(path)
    return name if folder == -1 else str(Path(f"/proc/self/fd/{folder}").readlink() / name)
