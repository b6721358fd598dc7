"""Examples → token ids and what is to be learned from each token."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ragkit.conversation.edits import question_words
from ragkit.conversation.tokens import LaidOut, laid_out
from ragkit.encoding.onnx import load_tokenizer_of
from training.talks.alignment import CONNECTING, align, words
from training.talks.examples import KINDS, Example
from training.talks.model import Batch
from training.windows import model_folder

IGNORED = -100


@dataclass(frozen=True)
class Row:
    """One turn.

    ``removed``, ``inserted`` (of the turn) and ``relevant`` (of what was said): a label for each
    token, ``IGNORED`` where there is none. ``pointers``: the token of the turn, what follows the
    insertion, and the places (first and last token of what was said) that are right.
    """

    turn: list[int]
    said: list[int]
    removed: list[int]
    inserted: list[int]
    relevant: list[int]
    pointers: tuple[tuple[int, int, tuple[tuple[int, int], ...]], ...]
    kind: int

    @property
    def length(self) -> int:
        return len(self.turn) + len(self.said)


class Rows:
    """Lays out examples; tokenizes each text once."""

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer_of(model_folder() / "tokenizer.json")

    def laid(self, example: Example) -> LaidOut:
        return laid_out(self.tokenizer, example.question, example.history)

    def of(self, example: Example, laid: LaidOut | None = None) -> Row:
        """``laid``: what ``self.laid`` returned for the example, if it was asked already."""
        laid = laid or self.laid(example)
        aligned = align(example.question, example.rewrite, example.history)
        count = len(laid.words)
        removed = [IGNORED] * len(laid.turn)
        inserted = [IGNORED] * len(laid.turn)
        is_talk = example.source != "remarks"  # their history is another's: nothing to take from it
        for number, token in enumerate(laid.words if is_talk else ()):
            if number not in aligned.unknown:
                inserted[token] = 0
                if number < count - 1:
                    removed[token] = int(number in aligned.removed)
        pointers = []
        for one in aligned.inserted:
            places = tuple(p for p in (laid.place(*span) for span in one.of.spans) if p)
            if one.at >= count or not places:
                continue
            token = laid.words[one.at]
            inserted[token] = 1 + one.before
            pointers.append((token, one.after, places))
        relevant = _relevant(example, laid) if is_talk else [IGNORED] * len(laid.earlier)
        kind = KINDS.index(example.kind)
        return Row(laid.turn, laid.earlier, removed, inserted, relevant, tuple(pointers), kind)


def _relevant(example: Example, laid: LaidOut) -> list[int]:
    """For each token of the conversation whether its word came into the standalone question."""
    wanted = set(words(example.rewrite)) - set(words(example.question)) - CONNECTING
    spans = [question_words(text) for text in example.history]
    labels = []
    for place in laid.of:
        if place is None:
            labels.append(IGNORED)
            continue
        text, at = example.history[place[0]], place[1].start
        word = next((span for span in spans[place[0]] if span.start <= at < span.end), None)
        labels.append(int(word is not None and text[slice(*word)].casefold() in wanted))
    return labels


def batch_of(rows: Sequence[Row]) -> Batch:
    turns, turn_mask = _padded([row.turn for row in rows])
    said, said_mask = _padded([row.said or [0] for row in rows])
    for number, row in enumerate(rows):
        if not row.said:
            said_mask[number] = 0
    return Batch(turns, turn_mask, said, said_mask)


@dataclass(frozen=True)
class Targets:
    """Labels of a batch. ``at``: ``(n, 2)``, row and token of each insertion; ``places``:
    ``(n, p, 2)``, its right places by their first and last token, −1 where there is none more;
    ``after``: ``(n,)``.
    """

    removed: Tensor
    inserted: Tensor
    relevant: Tensor
    at: Tensor
    places: Tensor
    after: Tensor
    kind: Tensor


def targets_of(rows: Sequence[Row]) -> Targets:
    removed = _labels([row.removed for row in rows])
    inserted = _labels([row.inserted for row in rows])
    relevant = _labels([row.relevant or [IGNORED] for row in rows])
    points = [(n, *pointer) for n, row in enumerate(rows) for pointer in row.pointers]
    most = max((len(right) for _, _, _, right in points), default=1)
    places = torch.full((len(points), most, 2), -1)
    for number, (_, _, _, right) in enumerate(points):
        places[number, : len(right)] = torch.tensor(right)
    at = torch.tensor([(n, token) for n, token, _, _ in points], dtype=torch.long).view(-1, 2)
    after = torch.tensor([after for _, _, after, _ in points], dtype=torch.long)
    return Targets(
        removed, inserted, relevant, at, places, after, torch.tensor([r.kind for r in rows])
    )


def _padded(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, ids))
    made = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros_like(made)
    for row, tokens in enumerate(ids):
        made[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return made, mask


def _labels(rows: Sequence[Sequence[int]]) -> Tensor:
    made = torch.full((len(rows), max(map(len, rows))), IGNORED)
    for number, row in enumerate(rows):
        made[number, : len(row)] = torch.tensor(row)
    return made


def with_noise(example: Example, rng: random.Random, others: Sequence[Example]) -> Example:
    """As it may come at run time: answers missing, older talk in front, another way of typing."""
    said = list(example.history)
    if example.source == "remarks" and len(said) == 0 and rng.random() < 0.9:
        said = list(rng.choice(others).history[-2:])
    if example.source in {"canard", "own", "contrast"} and rng.random() < 0.1:
        older = rng.choice(others)
        said = [*older.history[-4:], older.rewrite, *said]
    question = example.question
    if rng.random() < 0.2:
        question = question.lower()
    if rng.random() < 0.2:
        question = question.rstrip("?").rstrip() or question
    return replace(example, question=question, history=tuple(said))


def steps_of(rows: Sequence[Row], tokens: int, rng: random.Random) -> Iterator[list[Row]]:
    """Batches of rows of like length, of about so many tokens, in random order."""
    order = sorted(rows, key=lambda row: (row.length // 16, rng.random()))
    batches: list[list[Row]] = []
    batch: list[Row] = []
    for row in order:
        if batch and (len(batch) + 1) * max(row.length, batch[-1].length) > tokens:
            batches.append(batch)
            batch = []
        batch.append(row)
    batches.append(batch)
    rng.shuffle(batches)
    yield from batches
