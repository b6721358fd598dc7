"""The score that the library ranks by, and the loss of a step: a softmax over its passages."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.encoder.batches import Step
from training.encoder.model import Encoded, TokenEncoder

REVERSE = 0.5
VECTOR = 0.3
"""Weight of the loss by one vector."""


def scores(tokens: Tensor, questions: Encoded, step: Step) -> Tensor:
    """``(q, p)``: late interaction by sentences (``ragkit.retrieval.scoring``), about 0 to 1.

    Args:
        tokens: ``(t, d)``, those of all passages that are scored, run by run.
        questions: their tokens in a row.

    """
    mask = step.questions.mask.bool()
    count, longest = mask.shape
    padded = tokens.new_zeros(count * longest, tokens.shape[1])
    padded = padded.index_copy(0, mask.flatten().nonzero()[:, 0], questions.tokens)
    similar = tokens @ padded.T  # (t, q * longest)
    counted = step.counted.flatten()
    best = torch.segment_reduce(similar, "max", lengths=step.lengths, axis=0, initial=-1.0)
    best = best.masked_fill((step.lengths == 0)[:, None], 0.0)
    runs = len(step.lengths)
    context = best[step.is_context][step.run_passage]
    forward = torch.maximum(best, context).view(runs, count, longest)
    forward = (forward * step.weights).sum(dim=2)
    most = similar.masked_fill(~counted, -1.0).view(-1, count, longest).amax(dim=2)
    share = 1 / step.lengths.clamp(min=1)
    means = torch.segment_reduce(most, "sum", lengths=step.lengths, axis=0) * share[:, None]
    passages = len(step.passages.ids)
    own = ~step.is_context
    return (
        _best_of(forward[own], step.run_passage[own], passages)
        + REVERSE * _best_of(means[own], step.run_passage[own], passages)
    ).T / (1 + REVERSE)


def _best_of(values: Tensor, owner: Tensor, number: int) -> Tensor:
    lengths = torch.bincount(owner, minlength=number)
    return torch.segment_reduce(values, "max", lengths=lengths, axis=0, initial=-1.0)


def losses(encoder: TokenEncoder, step: Step) -> dict[str, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        passages, questions = encoder(*step.passages), encoder(*step.questions)
    found = scores(passages.tokens[step.keep], questions, step) * encoder.scale.exp()
    vectors = questions.vectors @ passages.vectors.T * encoder.vector_scale.exp()
    return {
        "tokens": functional.cross_entropy(found, step.gold),
        "vectors": VECTOR * functional.cross_entropy(vectors, step.gold),
        "right": (found.argmax(dim=1) == step.gold).float().mean().detach(),
    }
