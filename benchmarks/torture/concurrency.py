"""Many threads of many processes ask while generations are exchanged under them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks.torture.corpora import QUESTIONS, few_documents, int8_encoder
from benchmarks.torture.rows import Row, Tally
from ragkit import Answer, Encoder, Index, RagkitError

TITLE = "Concurrency"
ABOUT = """\
Four processes of 32 threads each ask one index, each thread the newest generation that its process
has opened, while a fifth process publishes four generations in turn. Each process reopens the index
continually, and one thread now and then opens it for a single question. Every answer is compared
with what the same generation answered to a single thread before. Memory and file handles are
medians of the second and of the last quarter of the time; they must not grow. (An open generation
has 23 handles, and the number in use varies from moment to moment.)"""

PROCESSES, THREADS, GENERATIONS, MINUTES = 4, 32, 4, 10.0
_GROWTH = 1.10
"""From the second quarter to the last; the allocator is given this much."""


def run(effort: float) -> Iterator[Row]:
    seconds = 60 * MINUTES * effort
    encoder = int8_encoder()
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        truth = {}
        for turn in range(GENERATIONS):
            Index.build(few_documents(turn), top / str(turn), encoder=encoder)
            index = Index.open(top / str(turn), encoder=encoder)
            truth[index.generation] = [_said(index.ask(q, threshold=0)) for q in QUESTIONS]
        (top / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
        Index.open(top / "0", encoder=encoder).save(top / "index")
        command = [sys.executable, "-m", "benchmarks.torture.concurrency", str(top), str(seconds)]
        askers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
        ]
        published = _publishing(top, encoder, seconds)
        for number, asker in enumerate(askers):
            said, _ = asker.communicate(timeout=300 + seconds)
            row = json.loads(said.splitlines()[-1])
            row["what"] = f"process {number + 1}, {THREADS} threads, {seconds / 60:g} minutes"
            yield Row(**row)
        yield published


def _publishing(top: Path, encoder: Encoder, seconds: float) -> Row:
    tally = Tally("generations published meanwhile")
    made = [Index.open(top / str(turn), encoder=encoder) for turn in range(GENERATIONS)]
    rng, until = random.Random(0), time.monotonic() + seconds
    while time.monotonic() < until:
        index = rng.choice(made)
        index.save(top / "index")
        tally.saw("published")
        tally.check(
            Index.open(top / "index", encoder=encoder).generation == index.generation,
            "not published",
        )
        time.sleep(rng.uniform(0, 0.2))
    return tally.row()


def _said(answer: Answer) -> str:
    """All of an answer that tells it from any other."""
    return json.dumps(answer.to_dict(), sort_keys=True)


class _Asking:
    """One process: its threads, what they found, and what they took."""

    def __init__(self, top: Path, seconds: float) -> None:
        self._path = top / "index"
        self._truth = json.loads((top / "truth.json").read_text(encoding="utf-8"))
        self._encoder = int8_encoder()
        self._index = Index.open(self._path, encoder=self._encoder)
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._tally = Tally("")

    def run(self, seconds: float) -> Row:
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(THREADS)]
        threads.append(threading.Thread(target=self._reopen))
        for thread in threads:
            thread.start()
        used: list[tuple[int, int]] = []
        while time.monotonic() < self._until:
            time.sleep(seconds / 200)
            used.append((_memory(), _handles()))
        for thread in threads:
            thread.join(120)
            self._tally.check(not thread.is_alive(), "a thread hangs")
        return self._with_use(used)

    def _with_use(self, used: list[tuple[int, int]]) -> Row:
        quarter = len(used) // 4
        second, last = used[quarter : 2 * quarter], used[-quarter:]
        outcomes: dict[str, int | float | str] = dict(sorted(self._tally.outcomes.items()))
        for place, (name, unit) in enumerate((("memory", "MiB"), ("file handles", ""))):
            before, after = (int(median(one[place] for one in part)) for part in (second, last))
            self._tally.check(after <= before * _GROWTH + 8, f"{name}: {before} to {after}")
            outcomes[name] = f"{before} to {after} {unit}".strip()
        row = asdict(self._tally.row())
        return Row(**{**row, "outcomes": outcomes})

    def _ask(self, number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < self._until:
            asked = rng.randrange(len(QUESTIONS))
            try:
                opened = number == 0 and rng.random() < 0.1
                index = Index.open(self._path, encoder=self._encoder) if opened else self._index
                said = _said(index.ask(QUESTIONS[asked], threshold=0))
                right = said == self._truth[index.generation][asked]
                self._count(
                    "answered", right, f"{index.generation} {QUESTIONS[asked]} {said[:200]}"
                )
            except RagkitError as error:
                self._count("error", False, f"{type(error).__name__}: {error}")

    def _reopen(self) -> None:
        while time.monotonic() < self._until:
            try:
                opened = Index.open(self._path, encoder=self._encoder)
                self._count(
                    "opened anew"
                    if opened.generation != self._index.generation
                    else "opened, the same",
                    opened.generation in self._truth,
                    opened.generation,
                )
                self._index = opened
            except RagkitError as error:
                self._count("error", False, f"{type(error).__name__}: {error}")
            time.sleep(0.05)

    def _count(self, outcome: str, holds: bool, example: str) -> None:
        with self._lock:
            self._tally.saw(outcome)
            self._tally.check(holds, example)


def _memory() -> int:
    """Resident, MiB."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def _handles() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone


if __name__ == "__main__":
    folder, lasts = Path(sys.argv[1]), float(sys.argv[2])
    print(json.dumps(asdict(_Asking(folder, lasts).run(lasts))))
