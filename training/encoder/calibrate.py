"""Confidence without a reader: asks the library about articles held out, fits, and measures.

``python -m training.encoder.calibrate --data DIR`` prints the coefficients for
``ragkit.answering.confidence``; ``--measure test`` measures those that are there. Answerable
questions are asked again where their article is not, and are then questions off the topic.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ragkit import Index, load_encoder
from ragkit.answering.confidence import THRESHOLD, confidence, features
from ragkit.encoding import DEFAULT_MODEL
from ragkit.reading import Result
from ragkit.types import Span
from training.calibrate import Corpus, balanced, calibration_error, corpus_of, regression, some_of
from training.measures import auroc
from training.sources import Question, load_all
from training.splits import load_splits

SOURCES: Final = ("contrast", "squad2", "nq", "paraphrase")
NAMES: Final = ("margin", "unmet", "reverse")
SIGNS: Final = {"margin": 1, "unmet": -1, "reverse": 1}
REFUSED: Final = 0.03  # of questions whose first passage is right, at the threshold


@dataclass(frozen=True)
class Outcome:
    source: str
    found: Result
    right: bool
    answerable: bool


def asked(corpus: Corpus, source: str, model: str, most: int) -> list[Outcome]:
    """Each question once, and the answerable ones again without their documents."""
    index = Index.build(corpus.documents, encoder=load_encoder(model), reader=None)
    questions = some_of(corpus.questions, most)
    outcomes = _outcomes(index, corpus, source, questions)
    halves = {d.id: d.metadata["half"] for d in corpus.documents}
    for half in (0, 1):
        own = [
            q for q in questions if q.answerable and halves[corpus.places[q.paragraph][0]] == half
        ]
        outcomes += _outcomes(index, corpus, source, own, where={"half": 1 - half})
    return outcomes


def _outcomes(
    index: Index, corpus: Corpus, source: str, questions: Sequence[Question], where: Any = None
) -> list[Outcome]:
    outcomes = []
    for begin in range(0, len(questions), 64):
        some = questions[begin : begin + 64]
        found = index._find(index._data, [q.text for q in some], 5, where)
        for question, one in zip(some, found, strict=True):
            answerable = question.answerable and where is None
            right = answerable and _is_right(index, corpus, question, one)
            outcomes.append(Outcome(source, one, right, answerable))
    return outcomes


def _is_right(index: Index, corpus: Corpus, question: Question, found: Result) -> bool:
    name, at = corpus.places[question.paragraph]
    start = at + (question.start or 0)
    gold = Span(start, start + len(question.answer or ""))
    [first] = index._data.chunks([found.retrieved.ranking[0].chunk])
    return first.document_id == name and first.start <= gold.start and gold.end <= first.end


def fit(outcomes: Sequence[Outcome]) -> tuple[dict[str, float], float]:
    """A feature whose coefficient comes out with the wrong sign is left out."""
    names = list(NAMES)
    weights = balanced([(o.source, o.answerable) for o in outcomes])
    right = np.array([o.right for o in outcomes], float)
    while True:
        rows = np.array([[features(o.found)[name] for name in names] for o in outcomes])
        found, intercept = regression(rows, right, weights)
        wrong = [n for n, w in zip(names, found, strict=True) if w * SIGNS[n] < 0]
        if not wrong:
            fitted = dict(zip(names, [round(float(w), 2) for w in found], strict=True))
            return {name: fitted.get(name, 0.0) for name in NAMES}, round(intercept, 3)
        names = [name for name in names if name not in wrong]


def chances_of(
    outcomes: Sequence[Outcome], weights: Mapping[str, float], intercept: float
) -> npt.NDArray[np.float64]:
    rows = np.array([[features(o.found)[name] for name in weights] for o in outcomes])
    logits = rows @ np.array(list(weights.values())) + intercept
    chances: npt.NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return chances


def figures(outcomes: Sequence[Outcome], chances: npt.NDArray[np.float64]) -> dict[str, Any]:
    """By source."""
    found = {}
    for source in dict.fromkeys(o.source for o in outcomes):
        own = np.array([o.source == source for o in outcomes])
        here = [o for o in outcomes if o.source == source]
        answerable = np.array([o.answerable for o in here])
        right = np.array([o.right for o in here])
        weights = balanced([(o.source, o.answerable) for o in here])
        found[source] = {
            "success_1": round(float(right[answerable].mean()), 4),
            "auroc": round(auroc(chances[own][answerable].tolist(),
                                 chances[own][~answerable].tolist()), 4),
            "ece": round(calibration_error(chances[own], right, weights), 4),
        }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--measure", help="measure on this split instead of fitting")
    parser.add_argument("--most", type=int, default=500, help="questions of each source")
    options = parser.parse_args()
    sources, splits = load_all(options.data), load_splits()
    outcomes = [
        outcome
        for name in SOURCES
        for outcome in asked(
            corpus_of(sources[name], splits, options.measure or "calibrate"),
            name, options.model, options.most,
        )
    ]  # fmt: skip
    if options.measure:
        chances = np.array([confidence(o.found) for o in outcomes])
        print(json.dumps({"threshold": THRESHOLD}))
    else:
        weights, intercept = fit(outcomes)
        chances = chances_of(outcomes, weights, intercept)
        threshold = float(np.quantile(chances[[o.right for o in outcomes]], REFUSED))
        scores = [o.found.retrieved.scored[1].score for o in outcomes if not o.answerable]
        print(
            json.dumps(
                {
                    "weights": weights,
                    "intercept": intercept,
                    "threshold": threshold,
                    "score of an unrelated chunk": float(np.median(scores)),
                }
            )
        )
    print(json.dumps(figures(outcomes, chances), indent=1))


if __name__ == "__main__":
    main()
