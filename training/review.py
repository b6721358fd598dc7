"""Prints random near-misses of each kind beside what they were made of, to judge by eye."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from training.dataset import KINDS
from training.sampling import Dataset
from training.windows import tokenizer


def samples(dataset: Dataset, kind: str, count: int, seed: int) -> list[tuple[str, str, str, str]]:
    """Real question, its answer, near-miss and window, of ``count`` random groups."""
    order = list(range(len(dataset)))
    random.Random(seed).shuffle(order)  # noqa: S311
    found: list[tuple[str, str, str, str]] = []
    for group in order:
        for text, window, of in dataset.misses(group):
            if KINDS[of] == kind:
                found.append(_words(dataset, group, int(text), int(window)))
                break
        if len(found) == count:
            break
    return found


def _words(dataset: Dataset, group: int, text: int, window: int) -> tuple[str, str, str, str]:
    decode = tokenizer().decode
    question, gold, first, last, _ = (int(n) for n in dataset.groups[group])
    answer = dataset.part("windows", gold).tolist()[first : last + 1]
    ids = [
        dataset.part("questions", question).tolist(),
        answer,
        dataset.part("questions", text).tolist(),
        dataset.part("windows", window).tolist(),
    ]
    real, said, miss, read = (decode(one) for one in ids)
    return real, said, miss, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--kinds", nargs="+", default=KINDS[1:])
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dataset = Dataset(options.dataset)
    for kind in options.kinds:
        print(f"\n## {kind}")
        for real, said, miss, read in samples(dataset, kind, options.count, options.seed):
            print(f"- {real} → {said}\n  {miss}\n    {read}")


if __name__ == "__main__":
    main()
