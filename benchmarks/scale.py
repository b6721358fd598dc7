"""From a thousand passages to a million: ``python -m benchmarks.scale --parents INDEX``.

What opening, asking, memory and disk cost, on indexes generated from the passages of INDEX
(``generated.py`` says how), each measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated import generate, made_from
from benchmarks.report import machine, today
from ragkit import Index
from ragkit.evaluation import load_questions
from ragkit.index import Manifest
from ragkit.retrieval import encode_questions
from ragkit.storage.checksums import SUMS
from ragkit.timing import timings

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
WORK = Path(__file__).parent / ".work" / "scale"

_BUSY = (
    "*Read the question* is the same work at every size, 2.5 to 5 ms on this machine when nothing "
    "else runs: where a column says more, the machine was busy, and its other times are as much "
    "too long."
)

_PARTS = {
    "texts, words": ("documents", "texts", "stem", "posting", "document_"),
    "vectors": ("dense", "vectors"),
    "tokens": ("token", "segments"),
    "coarse order": ("centroids", "bag", "within"),
}


def asked(path: Path, questions: Sequence[str], rounds: int) -> dict[str, Any]:
    """Open the index and ask; this process's own memory is part of the result."""
    begun = time.perf_counter()
    index = Index.open(path, check_sources=False)
    opened = time.perf_counter() - begun
    after_open = _memory("VmRSS")
    index.ask("What was built?")
    first, _ = _asked(index, questions, 1)
    again, stages = _asked(index, questions, rounds)
    return {
        "open_s": opened,
        "open_mib": after_open,
        "first_ms": first,
        "again_ms": again,
        "resident_mib": _memory("VmRSS"),
        "peak_mib": _memory("VmHWM"),
        "stages_ms": _by_stage(stages, rounds * len(questions)),
        "recall_at_10": recall(index, questions[:200]),
    }


def recall(index: Index, questions: Sequence[str]) -> float:
    """Of the ten chunks nearest to each question's vector, what part is found."""
    data = index._local().data
    queries = encode_questions(data, index.encoder, questions, index.config)
    vectors = np.stack([query.vector for query in queries])
    scores = np.concatenate(
        [
            vectors @ data.vectors_of(np.arange(start, min(len(data), start + 50_000))).T
            for start in range(0, len(data), 50_000)
        ],
        axis=1,
    )
    exact = np.argpartition(-scores, 9, axis=1)[:, :10]
    found = [data.nearest(query.vector, 512)[0][:10] for query in queries]
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]))


def sizes(path: Path) -> dict[str, float]:
    """MiB of each part of the index."""
    files = Manifest.load(path).files
    found = dict.fromkeys([*_PARTS, "other"], 0.0)
    for name, record in files.items():
        part = next(
            (p for p, starts in _PARTS.items() if name.removesuffix(SUMS).startswith(starts)),
            "other",
        )
        found[part] += record.bytes / 2**20
    return found


