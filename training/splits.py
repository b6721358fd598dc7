"""Which article is for what: training, choosing a model, calibrating it, or the test of our own.

``splits.json`` names the articles held out; every other article is for training. An article is
known by its title in every source, so it is never on two sides.
"""

from __future__ import annotations

import argparse
import json
import random
import zlib
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Final

from training.sources import Source, load_all

TRAIN: Final = "train"
APART: Final = "apart"  # not used at all: shares text with an article of another split
HELD_OUT: Final = ("choose", "calibrate", "test", "xquad", APART)
RUN: Final = 13  # words in a row that two paragraphs share ...
RUNS: Final = 3  # ... so often, to count as the same text
SHARES: Final = {  # of each source: how many articles are held out for what
    "contrast": {"choose": 14, "calibrate": 20, "test": 28},
    "squad2": {"choose": 3, "calibrate": 3, "test": 4},
    "nq": {"choose": 180, "calibrate": 240, "test": 360},
    "everyday": {"choose": 12, "test": 12},
}
PATH: Final = Path(__file__).parent / "splits.json"


class Splits:
    """Which split an article is in.

    >>> Splits({"test": ["geology"]}).of("geology"), Splits({"test": []}).of("geology")
    ('test', 'train')
    """

    def __init__(self, held_out: Mapping[str, list[str]]) -> None:
        self.held_out = dict(held_out)
        self._of = {article: split for split, names in held_out.items() for article in names}
        if len(self._of) != sum(map(len, held_out.values())):
            raise ValueError("an article is in two splits")

    def of(self, article: str) -> str:
        return self._of.get(article, TRAIN)


def load_splits(path: Path = PATH) -> Splits:
    return Splits(json.loads(path.read_text(encoding="utf-8")))


def draw_splits(sources: Mapping[str, Source], seed: int = 17) -> Splits:
    """XQuAD's own articles first: what is not among the 19 is never trained on.

    SQuAD 1.1's articles are held out through ``contrast``, whose paragraphs are theirs.
    """
    of = {name: sorted({p.article for p in source.paragraphs}) for name, source in sources.items()}
    held: dict[str, list[str]] = {split: [] for split in HELD_OUT}
    held["xquad"] = sorted(set(of["xquad"]) - set(of["squad2"]))
    taken = set(held["xquad"]) | set(of["squad1"]) & set(of["nq"]) | set(of["squad2"])
    rng = random.Random(seed)  # noqa: S311
    # Of everyday documents those without pairs were written to be held out.
    paired = {q.paragraph for s in sources.values() for q in s.questions if q.twin}
    everyday = sources["everyday"].paragraphs if "everyday" in sources else ()
    of["everyday"] = sorted(p.article for p in everyday if p.id not in paired)
    for name, shares in SHARES.items():
        free = [a for a in of[name] if name in {"squad2", "contrast"} or a not in taken]
        rng.shuffle(free)
        for split, share in shares.items():
            held[split] += free[:share]
            free = free[share:]
    while shared := shared_text(sources, _splits(held)):
        splits = _splits(held)
        given_up = {next((a for a in pair if splits.of(a) == TRAIN), pair[1]) for pair in shared}
        held = {split: [n for n in names if n not in given_up] for split, names in held.items()}
        held[APART] += given_up
    return _splits(held)


def _splits(held: Mapping[str, list[str]]) -> Splits:
    return Splits({split: sorted(names) for split, names in held.items()})


def shared_text(sources: Mapping[str, Source], splits: Splits) -> Counter[tuple[str, str]]:
    """Pairs of articles of two splits that have the same text, and how many runs of words of it."""
    where: dict[int, set[str]] = {}
    for source in sources.values():
        for paragraph in source.paragraphs:
            if splits.of(paragraph.article) != APART:
                for run in _runs(paragraph.text):
                    where.setdefault(run, set()).add(paragraph.article)
    found: Counter[tuple[str, str]] = Counter()
    for articles in where.values():
        for one, other in combinations(sorted(articles), 2):
            if splits.of(one) != splits.of(other):
                found[one, other] += 1
    return Counter({pair: count for pair, count in found.items() if count >= RUNS})


def _runs(text: str) -> set[int]:
    """Runs of words by their checksums: two that are alike by chance do not come in threes."""
    words = text.lower().split()
    return {zlib.crc32(" ".join(words[i : i + RUN]).encode()) for i in range(len(words) - RUN + 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    splits = draw_splits(load_all(options.data))
    PATH.write_text(json.dumps(splits.held_out, indent=1, ensure_ascii=False) + "\n")
    print({split: len(names) for split, names in splits.held_out.items()})


if __name__ == "__main__":
    main()
