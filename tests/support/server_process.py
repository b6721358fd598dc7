"""The command ``ragkit serve`` as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys

__all__ = ["address", "serve"]


def serve(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ragkit", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def address(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"listening on (http://[^\s\"]+)", line):
            return found[1]
    raise AssertionError("it did not start")
