"""Token F1 of the standalone questions that the model makes, against those that people wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

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
        row = rows.of(example)
        with torch.inference_mode():
            scores = model(batch_of([row]))
        numbers = TurnScores(*(getattr(scores, name)[0].numpy() for name in TurnScores._fields))
        text = understood(example.question, example.history, laid, numbers).standalone
        found.append((text, KINDS[int(scores.kind[0].argmax())]))
    model.train()
    return found


def measured(model: TurnModel, rows: Rows, examples: Sequence[Example]) -> dict[str, float]:
    """``f1`` over questions that need others; ``same``: how many of the rest stay as they are;
    the same by source; ``kinds``: how many remarks are recognised, ``wrong``: how many questions
    are taken for one.
    """
    sums: dict[str, list[float]] = defaultdict(list)
    for example, (text, kind) in zip(examples, predictions(model, rows, examples), strict=True):
        if example.source == "remarks":
            sums["kinds" if example.kind != "none" else "wrong"].append(
                float(kind == example.kind) if example.kind != "none" else float(kind != "none")
            )
            continue
        if example.history:
            sums["wrong"].append(float(kind != "none"))
            same = _plain(example.question) == _plain(example.rewrite)
            if same:
                sums["same"].append(float(_plain(text) == _plain(example.question)))
            else:
                f1 = token_f1(text, [example.rewrite])
                sums["f1"].append(f1)
                sums[example.source].append(f1)
                sums["glued"].append(
                    token_f1(
                        " ".join([*example.history[-2:-1], example.question]), [example.rewrite]
                    )
                )
                sums["unchanged"].append(token_f1(example.question, [example.rewrite]))
    return {name: round(sum(values) / len(values), 3) for name, values in sorted(sums.items())}


def _plain(text: str) -> str:
    return " ".join(text.lower().rstrip("?. ").split())
