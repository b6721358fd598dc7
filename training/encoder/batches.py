"""Draws passages with their questions, and lays them out for a step.

A batch has many passages of few articles, so that each question's other passages are hard ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.encoder.texts import SOURCES, WINDOW, silent_ids
from training.model import CLS, SEP

Ints = npt.NDArray[np.int64]
FRONT: Final = -1.0
"""The weight of a token that is read in front of a question and not scored."""
PREFERRED: Final = {SOURCES.index(name) for name in ("contrast", "paraphrase")}


class Texts:
    """What ``training.encoder.texts`` wrote."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self._of = {name: file[name] for name in file.files}
        self.of_passage = self._of["of_passage"]
        self.of_question = self._of["of_question"]
        order = np.argsort(self.of_question[:, 0], kind="stable")
        ends = np.searchsorted(self.of_question[order, 0], np.arange(self.passages + 1))
        self._asked = [order[a:b] for a, b in pairwise(ends.tolist())]

    @property
    def passages(self) -> int:
        return len(self.of_passage)

    def asked(self, passage: int) -> Ints:
        """The questions of a passage."""
        numbers: Ints = self._asked[passage]
        return numbers

    def part(self, name: str, at: int) -> npt.NDArray[np.generic]:
        ends = self._of[f"{name}_at"]
        values: npt.NDArray[np.generic] = self._of[name][ends[at] : ends[at + 1]]
        return values

    def passage(self, number: int, *, titled: bool = True) -> tuple[list[int], list[int]]:
        """Token ids, and marks: a sentence's number, -1 for none, -2 for what stands in front."""
        front = int(self.of_passage[number, 0])
        ids, marks = self.part("bodies", number).tolist(), self.part("marks", number).tolist()
        if titled:
            own = self.part("front_marks", front).tolist()
            ids = self.part("fronts", front).tolist() + ids
            marks = [-2 if m == 0 else -1 for m in own] + marks
        return [CLS, *ids[:WINDOW], SEP], [-1, *marks[:WINDOW], -1]

    def question(self, number: int, *, titled: bool, narrow: bool) -> tuple[list[int], list[float]]:
        """Token ids, and the weight of each: ``FRONT`` of what stands in front."""
        ids = self.part("questions", number).tolist()
        weights = self.part("narrow" if narrow else "wide", number).tolist()
        if titled:
            front = self.part("fronts", int(self.of_passage[self.of_question[number, 0], 0]))
            ids, weights = front.tolist() + ids, [FRONT] * len(front) + weights
        return [CLS, *ids, SEP], [0.0, *weights, 0.0]


class Laid(NamedTuple):
    """``(n, longest)`` each. ``counted``: the tokens that a text's vectors are made of."""

    ids: Tensor
    mask: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Step:
    """Passages and the questions about them.

    ``keep``: which of the passages' tokens are scored, sentence by sentence, each passage's
    context first. ``lengths``: of these runs. ``is_context``, ``run_passage``: of each run.
    ``weights``, ``counted``: ``(q, longest)``. ``gold``: each question's passage.
    """

    passages: Laid
    questions: Laid
    keep: Tensor
    lengths: Tensor
    run_passage: Tensor
    is_context: Tensor
    weights: Tensor
    counted: Tensor
    gold: Tensor

    @property
    def tokens(self) -> int:
        return int(self.passages.mask.sum() + self.questions.mask.sum())


def lay(rows: Sequence[Sequence[int]]) -> Laid:
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    counted = (mask > 0) & ~np.isin(ids, silent_ids())
    return Laid(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(counted))


def step_of(
    passages: Sequence[tuple[list[int], list[int]]],
    questions: Sequence[tuple[list[int], list[float]]],
    gold: Sequence[int],
) -> Step:
    keep: list[int] = []
    lengths: list[int] = []
    owner: list[int] = []
    is_context: list[bool] = []
    at = 0
    for number, (ids, marks) in enumerate(passages):
        own = np.asarray(marks)
        for mark in (-2, *range(int(own.max()) + 1)):
            here = np.flatnonzero(own == mark)
            if len(here) or mark == -2:
                keep += (at + here).tolist()
                lengths.append(len(here))
                owner.append(number)
                is_context.append(mark == -2)
        at += len(ids)
    longest = max(len(ids) for ids, _ in questions)
    weights = np.zeros((len(questions), longest), np.float32)
    for i, (_, own_weights) in enumerate(questions):
        weights[i, : len(own_weights)] = own_weights
    asked = lay([ids for ids, _ in questions])
    return Step(
        lay([ids for ids, _ in passages]),
        asked,
        torch.tensor(keep),
        torch.tensor(lengths),
        torch.tensor(owner),
        torch.tensor(is_context),
        torch.from_numpy(np.maximum(weights, 0)),
        asked.counted & torch.from_numpy(weights != FRONT),
        torch.tensor(list(gold)),
    )


