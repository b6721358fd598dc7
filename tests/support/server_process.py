"""The command ``ragkit serve`` as a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Workers", "address", "running", "serve", "until", "workers"]


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


@dataclass
class Workers:
    """A server with worker processes, and the lines that it logged since it listens."""

    process: subprocess.Popen[str]
    url: str
    log: list[str] = field(default_factory=list)

    def pids(self) -> list[int]:
        """Return the processes of the workers."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        return [pid for pid, line in lines.items() if b"spawn_main" in line]

    def requests(self, route: str) -> list[dict[str, Any]]:
        """Return what was logged of the requests of a route."""
        lines = [json.loads(line) for line in list(self.log) if line.startswith("{")]
        return [line for line in lines if line.get("route") == route]

    def answered_by(self, route: str) -> set[int]:
        """Return the numbers of the workers that answered requests of a route."""
        return {line["worker"] for line in self.requests(route)}

    def by_all(self, route: str, send: Callable[[], object]) -> int:
        """Send requests, on a connection each, until all workers have answered one; how many."""
        for number in range(1, 301):
            send()
            until(lambda number=number: len(self.requests(route)) >= number)  # type: ignore[misc]
            if self.answered_by(route) == {1, 2}:
                return number
        raise AssertionError("one worker answers all requests")

    def metrics(self, **headers: str) -> dict[tuple[str, ...], float]:
        """Return the metrics, by name and labels."""
        text = httpx.get(f"{self.url}/metrics", headers=headers, timeout=30).text
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@contextmanager
def workers(*arguments: str, **environment: str) -> Iterator[Workers]:
    """A server with two workers."""
    process = serve("--workers", "2", *arguments, **environment)
    try:
        server = Workers(process, address(process))
        log = process.stderr
        assert log

        def read() -> None:
            for line in log:
                server.log.append(line)

        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        yield server
    finally:
        process.terminate()
        process.wait(60)
    reading.join(30)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition; fail if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
