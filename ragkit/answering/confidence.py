"""Confidence: the probability that the corpus has the answer and the first passage is it.

Three features of a ranking by late interaction, one logistic regression with fixed coefficients:

    margin  = ½·√(s₁ − s₂) + ½·√(s₁ − mean(s₂…s₅))   lead of the first chunk               (+)
    unmet   = ∛ Σᵢ wᵢ·(1 − aᵢ)³                       part of the question without a match   (−)
    reverse = max over sentences of mean of maxᵢ qᵢ·d  part of the sentence that is asked for (+)

with s the scores, w the question's word weights, aᵢ the best match of question token i in the first
chunk's best sentence or its context. Fitted with sign constraints on the seed's ``dev`` questions,
on plain questions about it and on XQuAD, where unanswerable questions were made by taking the gold
paragraph out of the corpus: the same people wrote both kinds, so style gives nothing away.
Calibrated for a mix with 64 % answerable questions. For models that read a chunk once they were
fitted on articles that late-MiniLM-L6 was not trained on (``training.encoder.calibrate``):
questions asked where they are answered, the same ones asked where their article is not, and
near-misses, weighted so that half are answerable.

What that cannot do: tell a question that uses the article's own words for something that it does
not say from one that it answers in other words. With a reader two features take their place, whose
coefficients are the reader's own (``Calibration``), fitted on articles that it was not trained on:

    read = the reader's logit of the first passage                                          (+)
    far  = min(s₁ − 0.45, 0)                 how far s₁ is below an unrelated chunk's score  (+)

So a likeness of words counts against an answer where it is missing, and never for one: among
questions on the topic it is the unanswerable ones that share more words with the text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ragkit.encoding.models import BASE_MODEL, DEFAULT_MODEL
from ragkit.index import DEFAULT_CONFIG, IndexData
from ragkit.reading import Result
from ragkit.reading.reader import sigmoid
from ragkit.retrieval import ScoredChunk
from ragkit.text.languages import language_of, sample_around, script_of
from ragkit.text.spans import Span

__all__ = [
    "DEPTH",
    "THRESHOLD",
    "confidence",
    "default_threshold",
    "features",
    "in_words",
    "is_calibrated",
    "log_odds",
]

THRESHOLD = 0.19
"""Below this confidence an answer abstains, with the default model and without a reader. Chosen on
``dev``: 13 of 14 off-topic questions are refused, and 3.5 % of those whose first passage is right.
"""


class _Fitted(NamedTuple):
    weights: Mapping[str, float]
    intercept: float
    threshold: float


_FITTED = {
    1: _Fitted({"margin": 4.13, "unmet": -5.01, "reverse": 3.33}, -0.861, THRESHOLD),
    2: _Fitted({"margin": 8.3, "unmet": -7.4, "reverse": 3.9}, -0.35, 0.12),
}
"""By how often the model reads a chunk: scores of a model trained for late interaction differ."""

_MODELS = (DEFAULT_MODEL, BASE_MODEL)
"""What the coefficients, and those of the reader, were fitted for, with English."""

DEPTH = 5
"""Number of chunks of a ranking that the margin looks at."""

_NO_WORD = 3.0
"""Taken from the logit if the corpus has no word of the question: odds of one to twenty."""
_UNRELATED = 0.45
"""Usual score of an unrelated chunk. It is also taken for the second chunk's if there is none."""


def confidence(result: Result) -> float:
    """Return the confidence, 0–1, in the first passage.

    0 if nothing was found. A question none of whose words occurs in the corpus gets much less: "hi"
    is a little similar to anything, but a question in another language may well be answered.
    """
    if not result.retrieved.scored:
        return 0.0
    own = features(result)
    fitted = result.calibration or _without_reader(result)
    logit = sum(w * own[name] for name, w in fitted.weights.items()) + fitted.intercept
    return _tuned(result, logit if result.query.is_in_vocabulary else logit - _NO_WORD)


def features(result: Result) -> dict[str, float]:
    """Return what confidence is computed from, by name."""
    ranking = result.retrieved.scored
    if result.readings:
        chosen = result.retrieved.ranking[0].chunk
        far = min(ranking[0].score - _UNRELATED, 0.0)
        return {"read": result.readings[chosen].logit, "far": far}
    query, first = result.query, ranking[0]
    _, best = first.matches.best_sentence(query.weights)
    return {
        "margin": _margin(ranking),
        "unmet": math.cbrt(query.weights @ np.clip(1 - best, 0, None) ** 3),
        "reverse": first.reverse,
    }


def default_threshold(result: Result) -> float:
    """Return the confidence below which an answer abstains if the caller names none.

    Tuning changes it as it changes the confidence, so that the same questions are answered.
    """
    return _tuned(result, log_odds((result.calibration or _without_reader(result)).threshold))


def log_odds(chance: float) -> float:
    """Return the logit of a chance; ``sigmoid`` gives the chance again.

    >>> round(log_odds(0.75), 2)
    1.1
    """
    clipped = min(max(chance, 1e-9), 1 - 1e-9)
    return math.log(clipped / (1 - clipped))


def _tuned(result: Result, logit: float) -> float:
    """The chance of a logit, as ``ragkit tune`` fitted it to the questions of this index."""
    config = result.query.config
    return sigmoid(config.slope * logit + config.shift)


def _without_reader(result: Result) -> _Fitted:
    scored = result.retrieved.scored
    return _FITTED[scored[0].matches.readings if scored else 1]


def is_calibrated(data: IndexData, result: Result, model: str) -> bool:
    """Return whether the confidence was fitted for the model and the language, or to the index.

    Args:
        data: the index.
        result: what was found for a question, not nothing.
        model: source of the model that the index was built with.

    """
    config = result.query.config
    if (config.slope, config.shift) != (DEFAULT_CONFIG.slope, DEFAULT_CONFIG.shift):
        return True
    if model not in _MODELS:
        return False
    [chunk] = data.chunks([result.retrieved.ranking[0].chunk])
    text = data.document(chunk.document_id).text
    passage = sample_around(text, Span(chunk.start, chunk.end))
    return _may_be_english(passage, least=1) and _may_be_english(result.query.standalone, least=2)


def _may_be_english(text: str, *, least: int) -> bool:
    """Whether nothing tells that it is not; ``least`` as of ``language_of``."""
    return language_of(text, least=least) in (None, "en") and script_of(text) in (None, "LATIN")


def in_words(confidence: float) -> str:
    """Return a confidence in words, such as "likely"."""
    for least, words in ((0.9, "very likely"), (0.65, "likely"), (0.35, "perhaps")):
        if confidence >= least:
            return words
    return "uncertain"


def _margin(ranking: Sequence[ScoredChunk]) -> float:
    first = ranking[0].score
    others = [r.score for r in ranking[1:DEPTH]] or [min(_UNRELATED, first)]
    second = math.sqrt(max(first - others[0], 0.0))
    rest = math.sqrt(max(first - sum(others) / len(others), 0.0))
    return (second + rest) / 2
