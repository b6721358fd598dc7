"""Measure a build spread over Ray's workers: ``python -m benchmarks.spreading XQUAD.json``.

Each way of encoding runs in a process of its own, with a Ray cluster started for it on this
machine. They take turns; a figure is the median of the rounds.
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
from ragkit.index.journal import EncodedChunk, Key, pack_chunks
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
"""``threads``: 0 for the encoder's default; ``workers``: 0 for none."""

Figures = dict[str, float]


def measure(xquad: Path, workers: int) -> Figures:
    """Measure one build in memory.

    Returns:
        ``start``: seconds to the first shard. From then on ``rate``: passages a second;
        ``processor``: processor seconds a shard, of all processes together; ``others``: the part
        of these that the workers did not spend. ``sent`` and ``received``: bytes a passage.

    """
    documents, _ = load_squad(xquad)
    encoder = load_encoder(runtime="int8")
    encoder.encode(["The model is loaded."])
    watch = Watch()
    with _chunk_encoder(encoder, workers) as chunk_encoder:
        build(documents, encoder, BuildSettings(), chunk_encoder=watch.watch(chunk_encoder))
    return watch.figures()


class Moment(NamedTuple):
    """The arrival of a shard.

    Attributes:
        clock: the time, in seconds.
        processor: processor seconds spent so far.
        others: the part of these that no running worker spent.
        passages: number of its passages.

    """

    clock: float
    processor: float
    others: float
    passages: int


class Watch:
    """Observes a chunk encoder on behalf of a build."""

    def __init__(self) -> None:
        self._started = 0.0
        self._arrivals: list[Moment] = []
        self._sent = self._received = 0

    def watch(self, chunk_encoder: ChunkEncoder) -> ChunkEncoder:
        def encode(
            groups: Iterable[Group],
        ) -> Iterator[tuple[Sequence[Key], Sequence[EncodedChunk]]]:
            self._started = time.perf_counter()
            for keys, chunks in chunk_encoder(map(self._counted, groups)):
                self._arrivals.append(Moment(time.perf_counter(), *_processor_seconds(), len(keys)))
                self._received += len(pack_chunks(keys, chunks))
                yield keys, chunks

        return encode

    def figures(self) -> Figures:
        first, *later = self._arrivals
        passages = sum(moment.passages for moment in later)
        return {
            "passages": first.passages + passages,
            "shards": len(self._arrivals),
            "start": first.clock - self._started,
            "rate": passages / (later[-1].clock - first.clock),
            "processor": (later[-1].processor - first.processor) / len(later),
            "others": (later[-1].others - first.others) / len(later),
            "sent": self._sent / (first.passages + passages),
            "received": self._received / (first.passages + passages),
        }

    def _counted(self, group: Group) -> Group:
        self._sent += len(pack_group(group))
        return group


def _processor_seconds() -> tuple[float, float]:
    """Processor seconds of this process and all its descendants, and without running workers.

    A cluster started here is a descendant. Linux only.
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


def _chunk_encoder(encoder: Encoder, workers: int) -> AbstractContextManager[ChunkEncoder]:
    if workers:
        return spread(encoder, "ray", workers=workers)

    def encode(groups: Iterable[Group]) -> Iterator[tuple[Sequence[Key], Sequence[EncodedChunk]]]:
        for group in groups:
            yield [texts.key for texts in group], encode_group(group, encoder)

    return nullcontext(encode)


def rounds(xquad: Path, number: int) -> dict[str, Figures]:
    """Return the medians of each way."""
    results: dict[str, list[Figures]] = {way: [] for way in WAYS}
    for _ in range(number):
        for way, chosen in WAYS.items():
            results[way].append(_child(xquad, **chosen))
            print(way, json.dumps(results[way][-1]), flush=True)
    return {
        way: {name: statistics.median(f[name] for f in figures) for name in figures[0]}
        for way, figures in results.items()
    }


def _child(xquad: Path, *, threads: int, workers: int) -> Figures:
    limit = {"OMP_NUM_THREADS": str(threads)} if threads and not workers else {}
    done = subprocess.run(  # noqa: S603 this file's own program
        [sys.executable, "-m", "benchmarks.spreading", str(xquad), "--workers", str(workers)],
        stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **limit},
    )  # fmt: skip
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(results: dict[str, Figures], number: int) -> str:
    first, _, one_worker, _ = results.values()
    rate = first["passages"] / first["shards"] / first["processor"]
    lines = [
        "# A build spread over workers",
        "",
        f"Made by `python -m benchmarks.spreading XQUAD.json --save`: {first['passages']:,.0f} "
        f"passages of XQuAD in {first['shards']:.0f} shards, the default model's int8 runtime, "
        f"{os.cpu_count()} processors with other work on them, medians of {number} rounds in turn. "
        f"Clock times depend on that other work; processor seconds, of all processes together, can "
        f"be compared.",
        "",
        "| encoded by | processor, s/shard | passages/s | s to the first shard |",
        "|---|---:|---:|---:|",
        *(
            f"| {way} | {_spent(way, f)} | {f['rate']:.1f} | {f['start']:.1f} |"
            for way, f in results.items()
        ),
        "",
        f"- All but one worker (this process, the conductor, Ray's servers): "
        f"{one_worker['others']:.2f} processor seconds a shard.",
        f"- Encoding: {rate:.1f} passages a processor second.",
        f"- Network: {first['sent']:,.0f} B a passage to a worker, {first['received']:,.0f} B "
        f"back.",
        "- The first shard of each window waits until workers have started and loaded the model.",
    ]
    return "\n".join(lines) + "\n"


def _spent(way: str, figures: Figures) -> str:
    # With several workers, one ends before the last shard arrives and is no longer counted.
    return f"{figures['processor']:.2f}" if WAYS[way]["workers"] < 2 else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("xquad", type=Path, help="xquad.en.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, help="Measure once with that many; print JSON.")
    parser.add_argument("--save", action="store_true", help=f"Write {RESULTS.name}.")
    chosen: Any = parser.parse_args()
    if chosen.workers is not None:
        print(json.dumps(measure(chosen.xquad, chosen.workers)))
        return
    results = rounds(chosen.xquad, chosen.rounds)
    if chosen.save:
        RESULTS.write_text(table(results, chosen.rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
