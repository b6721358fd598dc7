"""A picture of a run: its losses and what it measured of itself, from its log."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SHOWN = ("auroc_misses", "auroc_human", "auroc_negatives", "pairs", "exact")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a run; of one that went on from a checkpoint, without what was lost."""
    kept: list[dict[str, Any]] = []
    for line in map(json.loads, path.read_text().splitlines()):
        if "settings" in line:
            kept = [earlier for earlier in kept if earlier["step"] <= line["step"]]
        kept.append(line)
    return kept


def draw(lines: list[dict[str, Any]], out: Path) -> None:
    """Losses on the left, measures on questions of articles kept for choosing on the right."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    steps = [line for line in lines if "losses" in line]
    for name in steps[0]["losses"] if steps else ():
        left.plot([s["windows"] for s in steps], [s["losses"][name] for s in steps], label=name)
    measured = [line for line in lines if "measured" in line]
    for name in SHOWN:
        values = [m["measured"][name] for m in measured]
        right.plot([m["windows"] for m in measured], values, marker="o", label=name)
    for axes, title in ((left, "weighted losses"), (right, "articles kept for choosing")):
        axes.set_xlabel("windows read")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, help="a run's log.jsonl")
    parser.add_argument("out", type=Path, help="such as curve.png")
    options = parser.parse_args()
    draw(read_log(options.log), options.out)


if __name__ == "__main__":
    main()
