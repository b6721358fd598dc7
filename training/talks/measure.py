"""Token F1 of the standalone questions that the model makes, against those that people wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch

from ragkit.conversation.decoding import TurnScores, understood
from ragkit.evaluation.measures import token_f1
from training.talks.batches import Rows, batch_of
from training.talks.examples import KINDS, Example
from training.talks.model import TurnModel


def predictions(model: TurnModel, rows: Rows, examples: Sequence[Example]) -> list[tuple[str, str]]:
    """For each example the standalone question, and the kind of remark."""
    model.eval()
    found = []
    for example in examples:
        laid = rows.laid(example)
        row = rows.of(example, laid)
        with torch.inference_mode():
            scores = model(batch_of([row]))
        numbers = TurnScores(*(getattr(scores, name)[0].numpy() for name in TurnScores._fields))
        text = understood(example.question, example.history, laid, numbers).standalone
        found.append((text, KINDS[int(scores.kind[0].argmax())]))
    model.train()
    return found


def measured(model: TurnModel, rows: Rows, examples: Sequence[Example]) -> dict[str, float]:
    """The mean of each of ``scores_of``, and of F1 by source."""
    sums: dict[str, list[float]] = defaultdict(list)
    for example, found in zip(examples, predictions(model, rows, examples), strict=True):
        for name, score in scores_of(example, *found):
            sums[name].append(score)
            if name == "F1":
                sums[f"F1, {example.source}"].append(score)
    return {name: round(sum(values) / len(values), 3) for name, values in sorted(sums.items())}


def scores_of(example: Example, standalone: str, kind: str) -> Iterator[tuple[str, float]]:
    """What one turn shows, by name; a turn without a history shows nothing unless it is a remark.

    F1 is against what a person wrote: of the model, of the last two questions glued, and of the
    turn alone.
    """
    if example.source == "remarks":
        is_question = example.kind == "none"
        right = float(kind == example.kind)
        yield (
            ("questions taken for a remark", 1 - right)
            if is_question
            else (
                "remarks recognised",
                right,
            )
        )
    elif example.history:
        yield "taken for a remark", float(kind != "none")
        if _plain(example.question) == _plain(example.rewrite):
            yield "left as it stands", float(_plain(standalone) == _plain(example.question))
            return
        yield "F1", token_f1(standalone, [example.rewrite])
        glued = f"{example.history[-2:][0]} {example.question}"
        yield "F1 glued", token_f1(glued, [example.rewrite])
        yield "F1 turn alone", token_f1(example.question, [example.rewrite])


def _plain(text: str) -> str:
    return " ".join(text.lower().rstrip("?. ").split())
