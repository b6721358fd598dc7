"""Draws groups as the plan has them, and lays their rows out as batches without much padding."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.dataset import CONTRADICTS, KINDS, SOURCES
from training.model import CLS, SEP, SLASH, Batch

Ints = npt.NDArray[np.int64]
SHARES: Final = {
    "contrast": 0.14, "squad2": 0.12, "nq": 0.08, "squad1": 0.11, "paraphrase": 0.43,
    "everyday": 0.12,
}  # fmt: skip
EARLY: Final = {
    "contrast": 0.10, "squad2": 0.10, "nq": 0.15, "squad1": 0.65, "paraphrase": 0.0, "everyday": 0.0
}  # fmt: skip
RUN: Final = 4  # groups beside each other that are drawn together
REMOVED_SHARE: Final = 0.1  # each has a window of its own to be read
REAL, NEGATIVE, MISS = 0, 1, 2


@dataclass(frozen=True)
class Row:
    """``role``: the real question, a window that does not answer it, or a near-miss of it."""

    asked: tuple[int, ...]  # [CLS] question [SEP]
    window: tuple[int, ...]  # [CLS] title / window [SEP]
    inside: int  # where the window's own tokens begin
    role: int
    kind: int  # of model.MISSES
    group: int
    first: int = -1  # the answer's first and last token in ``window``
    last: int = -1
    name: str = "real"


@dataclass(frozen=True)
class Sizes:
    """How many rows a question has besides its own, at most; ``outside``: how many negatives more,
    in the mean, whose window is read for it alone.
    """

    misses: int = 3
    negatives: int = 1
    outside: float = 1.5


class Dataset:
    """What ``training.dataset`` wrote."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self._of: dict[str, Ints] = {name: file[name] for name in file.files}
        self.groups = self._of["groups"]
        kinds = self._of["misses"].reshape(-1, 3)[:, 2]
        counts = np.bincount(kinds, minlength=len(KINDS))
        self._weight = 1 / np.sqrt(np.maximum(counts, 1))
        by_source = self.groups[:, 4]
        self.of_source = {n: np.flatnonzero(by_source == i) for i, n in enumerate(SOURCES)}

    def __len__(self) -> int:
        return len(self.groups)

    def part(self, name: str, at: int) -> Ints:
        ends = self._of[f"{name}_at"]
        return self._of[name][ends[at] : ends[at + 1]]

    def misses(self, group: int) -> Ints:
        """A line for each: the question, the window, the kind."""
        return self.part("misses", group).reshape(-1, 3)

    def rows(
        self, group: int, sizes: Sizes, rng: random.Random, place: int, near: Iterable[int] = ()
    ) -> list[Row]:
        """The rows of one group; ``place`` is the group's number in its batch.

        ``near``: windows that are read in the same step anyway. One of them that does not
        answer costs little, so it is asked as well.
        """
        question, window, first, last, _ = (int(n) for n in self.groups[group])
        titled = (group // RUN) % 7 > 0  # most are read with their title
        real = self._row(question, window, titled, (REAL, 0, place))
        start = real.inside
        rows = [replace(real, first=start + first, last=start + last)]
        found = [int(n) for n in self.part("negatives", group)]
        beside = set(near)
        free = [n for n in found if n // 2 in beside]
        others = [n for n in found if n // 2 not in beside]
        outside = self._drawn(others, int(sizes.outside + rng.random()), rng)
        for other in [*free[: sizes.negatives], *outside]:
            kind = 1 if other % 2 else 2
            rows.append(self._row(question, other // 2, titled, (NEGATIVE, kind, place)))
        for text, misleading, kind in self._chosen(group, sizes.misses, rng):
            miss = 3 if KINDS[kind] in CONTRADICTS else 2
            rows.append(self._row(text, misleading, titled, (MISS, miss, place), KINDS[kind]))
        return rows

    @staticmethod
    def _drawn(found: Sequence[int], most: int, rng: random.Random) -> list[int]:
        """The first of what was found rather than the last."""
        left = list(found)
        drawn: list[int] = []
        while left and len(drawn) < most:
            drawn.append(left.pop(min(int(rng.expovariate(0.5)), len(left) - 1)))
        return drawn

    def _chosen(self, group: int, most: int, rng: random.Random) -> list[tuple[int, int, int]]:
        """Near-misses of different questions, rare kinds rather than common ones."""
        left = [(int(a), int(b), int(c)) for a, b, c in self.misses(group)]
        chosen: list[tuple[int, int, int]] = []
        while left and len(chosen) < most:
            weights = [
                float(self._weight[kind]) * (REMOVED_SHARE if KINDS[kind] == "removed" else 1)
                for *_, kind in left
            ]
            one = rng.choices(left, weights)[0]
            chosen.append(one)
            left = [other for other in left if other[0] != one[0]]
        return chosen

    def _row(
        self,
        question: int,
        window: int,
        titled: bool,
        what: tuple[int, int, int],
        name: str = "real",
    ) -> Row:
        asked = (CLS, *self.part("questions", question).tolist(), SEP)
        title = self.part("titles", int(self._of["window_title"][window])).tolist()
        head = (CLS, *title, SLASH) if titled else (CLS,)
        body = self.part("windows", window).tolist()
        role, kind, place = what
        return Row(asked, (*head, *body, SEP), len(head), role, kind, place, name=name)


class Plan:
    """Which groups come next: each source in passes of its own order, mixed by shares.

    Groups that stand beside each other, which share windows, come together.
    """

    def __init__(
        self, dataset: Dataset, seed: int, groups: int, passes: float, early: float = 0.0
    ) -> None:
        """``early``: the part of the run, 0 to 1, that draws by ``EARLY``."""
        self.dataset = dataset
        self.early = early
        self.rng = random.Random(seed)  # noqa: S311
        self._left: dict[str, list[list[int]]] = {}
        self._late = _capped(dataset, SHARES, groups, passes)

    def next(self, progress: float) -> list[int]:
        """The numbers of up to ``RUN`` groups."""
        shares = EARLY if progress < self.early else self._late
        usable = {s: w for s, w in shares.items() if len(self.dataset.of_source[s])}
        source = self.rng.choices(list(usable), list(usable.values()))[0]
        left = self._left.setdefault(source, [])
        if not left:
            all_of = self.dataset.of_source[source].tolist()
            shift = self.rng.randrange(RUN)
            left += [
                r for i in range(-shift, len(all_of), RUN) if (r := all_of[max(i, 0) : i + RUN])
            ]
            self.rng.shuffle(left)
        return left.pop()


def _capped(
    dataset: Dataset, shares: dict[str, float], groups: int, passes: float
) -> dict[str, float]:
    """Shares by which no small source is gone through more than ``passes`` times."""
    capped = {
        s: min(w, passes * len(dataset.of_source[s]) / max(groups, 1)) for s, w in shares.items()
    }
    return {**capped, "squad1": 1 - sum(w for s, w in capped.items() if s != "squad1")}


def drawn(dataset: Dataset, plan: Plan, sizes: Sizes, most: int, progress: float) -> list[Row]:
    """Rows of as many whole runs of groups as come to about ``most`` rows."""
    rows: list[Row] = []
    place = 0
    while len(rows) + 2 * RUN < most:
        run = plan.next(progress)
        near = {int(dataset.groups[group][1]) for group in run}
        for group in run:
            rows += dataset.rows(group, sizes, plan.rng, place, near)
            place += 1
    return rows


def parts(rows: Sequence[Row], size: int) -> Iterator[list[int]]:
    """Places of rows whose windows are of about one length, ``size`` at a time, each once."""
    order = sorted(
        range(len(rows)), key=lambda i: (len(rows[i].window), rows[i].window, len(rows[i].asked))
    )
    for i in range(0, len(order), size):
        yield order[i : i + size]


def padded(rows: Sequence[Row], multiple: int = 1) -> Batch:
    """Rows as one batch, each window once, as long as the longest (or the next ``multiple``)."""
    windows = {row.window: row.inside for row in rows}
    numbers = {window: i for i, window in enumerate(windows)}
    ids, mask = _filled(list(windows), multiple)
    asked, asked_mask = _filled([row.asked for row in rows], multiple)
    inside = torch.zeros_like(mask, dtype=torch.bool)
    for i, (window, begin) in enumerate(windows.items()):
        inside[i, begin : len(window) - 1] = True
    of = torch.tensor([numbers[row.window] for row in rows])
    return Batch(ids, mask, inside, asked, asked_mask, of)


def _filled(lists: Sequence[Sequence[int]], multiple: int) -> tuple[Tensor, Tensor]:
    longest = -(-max(map(len, lists)) // multiple) * multiple
    ids = np.zeros((2, len(lists), longest), np.int64)
    for i, one in enumerate(lists):
        ids[0, i, : len(one)] = one
        ids[1, i, : len(one)] = 1
    made = torch.from_numpy(ids)
    return made[0], made[1]


@dataclass(frozen=True)
class Targets:
    """What the rows of a step should come to; rows are known by their place among them.

    ``lists``: a line for each question, its own row first and then its windows that do not
    answer, -1 where there are fewer. ``couples``: the real row and a near-miss of it.
    """

    roles: Tensor
    kinds: Tensor
    real: Tensor
    first: Tensor
    last: Tensor
    lists: Tensor
    couples: Tensor

    def to(self, device: torch.device) -> Self:
        moved = {name: part.to(device, non_blocking=True) for name, part in vars(self).items()}
        return type(self)(**moved)


@dataclass(frozen=True)
class Laid:
    """The rows of one step: batches of about one length each, and how to put them back in order."""

    batches: tuple[Batch, ...]
    back: Tensor
    targets: Targets

    @property
    def rows(self) -> int:
        return len(self.back)

    def to(self, device: torch.device) -> Self:
        batches = tuple(batch.to(device) for batch in self.batches)
        return type(self)(batches, self.back.to(device), self.targets.to(device))


def laid(rows: Sequence[Row], size: int, multiple: int = 1) -> Laid:
    """Rows as batches of ``size``, with their targets."""
    batches, order = [], []
    for places in parts(rows, size):
        batches.append(padded([rows[i] for i in places], multiple))
        order += places
    back = torch.argsort(torch.tensor(order))
    return Laid(tuple(batches), back, targets_of(rows))


def targets_of(rows: Sequence[Row]) -> Targets:
    real = [i for i, row in enumerate(rows) if row.role == REAL]
    lists = _lines(rows, NEGATIVE)
    longest = max((len(line) for line in lists), default=0)
    couples = [(line[0], other) for line in _lines(rows, MISS) for other in line[1:]]
    return Targets(
        roles=torch.tensor([row.role for row in rows]),
        kinds=torch.tensor([row.kind for row in rows]),
        real=torch.tensor(real, dtype=torch.long),
        first=torch.tensor([rows[i].first for i in real], dtype=torch.long),
        last=torch.tensor([rows[i].last for i in real], dtype=torch.long),
        lists=torch.tensor(
            [line + [-1] * (longest - len(line)) for line in lists], dtype=torch.long
        ).reshape(len(lists), longest),
        couples=torch.tensor(couples, dtype=torch.long).reshape(-1, 2),
    )


def _lines(rows: Sequence[Row], role: int) -> list[list[int]]:
    """For each group with rows of ``role``: its real row's place, then theirs."""
    lines: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        if row.role == REAL:
            lines.setdefault(row.group, []).insert(0, i)
        elif row.role == role:
            lines.setdefault(row.group, []).append(i)
    return [line for line in lines.values() if len(line) > 1]
