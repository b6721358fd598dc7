"""What reading costs: the same questions asked with the reader and without, in one process.

``python -m benchmarks.reading --save`` asks the seed's questions in both ways, turn by turn, so
that what else the machine does falls on both, and starts new processes for the first answer and
the memory. The page: results/reading.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ragkit import Answer, Index, default_index
from ragkit.evaluation import load_questions

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).parent / "results" / "reading.md"
QUESTION = "When did the first German officers go to Soviet Russia?"
PROCESS = """
import re, sys, time
from pathlib import Path
begun = time.perf_counter()
from ragkit.default import open_index
index = open_index(None, reader="shipped" if sys.argv[1] == "read" else None)
index.ask(sys.argv[2])
seconds = time.perf_counter() - begun
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(seconds, int(peak) / 1024)
"""


def interleaved(
    ask: Sequence[Callable[[str], Answer]], questions: Sequence[str], rounds: int
) -> list[list[float]]:
    """Return for each way the median milliseconds of each question, asked in turn."""
    times: list[list[list[float]]] = [[[] for _ in questions] for _ in ask]
    for _ in range(rounds):
        for number, question in enumerate(questions):
            for way, one in enumerate(ask):
                begun = time.perf_counter()
                one(question)
                times[way][number].append(1000 * (time.perf_counter() - begun))
    return [[statistics.median(own) for own in way] for way in times]


def started(way: str, rounds: int) -> tuple[float, float]:
    """Return the median seconds to the first answer of a new process, and its peak MiB."""
    runs = []
    for _ in range(rounds):
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-c", PROCESS, way, QUESTION],
            capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
        runs.append([float(value) for value in done.stdout.split()])
    seconds, memory = zip(*runs, strict=True)
    return statistics.median(seconds), statistics.median(memory)


def read_shares(index: Index, questions: Sequence[str]) -> list[int]:
    """Return for each question how many of its passages were read."""
    answers = [index.ask(question) for question in questions]
    return [sum(p.answers is not None for p in answer.passages) for answer in answers]


def page(index: Index, questions: Sequence[str], rounds: int) -> str:
    """Measure, and return the page in Markdown."""
    reading = index.with_reader("shipped")
    for ask in (reading.ask, index.ask):
        ask(QUESTION)
    read, found = interleaved([reading.ask, index.ask], questions, rounds)
    passages = read_shares(reading, questions)
    (first, memory), (plain_first, plain_memory) = started("read", 5), started("found", 5)
    rows = [
        ("a warm question, p50, ms", _ms(read, 50), _ms(found, 50)),
        ("a warm question, p95, ms", _ms(read, 95), _ms(found, 95)),
        ("first answer of a new process, ms", 1000 * first, 1000 * plain_first),
        ("its memory at most, MiB", memory, plain_memory),
    ]
    lines = [f"| {name} | {a:.1f} | {b:.1f} | {a / b:.2f} |" for name, a, b in rows]
    few = sum(count <= 1 for count in passages) / len(passages)
    return "\n".join(
        [
            "# What reading costs",
            "",
            f"{len(questions)} questions of the seed's set, medians of {rounds} rounds, asked in",
            "turn with the reader and without in one process; five new processes each.",
            "",
            "| | with the reader | without | ratio |",
            "|---|---|---|---|",
            *lines,
            "",
            f"For {few:.0%} of the questions the first passage was read and no other.",
            "",
        ]
    )


def _ms(times: Sequence[float], percentile: int) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * percentile // 100)]


def main() -> None:
    """Print the page, or save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="write results/reading.md")
    options = parser.parse_args()
    questions = [q.text for q in load_questions(ROOT / "eval" / "questions.jsonl")]
    random.Random(17).shuffle(questions)  # noqa: S311
    made = page(default_index().with_reader(None), questions[: options.questions], options.rounds)
    PAGE.write_text(made, encoding="utf-8") if options.save else print(made)


if __name__ == "__main__":
    main()