def measured(parents: Path, chunks: int, questions: Sequence[str], keep: bool) -> dict[str, Any]:
    """Generate an index of so many passages and ask it in another process."""
    path = WORK / str(chunks)
    begun = time.perf_counter()
    if not (path / "manifest.json").exists():
        generate(Index.open(parents, check_sources=False), path, chunks)
    made = time.perf_counter() - begun
    (WORK / "questions.json").write_text(json.dumps(questions), encoding="utf-8")
    os.sync()  # what was just generated is still being written, and would slow down every reading
    command = [sys.executable, "-m", "benchmarks.scale", "--asked", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    manifest = Manifest.load(path).to_dict()
    found = {
        "passages": chunks, "made_s": made, "dense": manifest["dense"],
        "tokens": manifest["tokens"], "mib": sizes(path),
        **json.loads(done.stdout.splitlines()[-1]),
    }  # fmt: skip
    if not keep:
        shutil.rmtree(path)
    return found


def report(rows: Sequence[Mapping[str, Any]], origin: str) -> str:
    """Markdown."""
    head = [
        "passages", "vectors", "tokens", "open, s", "ask again p50, ms", "p95, ms",
        "first time p50, ms", "p95, ms", "resident, MiB", "peak, MiB", "recall@10", "on disk, MiB",
    ]  # fmt: skip
    on = machine()
    lines = [
        "# From a thousand passages to a million",
        "",
        f"Measured on {today()}: {on['processor']}, {on['cores']} cores, "
        f"{on['memory'] / 2**30:.0f} GiB, {on['system']}. Passages generated from {origin}, as "
        "`benchmarks/generated.py` says; questions are real ones (`eval/questions.jsonl`), so that "
        "nothing answers them: what is measured is the cost. Each index was asked by a process of "
        "its own: every question a *first time*, when what it reads is read from disk and proved, "
        "and then *again*. *Resident* is that process after all questions, the pages of mapped "
        "files that it holds included. recall@10: of the ten passages nearest to a question's "
        "vector, what part the search in lists finds.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---:|" * len(head),
    ]
    for row in rows:
        cells = [
            f"{row['passages']:,}", row["dense"]["faiss"], f"{row['tokens']['bits']} bits",
            f"{row['open_s']:.2f}", f"{row['again_ms']['p50']:.1f}",
            f"{row['again_ms']['p95']:.1f}", f"{row['first_ms']['p50']:.1f}",
            f"{row['first_ms']['p95']:.1f}", f"{row['resident_mib']:,.0f}",
            f"{row['peak_mib']:,.0f}", f"{row['recall_at_10']:.3f}",
            f"{sum(row['mib'].values()):,.0f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", _BUSY, "", *_table("Milliseconds of a question by stage", rows, "stages_ms", 2)]
    lines += ["", *_table("MiB on disk by part", rows, "mib", 1)]
    lines += ["", "![cost by size](scale.svg)", ""]
    return "\n".join(lines)


def _table(title: str, rows: Sequence[Mapping[str, Any]], key: str, digits: int) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row[key]))
    lines = [f"## {title}", "", "| | " + " | ".join(f"{r['passages']:,}" for r in rows) + " |"]
    lines.append("|---|" + "---:|" * len(rows))
    for name in names:
        cells = " | ".join(f"{row[key].get(name, 0):,.{digits}f}" for row in rows)
        lines.append(f"| {name} | {cells} |")
    return lines


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The curves: time, memory and disk over the number of passages."""
    import matplotlib.pyplot as plt

    number = [row["passages"] for row in rows]
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    curves = (
        ("ask, ms", {p: [r["again_ms"][p] for r in rows] for p in ("p95", "p50")}),
        ("resident, MiB", {"resident": [r["resident_mib"] for r in rows]}),
        ("on disk, MiB", {"disk": [sum(r["mib"].values()) for r in rows]}),
    )
    for axis, (label, lines) in zip(axes, curves, strict=True):
        for name, values in lines.items():
            axis.plot(number, values, marker="o", label=name)
        axis.set(xscale="log", xlabel="passages", ylabel=label, ylim=(0, None))
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend()
    axes[2].set(yscale="log", ylim=(10, None))
    figure.savefig(path)


def _asked(
    index: Index, questions: Sequence[str], rounds: int
) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """Percentiles in milliseconds, and the stages."""
    seconds: list[float] = []
    with timings() as stages:
        for question in [*questions] * rounds:
            begun = time.perf_counter()
            index.ask(question)
            seconds.append(time.perf_counter() - begun)
    cuts = statistics.quantiles(seconds, n=100)
    return {f"p{p}": cuts[p - 1] * 1e3 for p in (50, 95, 99)}, stages


def _memory(field: str) -> float:
    """MiB, by /proc: what a process started from a larger one peaked at is its own there."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _by_stage(stages: Sequence[tuple[str, float]], number: int) -> dict[str, float]:
    """Milliseconds a question; forward passes are summed up, whatever their size."""
    totals: dict[str, float] = {}
    for stage, seconds in stages:
        name = "forward pass" if stage.startswith("forward pass") else stage
        totals[name] = totals.get(name, 0.0) + 1e3 * seconds / number
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parents", type=Path, help="an index of real passages")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--keep", action="store_true", help="keep the indexes, and use those kept")
    parser.add_argument("--asked", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.asked:
        questions = json.loads((WORK / "questions.json").read_text(encoding="utf-8"))
        print(json.dumps(asked(chosen.asked, questions, 3)))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    questions = [q.text for q in load_questions(ROOT / "eval" / "questions.jsonl")]
    origin = made_from(Index.open(chosen.parents, check_sources=False)._local())
    kept = RESULTS / "scale.json"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    by_size = {row["passages"]: row for row in known}
    for size in map(int, chosen.sizes.split(",")):
        by_size[size] = measured(chosen.parents, size, questions, chosen.keep)
        rows = [by_size[number] for number in sorted(by_size)]
        kept.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "scale.md").write_text(report(rows, origin), encoding="utf-8")
    draw(rows, RESULTS / "scale.svg")


if __name__ == "__main__":
    main()