@dataclass(frozen=True)
class Sizes:
    """``articles``: one of these numbers of articles, which share ``passages`` among them.

    Passages of one article are told apart by anything but its topic; those of many by their topic
    too. ``alone``: passages drawn from everywhere, in addition.
    """

    articles: tuple[int, ...] = (1, 1, 2, 4, 8)
    passages: int = 40
    alone: int = 8
    questions: int = 4
    untitled: float = 0.12
    titled_question: float = 0.6


class Drawing:
    """Draws steps; every passage as often as another, as far as that goes."""

    def __init__(self, texts: Texts, sizes: Sizes, seed: int) -> None:
        self.texts, self.sizes = texts, sizes
        self.rng = random.Random(seed)  # noqa: S311
        self.by_article: dict[int, list[int]] = {}
        for number, (_, article) in enumerate(texts.of_passage.tolist()):
            if len(texts.asked(number)):
                self.by_article.setdefault(article, []).append(number)
        self.large = [a for a, own in self.by_article.items() if len(own) >= sizes.passages // 2]
        self.small = [
            p for a, own in self.by_article.items() if a not in set(self.large) for p in own
        ]
        self._left: dict[int, list[int]] = {}
        self._turn: dict[int, int] = {}

    def step(self) -> Step:
        rng, sizes = self.rng, self.sizes
        number = rng.choice(sizes.articles)
        numbers = [
            passage
            for article in self._articles(number)
            for passage in self._from(article, sizes.passages // number)
        ]
        numbers += rng.sample(self.small, sizes.alone)
        titled = rng.random() > sizes.untitled
        # As in an index of one article, whose title is read in front of each question.
        narrow = number == 1
        in_front = narrow and titled and rng.random() < sizes.titled_question
        # Sorted by length, so that those read together have little padding.
        numbers.sort(key=lambda n: len(self.texts.part("bodies", n)))
        passages = [self.texts.passage(n, titled=titled) for n in numbers]
        asked = [(i, q) for i, n in enumerate(numbers) for q in self._asked(n)]
        questions = [self.texts.question(q, titled=in_front, narrow=narrow) for _, q in asked]
        return step_of(passages, questions, [i for i, _ in asked])

    def _articles(self, number: int) -> list[int]:
        """Different ones, a large one rather than a small one."""
        weights = [len(self.by_article[a]) for a in self.large]
        articles: list[int] = []
        while len(articles) < number:
            [article] = self.rng.choices(self.large, weights)
            if article not in articles:
                articles.append(article)
        return articles

    def _from(self, article: int, most: int) -> list[int]:
        """Passages of an article, each once, or twice with other words, before any comes again."""
        drawn: list[int] = []
        own = self.by_article[article]
        again = [p for p in own if PREFERRED & set(self.texts.of_question[self.texts.asked(p), 1])]
        while len(drawn) < min(most, len(own)):
            left = self._left.get(article) or self.rng.sample([*own, *again], len(own) + len(again))
            self._left[article] = left
            take = left.pop()
            if take not in drawn:
                drawn.append(take)
        return drawn

    def _asked(self, passage: int) -> list[int]:
        """Some of a passage's questions: half in other words where there are such."""
        own = self.texts.asked(passage).tolist()
        other = [q for q in own if int(self.texts.of_question[q, 1]) in PREFERRED]
        plain = [q for q in own if q not in set(other)]
        half = self.sizes.questions // 2
        first = self._in_turn(other, half)
        return first + self._in_turn(plain, self.sizes.questions - len(first))

    def _in_turn(self, questions: Sequence[int], most: int) -> list[int]:
        """Those asked least often so far."""
        some = sorted(questions, key=lambda q: (self._turn.get(q, 0), self.rng.random()))[:most]
        for question in some:
            self._turn[question] = self._turn.get(question, 0) + 1
        return some
