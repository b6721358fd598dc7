"""The measurements. Libraries take turns round by round; a figure is the median of its rounds.

Values are in seconds, bytes, per second, or fractions; ``report`` scales them.
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
"""For each library the ``median`` (Values) and the ``rounds`` (a list of Values)."""
Once = Callable[[Library, int], Values]
"""Called with the library and the number of the round; returns what that round measured."""

OfServer = Callable[[Server, Sequence[str]], Values]
"""Called with a warm program and the round's questions; returns what that round measured."""

WORK = HERE / ".work"
COLD_QUESTION = "Who signed the Treaty of Rapallo?"


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        xquad: the file ``xquad.en.json``.
        rounds: number of rounds.
        few_rounds: number of rounds of measures that take minutes.
        questions: number of questions of a round.
        warmups: number of questions asked first and not measured.
        threads: number of threads of each library.
        clients: numbers of threads that ask at once.
        sizes: number of passages of each corpus of ``growth``.

    """

    xquad: Path
    rounds: int
    few_rounds: int
    questions: int
    warmups: int
    threads: int
    clients: tuple[int, ...]
    sizes: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, JSON-ready, without the path."""
        return {name: value for name, value in vars(self).items() if name != "xquad"}


@dataclass(frozen=True)
class Bench:
    """The corpora and indexes of one run, created when they are first needed."""

    settings: Settings

    @cached_property
    def _built(self) -> set[Path]:
        return set()

    @cached_property
    def _corpora(self) -> Path:
        """The folder of all corpora.

        A process of its own writes them, so that this one stays small: the peak memory of a child
        includes what its parent had when it started.
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
        """Return the path of a corpus."""
        return self._corpora / f"{name}.json"

    def questions(self, corpus: str) -> list[dict[str, str]]:
        """Return the ``text``, and for XQuAD the ``gold`` document, of each question."""
        questions: list[dict[str, str]] = json.loads(self.corpus(corpus).read_bytes())["questions"]
        return questions

    def build(self, library: Library, corpus: str) -> Values:
        """Index the corpus anew and measure it."""
        folder = WORK / "indexes" / corpus / library.key
        shutil.rmtree(folder, ignore_errors=True)
        arguments = ["build", str(self.corpus(corpus)), str(folder)]
        reply = json.loads(program(library, arguments, self.settings.threads))
        self._built.add(folder)
        return {
            "passages_a_second": reply["passages"] / reply["seconds"],
            "seconds": reply["seconds"],
            "rss": reply["rss"],
            "disk": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        }

    def index(self, library: Library, corpus: str) -> Path:
        """Return the folder of the library's index of the corpus, built in this run."""
        folder = WORK / "indexes" / corpus / library.key
        if folder not in self._built:
            self.build(library, corpus)
        return folder

    def prepare(self, measure: str, corpus: str) -> None:
        """Build the indexes that the measure needs but does not measure."""
        if measure not in {"build", "growth"}:
            for library in LIBRARIES if measure == "quality" else _asking():
                self.index(library, corpus)

    def serving(self, libraries: Sequence[Library], corpus: str) -> Any:
        """Context: each library's server by its name."""
        folders = [self.index(library, corpus) for library in libraries]
        return serving(libraries, folders, self.settings.threads)


def _build(bench: Bench, corpus: str) -> Outcome:
    return _interleaved(
        LIBRARIES, bench.settings.few_rounds, lambda library, _: bench.build(library, corpus)
    )


def _cold(bench: Bench, corpus: str) -> Outcome:
    """Measure a process from start to end that answers and prints one question."""

    def once(library: Library, _: int) -> Values:
        arguments = ["cold", str(bench.index(library, corpus)), COLD_QUESTION]
        seconds, rss = spend(library, arguments, bench.settings.threads)
        return {"seconds": seconds, "rss": rss}

    for library in _asking():
        once(library, 0)
    return _interleaved(_asking(), bench.settings.rounds, once)


def _warm(bench: Bench, corpus: str) -> Outcome:
    """Measure one question after another, with the index open."""

    def values(server: Server, asked: Sequence[str]) -> Values:
        return _percentiles(_latencies(server, asked))

    return _served(bench, corpus, bench.settings.rounds, values)


