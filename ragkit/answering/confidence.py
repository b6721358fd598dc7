"""How sure an answer is: the chance that the corpus holds it and the first passage is it.

Three features of a ranking by late interaction, one logistic regression with fixed coefficients:

    margin  = ½·√(s₁ − s₂) + ½·√(s₁ − mean(s₂…s₅))   how far the first chunk leads          (+)
    unmet   = ∛ Σᵢ wᵢ·(1 − aᵢ)³                       how much of the question has no partner (−)
    reverse = max over sentences of mean of maxᵢ qᵢ·d  how well the question explains it       (+)

with s the scores, w the question's word weights, aᵢ question token i's best partner in the first
chunk's nearest sentence or its context. Fitted with sign constraints on the seed's ``dev``
questions, on plain questions about it and on XQuAD, where unanswerable questions were made by
taking the gold paragraph out of the corpus: the same writers, so that no habit of theirs tells.
Calibrated for a mix with 64 % answerable questions.

What it cannot do: tell a question that uses the article's own words for something that it does not
say from one that it answers in other words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ragkit.index import IndexData
from ragkit.retrieval import Query, Ranked, met_by

__all__ = ["DEPTH", "THRESHOLD", "confidence", "in_words"]

THRESHOLD = 0.12
"""Below it an answer abstains. Chosen on ``dev``: all off-topic questions are refused, and 3 % of
those whose first passage is right."""

DEPTH = 5
"""How many chunks of a ranking the margin looks at."""

_MARGIN, _UNMET, _REVERSE, _INTERCEPT = 8.3, -7.4, 3.9, -0.35
_UNRELATED = 0.45  # an unrelated chunk's usual score: stands in where there is no second one


def confidence(data: IndexData, query: Query, ranking: Sequence[Ranked]) -> float:
    """0–1, of a ranking by late interaction at least ``DEPTH`` deep.

    0 for an empty one, and for a question none of whose words stands in the corpus.
    """
    if not ranking or not _is_known(data, query):
        return 0.0
    first = ranking[0]
    unmet = math.cbrt(query.weights @ np.clip(1 - met_by(query, first), 0, None) ** 3)
    logit = _MARGIN * _margin(ranking) + _UNMET * unmet + _REVERSE * first.explained + _INTERCEPT
    return float(1 / (1 + math.exp(-logit)))


def in_words(confidence: float) -> str:
    """A confidence as people say it."""
    for least, words in ((0.9, "very likely"), (0.65, "likely"), (0.35, "perhaps")):
        if confidence >= least:
            return words
    return "uncertain"


def _is_known(data: IndexData, query: Query) -> bool:
    """Whether any word of the question stands in the corpus: "hi" matches a little of anything."""
    return any(word and data.knows(word.stem) for word in query.words)


def _margin(ranking: Sequence[Ranked]) -> float:
    first = ranking[0].score
    others = [r.score for r in ranking[1:DEPTH]] or [min(_UNRELATED, first)]
    second = math.sqrt(max(first - others[0], 0.0))
    rest = math.sqrt(max(first - sum(others) / len(others), 0.0))
    return (second + rest) / 2
