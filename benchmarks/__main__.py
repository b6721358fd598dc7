"""``python -m benchmarks --xquad FILE``: measure, write results/, rewrite the tables of README.md.

Run from the repository's root, in ragkit's environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks.libraries import LIBRARIES, install
from benchmarks.measure import MEASURES, OPTIONAL, Bench, Settings
from benchmarks.report import (
    BUSY,
    draw,
    load,
    machine,
    record,
    rewrite_overview,
    rewrite_readme,
    today,
    versions,
)


def main() -> None:
    """Run what the command line asks for."""
    options = _options()
    if options.render:
        _publish()
        return
    _limit_cores(options.threads)
    for library in LIBRARIES:
        install(library)
    _measure(_settings(options), options.only)
    _publish()


def _measure(settings: Settings, names: list[str]) -> None:
    """Run the measures; write each as soon as it is done."""
    bench = Bench(settings)
    about = {
        "date": today(),
        "machine": machine(),
        "versions": versions(settings.threads),
        "settings": settings.to_dict(),
    }
    for name in names:
        measure, corpora = MEASURES[name]
        found, busy = {}, {}
        started = time.monotonic()
        for corpus in corpora:
            print(f"{name}, {corpus}", file=sys.stderr, flush=True)
            bench.prepare(name, corpus)
            busy[corpus] = _busy_elsewhere()
            found[corpus] = measure(bench, corpus)
        record(name, {**about, "busy": max(busy.values()), "corpora": found})
        print(f"{name} took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _publish() -> None:
    try:
        draw(load())
    except ImportError:
        print("no plots: they need matplotlib (ragkit's extra 'report')", file=sys.stderr)
    rewrite_readme()
    rewrite_overview()


def _busy_elsewhere() -> float:
    """The share of the machine (0–1) that other processes use, measured over two seconds."""
    before = _processor_time()
    time.sleep(2)
    total, idle = (now - then for now, then in zip(_processor_time(), before, strict=True))
    share = 1 - idle / max(1, total)
    if share > BUSY:
        print(
            f"other processes use {share:.0%} of this machine: the figures are not reliable",
            file=sys.stderr,
        )
    return share


def _processor_time() -> tuple[int, int]:
    """Ticks since the machine started: all, and idle ones."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    ticks = [int(field) for field in fields]
    return sum(ticks), ticks[3] + ticks[4]


def _limit_cores(threads: int) -> None:
    """Limit this process and its children to that many cores, if the system supports it.

    Not every runtime obeys OMP_NUM_THREADS; all obey their set of cores.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        xquad=options.xquad.resolve(),
        rounds=options.rounds,
        few_rounds=options.few_rounds,
        questions=options.questions,
        warmups=options.warmups,
        threads=options.threads,
        clients=tuple(options.clients),
        sizes=tuple(options.sizes) if "growth" in options.only else (),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--xquad", type=Path, metavar="FILE", help="xquad.en.json")
    default = [name for name in MEASURES if name not in OPTIONAL]
    parser.add_argument(
        "--only",
        type=_names,
        default=default,
        metavar="NAME,…",
        help=f"any of {', '.join(MEASURES)} (default: all but {', '.join(OPTIONAL)})",
    )
    for name, kind, value, text in (
        ("rounds", _count, 5, "rounds"),
        ("few-rounds", _count, 3, "rounds of build, concurrency and growth"),
        ("questions", _count, 200, "questions of a round"),
        ("warmups", _count, 20, "questions before the first round, not measured"),
        ("threads", _count, 2, "threads of each library"),
        ("clients", _counts, [1, 2, 4, 8, 16, 32], "threads that ask at once"),
        ("sizes", _counts, [1000, 10_000, 100_000], "passages of the corpora of growth"),
    ):
        shown = "N" if kind is _count else "N,…"
        parser.add_argument(f"--{name}", type=kind, default=value, metavar=shown, help=text)
    parser.add_argument("--render", action="store_true", help="only render tables and plots")
    options = parser.parse_args()
    if not options.render and (options.xquad is None or not options.xquad.is_file()):
        parser.error("--xquad must name the file xquad.en.json (SQuAD format)")
    return options


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)}: expected one of {', '.join(MEASURES)}"
        )
    return names


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _counts(text: str) -> list[int]:
    return [_count(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
