"""A chat in a terminal of its own, as a person has it: what is typed, and what is then shown."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect

from support.parts import ROOT

__all__ = ["CTRL_C", "CTRL_D", "ENTER", "TAB", "UP", "Terminal", "terminal"]

CTRL_C, CTRL_D, ENTER, TAB, UP = "\x03", "\x04", "\r", "\t", "\x1b[A"
_PROMPT = "\x1b[?2004h"  # the line editor asks for pasted text to be marked
_COMMAND = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
# Where the tests run in the background of a shell, interruptions are ignored from birth.
_HEEDING = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('ragkit', run_name='__main__', alter_sys=True)"
)


class Terminal:
    """A running chat.

    ``banner``: what it shows before the first prompt. ``raw``: what it wrote between prompts,
    with colours and cursor movements.
    """

    def __init__(self, child: Any) -> None:
        self._child = child
        self.raw = ""
        self.banner = self.until_prompt()

    def enter(self, line: str) -> str:
        """Type a line; return what is shown until the next prompt, the line included."""
        return self.press(line + ENTER)

    def press(self, keys: str) -> str:
        """Type keys that end a prompt; return what is shown until the next one."""
        self._child.send(keys)
        return self.until_prompt()

    def type(self, keys: str, shown: str) -> None:
        """Type keys, and wait until the line shows a text."""
        self._child.send(keys)
        self._child.expect_exact(shown)

    def leave(self, keys: str) -> int:
        """Type keys that end the chat; return its exit status."""
        self._child.send(keys)
        self._child.expect(pexpect.EOF)
        self._child.close()
        return int(self._child.exitstatus)

    def wait_for(self, text: str) -> None:
        """Wait until a text is shown."""
        self._child.expect_exact(text)

    def until_prompt(self) -> str:
        """Return what is shown until the next prompt, without colours and cursor movements."""
        self._child.expect_exact(_PROMPT)
        self.raw += self._child.before
        return _COMMAND.sub("", self._child.before).replace("\r", "")


@contextmanager
def terminal(
    state: Path, *arguments: str, columns: int = 100, **variables: str
) -> Iterator[Terminal]:
    """Run ``ragkit chat`` in a terminal; its history is in the folder ``state``."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment = {
        **inherited,
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody answers where the cursor is
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(state),
        **variables,
    }
    child = pexpect.spawn(
        sys.executable,
        ["-c", _HEEDING, "chat", *arguments],
        env=environment,
        dimensions=(40, columns),
        encoding="utf-8",
        timeout=120,
    )
    try:
        yield Terminal(child)
    finally:
        child.close(force=True)
