"""What training makes small, for the rows of several groups together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.model import Scores
from training.sampling import REAL, Targets


@dataclass(frozen=True)
class Weights:
    ranking: float = 0.5
    answers: float = 1.0
    pairs: float = 0.7
    span: float = 0.5
    kind: float = 0.2


def losses(scores: Scores, targets: Targets, weights: Weights) -> dict[str, Tensor]:
    """Each part already weighted; ``scores`` are in the order of the rows."""
    true = (targets.roles == REAL).float()
    # A group has one real question and about three others: both sides weigh nearly the same.
    sides = 0.8 + 0.8 * true
    said = functional.binary_cross_entropy_with_logits(scores.answers, true, weight=sides)
    return {
        "ranking": weights.ranking * ranking(scores.answers, targets.lists),
        "answers": weights.answers * said,
        "pairs": weights.pairs * pairs(scores.answers, targets.couples),
        "span": weights.span * spans(scores, targets),
        "kind": weights.kind * functional.cross_entropy(scores.kind, targets.kinds),
    }


def ranking(answers: Tensor, lists: Tensor) -> Tensor:
    """Softmax over a question's windows, of which the first answers."""
    if not lists.numel():
        return answers.sum() * 0
    logits = answers[lists.clamp(min=0)].masked_fill(lists < 0, -1e4)
    return -logits.log_softmax(dim=1)[:, 0].mean()


def pairs(answers: Tensor, couples: Tensor) -> Tensor:
    """A soft margin: the real question's score above that of each near-miss of it."""
    if not couples.numel():
        return answers.sum() * 0
    real, other = couples.T
    return functional.softplus(1.0 - (answers[real] - answers[other])).mean()


def spans(scores: Scores, targets: Targets) -> Tensor:
    """First and last word of the answer, of real questions alone."""
    start, end = scores.start[targets.real], scores.end[targets.real]
    return torch.stack(
        [
            functional.cross_entropy(start, targets.first),
            functional.cross_entropy(end, targets.last),
        ]
    ).mean()
