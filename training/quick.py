"""What a run measures of itself while it trains: some groups of articles kept for choosing."""

from __future__ import annotations

import random
from collections import defaultdict

import torch

from training.measures import auroc
from training.model import Reader
from training.sampling import MISS, NEGATIVE, REAL, Dataset, Row, Sizes, padded, parts

GROUPS = {"contrast": 70, "squad2": 80, "nq": 20, "squad1": 40, "paraphrase": 120, "everyday": 60}


def chosen_rows(dataset: Dataset) -> list[Row]:
    """The same rows each time: without title for a part of them, as in training."""
    rng = random.Random(5)  # noqa: S311
    rows: list[Row] = []
    place = 0
    for source, most in GROUPS.items():
        found = [int(n) for n in dataset.of_source[source]]
        rng.shuffle(found)
        for group in found[:most]:
            rows += dataset.rows(group, Sizes(2, 0, 1.0), rng, place)
            place += 1
    return rows


def quick_measures(reader: Reader, dataset: Dataset, device: torch.device) -> dict[str, float]:
    """AUROC by sort of wrong row, share of pairs in order, of answers pointed at exactly."""
    rows = chosen_rows(dataset)
    scores = [0.0] * len(rows)
    exact: list[bool] = []
    with torch.inference_mode():
        for places in parts(rows, 32):
            found = reader(padded([rows[i] for i in places]).to(device))
            first, last = found.start.argmax(1).tolist(), found.end.argmax(1).tolist()
            for n, i in enumerate(places):
                scores[i] = float(found.answers[n])
                if rows[i].role == REAL:
                    exact.append(first[n] == rows[i].first and last[n] == rows[i].last)
    return _measured(rows, scores) | {"exact": sum(exact) / len(exact)}


def _measured(rows: list[Row], scores: list[float]) -> dict[str, float]:
    real = {row.group: score for row, score in zip(rows, scores, strict=True) if row.role == REAL}
    by_kind: dict[str, list[float]] = defaultdict(list)
    order: dict[str, list[float]] = defaultdict(list)
    for row, score in zip(rows, scores, strict=True):
        name = {NEGATIVE: "negative", MISS: row.name}.get(row.role)
        if name:
            by_kind[name].append(score)
            order[name].append(float(real[row.group] > score))
    misses = [s for name, found in by_kind.items() if name != "negative" for s in found]
    human = [
        o for name in ("swap", "premise", "scope", "relation", "not_given") for o in order[name]
    ]
    found = {
        "auroc_misses": auroc(list(real.values()), misses),
        "auroc_human": auroc(list(real.values()), by_kind["human"]),
        "auroc_negatives": auroc(list(real.values()), by_kind["negative"]),
        "pairs": sum(human) / max(len(human), 1),
    }
    by_name = {f"pair_{n}": sum(o) / len(o) for n, o in sorted(order.items())}
    return {**found, **by_name, "choose": (found["auroc_misses"] + found["auroc_human"]) / 2}
