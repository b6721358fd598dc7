"""What it costs and gives to spread a build: ``python -m benchmarks.spreading XQUAD.json``.

Each way of reading is a process of its own, on a Ray cluster that is started for it on this
machine; they take turns, and a figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ragkit import load_encoder
from ragkit.encoding import Encoder
from ragkit.evaluation.formats import load_squad
from ragkit.index.journal import Key, pack_chunks
from ragkit.index.token_vectors import EncodedChunk
from ragkit.indexing import BuildSettings, ChunkEncoder, build
from ragkit.indexing.pipeline import Group, encode_group
from ragkit.indexing.ray import spread
from ragkit.indexing.ray_cluster import pack_group

RESULTS = Path(__file__).parent / "results" / "spreading.md"

WAYS = {
    "this process, 1 thread": {"threads": 1, "workers": 0},
    "this process, all threads": {"threads": 0, "workers": 0},
    "Ray, 1 worker of 1 thread": {"threads": 1, "workers": 1},
    "Ray, 2 workers of 1 thread": {"threads": 1, "workers": 2},
}
"""``threads``: 0 for what the encoder takes by itself; ``workers``: 0 for none."""

Figures = dict[str, float]


def measured(xquad: Path, workers: int) -> Figures:
    """One build in memory. ``start``: seconds to the first shard; after that ``rate``: passages a
    second, and ``processor``: seconds a shard of all processes together, of which ``beside`` the
    workers. Bytes are a passage's.
    """
    documents, _ = load_squad(xquad)
    encoder = load_encoder(runtime="int8")
    encoder.encode(["The model is loaded."])
    watch = Watch()
    with _reader(encoder, workers) as reader:
        build(documents, encoder, BuildSettings(), chunk_encoder=watch.watched(reader))
    return watch.figures()


class Moment(NamedTuple):
    """When a shard came: seconds by the clock, processor seconds so far, and its passages.

    ``beside``: what of the processor was not spent by a worker that is still there.
    """

    clock: float
    processor: float
    beside: float
    passages: int


class Watch:
    """Stands between a build and its reader."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._came: list[Moment] = []
        self._sent = self._received = 0

    def watched(self, reader: ChunkEncoder) -> ChunkEncoder:
        def read(groups: Iterable[Group]) -> Iterator[tuple[Sequence[Key], Sequence[EncodedChunk]]]:
            self._begun = time.perf_counter()
            for keys, found in reader(map(self._counted, groups)):
                self._came.append(Moment(time.perf_counter(), *_processor_seconds(), len(keys)))
                self._received += len(pack_chunks(keys, found))
                yield keys, found

        return read

    def figures(self) -> Figures:
        first, *later = self._came
        passages = sum(moment.passages for moment in later)
        return {
            "passages": first.passages + passages,
            "shards": len(self._came),
            "start": first.clock - self._begun,
            "rate": passages / (later[-1].clock - first.clock),
            "processor": (later[-1].processor - first.processor) / len(later),
            "beside": (later[-1].beside - first.beside) / len(later),
            "sent": self._sent / (first.passages + passages),
            "received": self._received / (first.passages + passages),
        }

    def _counted(self, group: Group) -> Group:
        self._sent += len(pack_group(group))
        return group


def _processor_seconds() -> tuple[float, float]:
    """Of this process and all that descend from it, a cluster started here included; and of those
    the part that no living worker spent. Linux only.
    """
    spent: dict[int, float] = {}
    parents: dict[int, int] = {}
    workers: set[int] = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            process = int(path.name)
            parents[process] = int(fields[1])
            spent[process] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            if (path / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                workers.add(process)

    def is_ours(process: int) -> bool:
        while process and process != os.getpid():
            process = parents.get(process, 0)
        return bool(process)

    ours = set(filter(is_ours, spent))
    return sum(spent[p] for p in ours), sum(spent[p] for p in ours - workers)


def _reader(encoder: Encoder, workers: int) -> AbstractContextManager[ChunkEncoder]:
    if workers:
        return spread(encoder, "ray", workers=workers)

    def read(groups: Iterable[Group]) -> Iterator[tuple[Sequence[Key], Sequence[EncodedChunk]]]:
        for group in groups:
            yield [texts.key for texts in group], encode_group(group, encoder)

    return nullcontext(read)


def rounds(xquad: Path, number: int) -> dict[str, Figures]:
    """Way → the medians."""
    found: dict[str, list[Figures]] = {way: [] for way in WAYS}
    for _ in range(number):
        for way, chosen in WAYS.items():
            found[way].append(_child(xquad, **chosen))
            print(way, json.dumps(found[way][-1]), flush=True)
    return {
        way: {name: statistics.median(f[name] for f in figures) for name in figures[0]}
        for way, figures in found.items()
    }


def _child(xquad: Path, *, threads: int, workers: int) -> Figures:
    limit = {"OMP_NUM_THREADS": str(threads)} if threads and not workers else {}
    done = subprocess.run(  # noqa: S603 this file's own program
        [sys.executable, "-m", "benchmarks.spreading", str(xquad), "--workers", str(workers)],
        stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **limit},
    )  # fmt: skip
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(found: dict[str, Figures], number: int) -> str:
    first, _, one_worker, _ = found.values()
    rate = first["passages"] / first["shards"] / first["processor"]
    lines = [
        "# A build spread over workers",
        "",
        f"Made by `python -m benchmarks.spreading XQUAD.json --save`: {first['passages']:,.0f} "
        f"passages of XQuAD in {first['shards']:.0f} shards, the default model's int8 runtime, "
        f"{os.cpu_count()} processors with other work on them, medians of {number} rounds in turn. "
        f"By the clock the figures say little more than who was given a processor; what was spent "
        f"of it, all processes together, can be compared.",
        "",
        "| read by | processor, s/shard | passages/s | s to the first shard |",
        "|---|---:|---:|---:|",
        *(
            f"| {way} | {_spent(way, f)} | {f['rate']:.1f} | {f['start']:.1f} |"
            for way, f in found.items()
        ),
        "",
        f"- Beside one worker (this process, the conductor, Ray's servers): "
        f"{one_worker['beside']:.2f} processor seconds a shard.",
        f"- Encoding: {rate:.1f} passages a processor second.",
        f"- On the wire: {first['sent']:,.0f} B a passage to a worker, {first['received']:,.0f} B "
        f"back.",
        "- The first shard waits for workers that start and load the model, once a window.",
    ]
    return "\n".join(lines) + "\n"


def _spent(way: str, figures: Figures) -> str:
    # Of several workers one has ended before the last shard comes, and is no longer counted.
    return f"{figures['processor']:.2f}" if WAYS[way]["workers"] < 2 else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("xquad", type=Path, help="xquad.en.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, help="Measure this many, once, and print JSON.")
    parser.add_argument("--save", action="store_true", help=f"Write {RESULTS.name}.")
    chosen: Any = parser.parse_args()
    if chosen.workers is not None:
        print(json.dumps(measured(chosen.xquad, chosen.workers)))
        return
    found = rounds(chosen.xquad, chosen.rounds)
    if chosen.save:
        RESULTS.write_text(table(found, chosen.rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