def _many(bench: Bench, corpus: str) -> Outcome:
    """Measure the library's batch call, or a loop if it has none."""

    def values(server: Server, asked: Sequence[str]) -> Values:
        return {"questions_a_second": len(asked) / server.ask({"many": asked})["seconds"]}

    return _served(bench, corpus, bench.settings.rounds, values)


def _memory(bench: Bench, corpus: str) -> Outcome:
    """Measure the peak memory of a process that answers a round of questions."""
    settings, questions = bench.settings, _texts(bench, corpus)

    def once(library: Library, _: int) -> Values:
        with bench.serving([library], corpus) as servers:
            server = servers[library.name]
            _latencies(server, _part(questions, 0, settings.questions))
            return {"rss": server.ask({"rss": True})["rss"]}

    return _interleaved(_asking(), 1, once)


def _quality(bench: Bench, corpus: str) -> Outcome:
    """Measure how often the gold paragraph is first, and among the first five."""
    questions = bench.questions(corpus)

    def once(library: Library, _: int) -> Values:
        with bench.serving([library], corpus) as servers:
            asked = [question["text"] for question in questions]
            found = servers[library.name].ask({"many": asked, "k": 5})["ids"]
        gold = [question["gold"] for question in questions]
        return {f"success_{k}": _success(found, gold, k) for k in (1, 5)}

    return _interleaved(LIBRARIES, 1, once)


def _concurrency(bench: Bench, corpus: str) -> Outcome:
    """Measure threads of one process that all ask, one question after another."""

    def values(server: Server, asked: Sequence[str]) -> Values:
        found: Values = {}
        for clients in bench.settings.clients:
            found |= _at_once(server, clients, asked)
        return found

    return _served(bench, corpus, bench.settings.few_rounds, values)


def _served(bench: Bench, corpus: str, rounds: int, values: OfServer) -> Outcome:
    """Measure rounds of questions to warm programs, each with its index open."""
    settings, questions = bench.settings, _texts(bench, corpus)
    with bench.serving(_asking(), corpus) as servers:
        _warm_up(servers, questions, settings.warmups)

        def once(library: Library, number: int) -> Values:
            asked = _part(questions, number, settings.questions)
            return values(servers[library.name], asked)

        return _interleaved(_asking(), rounds, once)


def _growth(bench: Bench, _: str) -> Outcome:
    """Measure ragkit and LangChain on corpora of several sizes, with the same questions."""
    merged: Outcome = {}
    for size in bench.settings.sizes:
        for name, outcome in _at_size(bench, size).items():
            total = merged.setdefault(name, {"median": {}, "rounds": []})
            total["median"] |= _suffixed(outcome["median"], size)
            total["rounds"] += [_suffixed(values, size) for values in outcome["rounds"]]
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
"""The function and the corpora of each measure."""

OPTIONAL = frozenset({"growth"})
"""Measures that run only on request."""


def _asking() -> list[Library]:
    return [library for library in LIBRARIES if not library.asks_as]


def _interleaved(libraries: Sequence[Library], rounds: int, once: Once) -> Outcome:
    """Run all rounds; each begins with another library, so that no pair always stays adjacent."""
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
    """The questions of a round: the next ``count``; after the last, the first again."""
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
    """The smallest value that ``percent`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _success(found: Sequence[Sequence[str]], gold: Sequence[str], k: int) -> float:
    hits = sum(right in ids[:k] for ids, right in zip(found, gold, strict=True))
    return hits / len(gold)


def _at_once(server: Server, clients: int, questions: Sequence[str]) -> Values:
    """``throughput``, ``p95`` and the share ``failed``, each with ``@clients``.

    If the program dies, all questions fail, then and in later rounds.
    """
    try:
        reply = server.ask({"concurrent": {"threads": clients, "questions": list(questions)}})
    except NoReplyError as error:
        print(f"  {error}", file=sys.stderr, flush=True)
        reply = {"latencies": [], "errors": [str(error)] * len(questions), "seconds": 1.0}
    latencies, errors = reply["latencies"], reply["errors"]
    for message in sorted(set(errors))[:3]:
        print(f"  {server.library.name}, {clients} threads: {message}", file=sys.stderr, flush=True)
    return {
        f"throughput@{clients}": len(latencies) / reply["seconds"],
        f"p95@{clients}": _percentile(latencies, 95) if latencies else float("nan"),
        f"failed@{clients}": len(errors) / len(questions),
    }
