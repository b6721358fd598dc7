"""Many clients at once against ``ragkit serve`` on loopback: ``python -m benchmarks.serving``.

Each client sends its next question when its last is answered, so the server sets the pace. Every
answer is compared with the library's own. With ``--workers N``, a server of one process and one of
N worker processes take turns under the same load; the clients need processor time as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, cast

import httpx

import ragkit
from ragkit.evaluation import load_questions

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "serving.md"


@dataclass
class Load:
    """The results of the questions.

    Attributes:
        seconds: how long each answer took.
        errors: statuses and exceptions of questions that got no answer.
        wrong: number of answers that differ from the library's.

    """

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    wrong: int = 0

    def add(self, other: Load) -> None:
        """Add the results of another load."""
        self.seconds += other.seconds
        self.errors += other.errors
        self.wrong += other.wrong


@contextmanager
def server(workers: int) -> Iterator[str]:
    """Yield the address of a server of that many processes."""
    process = subprocess.Popen(  # noqa: S603 - fixed arguments
        [sys.executable, "-m", "ragkit", "serve", "--port", "0", "--workers", str(workers)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = cast("IO[str]", process.stderr)
    try:
        for line in log:
            if match := re.search(r"listening on (http://\S+)", line):
                break
        else:
            raise RuntimeError("the server did not start")
        drained = asyncio.get_running_loop().run_in_executor(None, log.read)
        yield match[1]
    finally:
        process.terminate()
        process.wait(30)
        del drained


async def load(url: str, expected: dict[str, str], clients: int, seconds: float) -> Load:
    """Ask for that many seconds, with all clients at once; questions take turns."""
    questions = list(expected)
    result, number = Load(), count()
    until = 0.0  # set when the server is warm
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)

    async def ask_repeatedly(client: httpx.AsyncClient) -> None:
        while time.monotonic() < until:
            question = questions[next(number) % len(questions)]
            started = time.perf_counter()
            try:
                response = await client.post("/v1/ask", json={"question": question})
            except httpx.HTTPError as error:
                result.errors.append(type(error).__name__)
                continue
            result.seconds.append(time.perf_counter() - started)
            if response.status_code != 200:
                result.errors.append(str(response.status_code))
            elif response.json()["text"] != expected[question]:
                result.wrong += 1

    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        warm_up = (client.post("/v1/ask", json={"question": questions[0]}) for _ in range(clients))
        await asyncio.gather(*warm_up)
        until = time.monotonic() + seconds
        await asyncio.gather(*(ask_repeatedly(client) for _ in range(clients)))
    return result


def figures(result: Load, workers: int, clients: int, seconds: float) -> dict[str, float | int]:
    """Return the figures of one load."""
    cuts = statistics.quantiles(result.seconds, n=100)
    return {
        "workers": workers,
        "clients": clients,
        "seconds": seconds,
        "answers": len(result.seconds),
        "per_second": round(len(result.seconds) / seconds, 1),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p95_ms": round(cuts[94] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "errors": len(result.errors),
        "wrong": result.wrong,
    }


async def run(
    workers: list[int], clients: list[int], seconds: float, rounds: int
) -> list[dict[str, float | int]]:
    """Run one load after the other; in each round the servers take turns."""
    questions = [q.text for q in load_questions(ROOT / "eval" / "questions.jsonl")]
    expected = {question: ragkit.ask(question).text for question in questions}
    rows = []
    with ExitStack() as servers:
        urls = {number: servers.enter_context(server(number)) for number in workers}
        for many in clients:
            results = {number: Load() for number in workers}
            for _ in range(rounds):
                for number, url in urls.items():
                    results[number].add(await load(url, expected, many, seconds / rounds))
            for number, result in results.items():
                rows.append(figures(result, number, many, seconds))
                print(json.dumps(rows[-1]))
    return rows


def table(rows: list[dict[str, float | int]]) -> str:
    head = "# The server under load\n\nMade by `python -m benchmarks.serving --save`.\n\n"
    names = list(rows[0])
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |"]
    lines += ["|" + "---:|" * len(names)]
    lines += ["| " + " | ".join(f"{row[name]:,}" for name in names) + " |" for row in rows]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="Of each load, of each server."
    )
    parser.add_argument("--save", action="store_true", help=f"Write {RESULTS.name}.")
    parser.add_argument("--workers", type=int, default=1, help="Compare 1 process with this many.")
    parser.add_argument("--rounds", type=int, default=4, help="Turns of each server, a load.")
    chosen = parser.parse_args()
    workers = sorted({1, chosen.workers})
    rows = asyncio.run(run(workers, chosen.clients, chosen.seconds, chosen.rounds))
    if chosen.save:
        RESULTS.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
