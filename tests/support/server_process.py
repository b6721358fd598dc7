"""The command ``ragkit serve`` as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["address", "running", "serve"]


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


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The address of a server whose log nobody needs."""
    process = serve(*arguments)
    try:
        url = address(process)
        assert process.stderr
        # A full pipe would stop it.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield url
    finally:
        process.terminate()
        process.wait(30)
