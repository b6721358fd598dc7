"""From a thousand passages to a million: ``python -m benchmarks.scale --parents INDEX``.

Measures opening, asking, memory and disk on indexes generated from the passages of INDEX
(``generated.py`` says how), each in a process of its own.
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

from benchmarks.generated import describe, generate
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
    "*Encode the question* is the same work at every size, 2.5 to 5 ms on this machine when "
    "nothing else runs. If a column shows more, the machine was busy, and its other times are too "
    "long by the same factor."
)

_PARTS = {
    "texts, words": ("documents", "texts", "stem", "posting", "document_"),
    "vectors": ("dense", "vectors"),
    "tokens": ("token", "segments"),
    "centroids": ("centroids", "bag", "within"),
}


def measure_asking(path: Path, questions: Sequence[str], rounds: int) -> dict[str, Any]:
    """Open the index and ask; the result includes the memory of this process."""
    started = time.perf_counter()
    index = Index.open(path, reader=None, check_sources=False)
    opened = time.perf_counter() - started
    after_open = _memory("VmRSS")
    index.ask("What was built?")
    first, _ = _ask(index, questions, 1)
    again, stages = _ask(index, questions, rounds)
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
    """Return the share of the ten chunks nearest to each question that the search returns."""
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
    nearest = [data.nearest(query.vector, 512)[0][:10] for query in queries]
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, nearest, strict=True)]))


def sizes(path: Path) -> dict[str, float]:
    """Return the MiB of each part of the index."""
    files = Manifest.load(path).files
    mib = dict.fromkeys([*_PARTS, "other"], 0.0)
    for name, record in files.items():
        part = next(
            (p for p, starts in _PARTS.items() if name.removesuffix(SUMS).startswith(starts)),
            "other",
        )
        mib[part] += record.bytes / 2**20
    return mib


def measure(parents: Path, chunks: int, questions: Sequence[str], keep: bool) -> dict[str, Any]:
    """Generate an index of that many passages and ask it in another process."""
    path = WORK / str(chunks)
    started = time.perf_counter()
    if not (path / "manifest.json").exists():
        generate(Index.open(parents, check_sources=False), path, chunks)
    generated = time.perf_counter() - started
    (WORK / "questions.json").write_text(json.dumps(questions), encoding="utf-8")
    os.sync()  # else writing the generated files would slow down reading them
    command = [sys.executable, "-m", "benchmarks.scale", "--asked", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    manifest = Manifest.load(path).to_dict()
    row = {
        "passages": chunks, "made_s": generated, "dense": manifest["dense"],
        "tokens": manifest["tokens"], "mib": sizes(path),
        **json.loads(done.stdout.splitlines()[-1]),
    }  # fmt: skip
    if not keep:
        shutil.rmtree(path)
    return row


def report(rows: Sequence[Mapping[str, Any]], origin: str) -> str:
    """Return the report as Markdown."""
    head = [
        "passages", "vectors", "tokens", "open, s", "ask again p50, ms", "p95, ms",
        "first time p50, ms", "p95, ms", "resident, MiB", "peak, MiB", "recall@10", "on disk, MiB",
    ]  # fmt: skip
    on = machine()
    lines = [
        "# From a thousand passages to a million",
        "",
        f"Measured on {today()}: {on['processor']}, {on['cores']} cores, "
        f"{on['memory'] / 2**30:.0f} GiB, {on['system']}. Passages were generated from "
        f"{origin} as `benchmarks/generated.py` describes. The questions are real "
        "(`eval/questions.jsonl`), so no passage answers them: only the cost is measured. A "
        "process of its own asked each "
        "index: every question a *first time*, when its data is loaded from disk and verified, and "
        "then *again*. *Resident* is the memory of that process after all questions, including "
        "resident pages of mapped files. recall@10: the share of the ten passages nearest to a "
        "question's vector that the search in lists finds.",
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
    """Draw time, memory and disk over the number of passages."""
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


def _ask(
    index: Index, questions: Sequence[str], rounds: int
) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """Percentiles in milliseconds, and all stages."""
    seconds: list[float] = []
    with timings() as stages:
        for question in [*questions] * rounds:
            started = time.perf_counter()
            index.ask(question)
            seconds.append(time.perf_counter() - started)
    cuts = statistics.quantiles(seconds, n=100)
    return {f"p{p}": cuts[p - 1] * 1e3 for p in (50, 95, 99)}, stages


def _memory(field: str) -> float:
    """MiB, from /proc, whose peak does not include that of the parent process."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _by_stage(stages: Sequence[tuple[str, float]], number: int) -> dict[str, float]:
    """Milliseconds a question; the forward pass is a part of encoding it."""
    by_stage: dict[str, float] = {}
    for name, spent in stages:
        part = "encode the question" if name.startswith("forward pass") else name
        by_stage[part] = by_stage.get(part, 0.0) + 1e3 * spent / number
    return by_stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parents", type=Path, help="an index of real passages")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep generated indexes, and use earlier ones",
    )
    parser.add_argument("--asked", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.asked:
        questions = json.loads((WORK / "questions.json").read_text(encoding="utf-8"))
        print(json.dumps(measure_asking(chosen.asked, questions, 3)))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    questions = [q.text for q in load_questions(ROOT / "eval" / "questions.jsonl")]
    origin = describe(Index.open(chosen.parents, check_sources=False)._local())
    saved = RESULTS / "scale.json"
    earlier = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else []
    by_size = {row["passages"]: row for row in earlier}
    for size in map(int, chosen.sizes.split(",")):
        by_size[size] = measure(chosen.parents, size, questions, chosen.keep)
        rows = [by_size[number] for number in sorted(by_size)]
        saved.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "scale.md").write_text(report(rows, origin), encoding="utf-8")
    draw(rows, RESULTS / "scale.svg")


if __name__ == "__main__":
    main()
