"""The measurements. Libraries take turns round by round; a figure is the median of its rounds.

All values are in seconds, bytes, a second, or fractions; ``report`` scales them for reading.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.libraries import (
    HERE,
    LIBRARIES,
    Library,
    NoReplyError,
    Server,
    child_environment,
    program,
    serving,
    spend,
)

__all__ = ["MEASURES", "OPTIONAL", "Bench", "Outcome", "Settings"]

Values = dict[str, float]
Outcome = dict[str, dict[str, Any]]
"""library → ``median`` (Values) and ``rounds`` (a list of Values)"""
Once = Callable[[Library, int], Values]
"""(library, round's number) → what that round measured"""

OfServer = Callable[[Server, Sequence[str]], Values]
"""(a warm program, the round's questions) → what that round measured"""

WORK = HERE / ".work"
COLD_QUESTION = "Who signed the Treaty of Rapallo?"


@dataclass(frozen=True)
class Settings:
    """How much is measured. ``few_rounds`` are the rounds of what takes minutes."""

    xquad: Path
    rounds: int
    few_rounds: int
    questions: int
    """questions a round"""
    warmups: int
    """questions asked first, not measured"""
    threads: int
    clients: tuple[int, ...]
    """how many threads ask at once"""
    sizes: tuple[int, ...]
    """passages of each corpus of ``growth``"""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the path."""
        return {name: value for name, value in vars(self).items() if name != "xquad"}


@dataclass(frozen=True)
class Bench:
    """Corpora and indexes of one run, made when they are first needed."""

    settings: Settings

    @cached_property
    def _built(self) -> set[Path]:
        return set()

    @cached_property
    def _corpora(self) -> Path:
        """The folder of all corpora. A process of its own writes them, so that this one stays
        small: a child's peak memory counts from what its parent had at its start.
        """
        folder = WORK / "corpora"
        sizes = map(str, self.settings.sizes)
        subprocess.run(  # noqa: S603 this folder's own program
            [sys.executable, "-m", "benchmarks.corpora", folder, self.settings.xquad, *sizes],
            cwd=HERE.parent,
            env=child_environment(self.settings.threads),
            check=True,
        )
        return folder

    def corpus(self, name: str) -> Path:
        """The corpus's file."""
        return self._corpora / f"{name}.json"

    def questions(self, corpus: str) -> list[dict[str, str]]:
        """``text`` and perhaps ``gold`` of each question."""
        found: list[dict[str, str]] = json.loads(self.corpus(corpus).read_bytes())["questions"]
        return found

    def build(self, library: Library, corpus: str) -> Values:
        """Index the corpus anew; what that took."""
        folder = WORK / "indexes" / corpus / library.key
        shutil.rmtree(folder, ignore_errors=True)
        arguments = ["build", str(self.corpus(corpus)), str(folder)]
        told = json.loads(program(library, arguments, self.settings.threads))
        self._built.add(folder)
        return {
            "passages_a_second": told["passages"] / told["seconds"],
            "seconds": told["seconds"],
            "rss": told["rss"],
            "disk": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        }

    def index(self, library: Library, corpus: str) -> Path:
        """The folder of the library's index of the corpus, built in this run."""
        folder = WORK / "indexes" / corpus / library.key
        if folder not in self._built:
            self.build(library, corpus)
        return folder

    def prepare(self, measure: str, corpus: str) -> None:
        """Make what the measure needs beforehand, but not what it measures."""
        if measure not in {"build", "growth"}:
            for library in LIBRARIES if measure == "quality" else _asking():
                self.index(library, corpus)

    def serving(self, libraries: Sequence[Library], corpus: str) -> Any:
        """Context: name → Server."""
        folders = [self.index(library, corpus) for library in libraries]
        return serving(libraries, folders, self.settings.threads)


def _build(bench: Bench, corpus: str) -> Outcome:
    return _interleaved(
        LIBRARIES, bench.settings.few_rounds, lambda library, _: bench.build(library, corpus)
    )


def _cold(bench: Bench, corpus: str) -> Outcome:
    """From the start of the process to its end, one question answered and printed."""

    def once(library: Library, _: int) -> Values:
        arguments = ["cold", str(bench.index(library, corpus)), COLD_QUESTION]
        seconds, rss = spend(library, arguments, bench.settings.threads)
        return {"seconds": seconds, "rss": rss}

    for library in _asking():
        once(library, 0)
    return _interleaved(_asking(), bench.settings.rounds, once)


def _warm(bench: Bench, corpus: str) -> Outcome:
    """One question after another, asked of an index that is open."""

    def values(server: Server, asked: Sequence[str]) -> Values:
        return _percentiles(_latencies(server, asked))

    return _served(bench, corpus, bench.settings.rounds, values)


def _many(bench: Bench, corpus: str) -> Outcome:
    """The library's batch call, or a loop where it has none."""

    def values(server: Server, asked: Sequence[str]) -> Values:
        return {"questions_a_second": len(asked) / server.ask({"many": asked})["seconds"]}

    return _served(bench, corpus, bench.settings.rounds, values)


def _memory(bench: Bench, corpus: str) -> Outcome:
    """The peak of a process that opened its index and answered a round of questions."""
    settings, questions = bench.settings, _texts(bench, corpus)

    def once(library: Library, _: int) -> Values:
        with bench.serving([library], corpus) as servers:
            server = servers[library.name]
            _latencies(server, _part(questions, 0, settings.questions))
            return {"rss": server.ask({"rss": True})["rss"]}

    return _interleaved(_asking(), 1, once)


def _quality(bench: Bench, corpus: str) -> Outcome:
    """How often the gold paragraph is the first passage, and among the first five."""
    questions = bench.questions(corpus)

    def once(library: Library, _: int) -> Values:
        with bench.serving([library], corpus) as servers:
            asked = [question["text"] for question in questions]
            found = servers[library.name].ask({"many": asked, "k": 5})["ids"]
        gold = [question["gold"] for question in questions]
        return {f"success_{k}": _success(found, gold, k) for k in (1, 5)}

    return _interleaved(LIBRARIES, 1, once)


def _concurrency(bench: Bench, corpus: str) -> Outcome:
    """Threads of one process that ask one question after another, all at once."""

    def values(server: Server, asked: Sequence[str]) -> Values:
        found: Values = {}
        for clients in bench.settings.clients:
            found |= _at_once(server, clients, asked)
        return found

    return _served(bench, corpus, bench.settings.few_rounds, values)


def _served(bench: Bench, corpus: str, rounds: int, values: OfServer) -> Outcome:
    """Rounds of questions to warm programs, each with its index open."""
    settings, questions = bench.settings, _texts(bench, corpus)
    with bench.serving(_asking(), corpus) as servers:
        _warm_up(servers, questions, settings.warmups)

        def once(library: Library, number: int) -> Values:
            asked = _part(questions, number, settings.questions)
            return values(servers[library.name], asked)

        return _interleaved(_asking(), rounds, once)


def _growth(bench: Bench, _: str) -> Outcome:
    """Ask ragkit and LangChain the same questions on corpora of several sizes."""
    merged: Outcome = {}
    for size in bench.settings.sizes:
        for name, found in _at_size(bench, size).items():
            kept = merged.setdefault(name, {"median": {}, "rounds": []})
            kept["median"] |= _suffixed(found["median"], size)
            kept["rounds"] += [_suffixed(values, size) for values in found["rounds"]]
    return merged


def _at_size(bench: Bench, size: int) -> Outcome:
    settings, corpus = bench.settings, f"grown-{size}"
    questions = _texts(bench, f"grown-{min(settings.sizes)}")
    libraries = [library for library in LIBRARIES if library.key in {"ragkit_int8", "langchain"}]
    built = {library.name: bench.build(library, corpus) for library in libraries}
    with bench.serving(libraries, corpus) as servers:
        _warm_up(servers, questions, settings.warmups)

        def once(library: Library, number: int) -> Values:
            asked = _part(questions, number, settings.questions)
            timed = _percentiles(_latencies(servers[library.name], asked))
            return timed | {"build": built[library.name]["seconds"]}

        return _interleaved(libraries, settings.few_rounds, once)


Measure = Callable[[Bench, str], Outcome]

MEASURES: dict[str, tuple[Measure, tuple[str, ...]]] = {
    "build": (_build, ("seed", "xquad")),
    "cold": (_cold, ("seed",)),
    "warm": (_warm, ("seed", "xquad")),
    "many": (_many, ("xquad",)),
    "memory": (_memory, ("xquad",)),
    "quality": (_quality, ("xquad",)),
    "concurrency": (_concurrency, ("xquad",)),
    "growth": (_growth, ("grown",)),
}
"""Name → the measurement, and the corpora that it is made on."""

OPTIONAL = frozenset({"growth"})
"""What runs only when it is asked for."""


def _asking() -> list[Library]:
    return [library for library in LIBRARIES if not library.asks_as]


def _interleaved(libraries: Sequence[Library], rounds: int, once: Once) -> Outcome:
    """Each round begins with another library, so that none has always the same neighbour."""
    samples: dict[str, list[Values]] = {library.name: [] for library in libraries}
    for number in range(rounds):
        first = number % len(libraries)
        for library in (*libraries[first:], *libraries[:first]):
            values = once(library, number)
            samples[library.name].append(values)
            shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            print(f"  {number + 1}/{rounds} {library.name}: {shown}", file=sys.stderr, flush=True)
    return {name: {"median": _medians(found), "rounds": found} for name, found in samples.items()}


def _medians(rounds: Sequence[Values]) -> Values:
    return {name: statistics.median(values[name] for values in rounds) for name in rounds[0]}


def _suffixed(values: Values, size: int) -> Values:
    return {f"{name}@{size}": value for name, value in values.items()}


def _texts(bench: Bench, corpus: str) -> list[str]:
    return [question["text"] for question in bench.questions(corpus)]


def _part(questions: Sequence[str], number: int, count: int) -> list[str]:
    """The questions of a round: the next ``count``, from the beginning again after the last."""
    start = number * count
    return [questions[i % len(questions)] for i in range(start, start + count)]


def _warm_up(servers: dict[str, Server], questions: Sequence[str], count: int) -> None:
    for server in servers.values():
        _latencies(server, list(islice(reversed(questions), count)))


def _latencies(server: Server, questions: Sequence[str]) -> list[float]:
    return [server.ask({"ask": question, "k": 5})["seconds"] for question in questions]


def _percentiles(latencies: Sequence[float]) -> Values:
    return {f"p{percent}": _percentile(latencies, percent) for percent in (50, 95, 99)}


def _percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that ``percent`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _success(found: Sequence[Sequence[str]], gold: Sequence[str], k: int) -> float:
    hits = sum(right in ids[:k] for ids, right in zip(found, gold, strict=True))
    return hits / len(gold)


def _at_once(server: Server, clients: int, questions: Sequence[str]) -> Values:
    """``throughput``, ``p95`` and how many questions ``failed``, each with ``@clients``.

    All have failed if the program died of it; it stays dead.
    """
    try:
        reply = server.ask({"concurrent": {"threads": clients, "questions": list(questions)}})
    except NoReplyError as error:
        print(f"  {error}", file=sys.stderr, flush=True)
        reply = {"latencies": [], "errors": [str(error)] * len(questions), "seconds": 1.0}
    latencies, errors = reply["latencies"], reply["errors"]
    for said in sorted(set(errors))[:3]:
        print(f"  {server.library.name}, {clients} threads: {said}", file=sys.stderr, flush=True)
    return {
        f"throughput@{clients}": len(latencies) / reply["seconds"],
        f"p95@{clients}": _percentile(latencies, 95) if latencies else float("nan"),
        f"failed@{clients}": len(errors) / len(questions),
    }
