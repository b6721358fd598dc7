"""How the library judges with a reader: asks it about articles held out, fits, and measures.

``python -m training.calibrate WEIGHTS --data DIR`` asks the questions of split ``calibrate`` of an
index of their articles, fits what a late interaction score counts beside a logit, then the logistic
regression of the confidence and its threshold, and writes them into ``WEIGHTS/reader.json``. The
threshold lets through most of the answerable questions of these articles, and of the development
questions of ``eval/``, which avoid the words of their article.
``--measure test`` asks the questions of another split and prints what comes out.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ragkit import Document, Index, default_index
from ragkit.answering.confidence import confidence, features
from ragkit.evaluation import load_questions
from ragkit.evaluation.measures import token_f1
from ragkit.reading import Calibration, Reader, Result
from ragkit.reading.passages import SURE, _ordered
from ragkit.reading.shipped import ShippedReader
from ragkit.text.spans import Span
from training.measures import auroc
from training.sources import Paragraph, Question, Source, load_all
from training.splits import Splits, load_splits

SOURCES: Final = ("contrast", "squad2", "nq", "squad1", "paraphrase")
NAMES: Final = ("read", "far")
SHARES: Final = (0.3, 0.5, 0.7)
ANSWERED: Final = 0.87  # of answerable questions, at the threshold
SEED: Final = Path(__file__).parent.parent / "eval" / "questions.jsonl"
START: Final = Calibration(10.0, (0.0, -99.0), dict.fromkeys(NAMES, 0.0), 0.0, 0.5)
"""What fitting begins with: never sure, so that all is read that may be read."""


@dataclass(frozen=True)
class Outcome:
    """One question, as the library found and read it.

    ``right``: by the number of a chunk, whether it holds the answer; none does for a question
    without one.
    """

    question: Question
    source: str
    found: Result
    right: Mapping[int, bool]
    words: Mapping[int, str]  # with which each chunk would be answered from
    answerable: bool

    def ordered(self, calibration: Calibration) -> Outcome:
        """As the library would, had it this calibration: where the first answers, it stays."""
        found = self.found
        retrieved = replace(found.retrieved, ranking=found.retrieved.scored)
        if calibration.chance(self.first_logit) < SURE:
            retrieved = _ordered(retrieved, found.readings, calibration)
        return replace(self, found=replace(found, retrieved=retrieved, calibration=calibration))

    @property
    def first_logit(self) -> float:
        """Of the passage that was found first."""
        return self.found.readings[self.found.retrieved.scored[0].chunk].logit

    def success(self, k: int) -> bool:
        return any(self.right.get(one.chunk) for one in self.found.retrieved.ranking[:k])


@dataclass(frozen=True)
class Corpus:
    """The articles of a source in one split as documents, and where each paragraph stands."""

    documents: tuple[Document, ...]
    places: Mapping[str, tuple[str, int]]
    questions: tuple[Question, ...]


def corpus_of(source: Source, splits: Splits, split: str) -> Corpus:
    """An article's paragraphs are one document, in their order."""
    articles: dict[str, list[Paragraph]] = defaultdict(list)
    for paragraph in source.paragraphs:
        if splits.of(paragraph.article) == split:
            articles[paragraph.article].append(paragraph)
    documents, places = [], {}
    for number, (name, paragraphs) in enumerate(articles.items()):
        at, texts = 0, []
        for paragraph in paragraphs:
            places[paragraph.id] = (name, at)
            texts.append(paragraph.text)
            at += len(paragraph.text) + 2
        document = Document(
            id=name, title=paragraphs[0].title, text="\n\n".join(texts),
            metadata={"half": number % 2},
        )  # fmt: skip
        documents.append(document)
    questions = tuple(q for q in source.questions if q.paragraph in places)
    return Corpus(tuple(documents), places, questions)


def asked(corpus: Corpus, source: str, reader: Reader, most: int) -> list[Outcome]:
    """Each question once; of sources without unanswerable ones again without its document."""
    index = Index.build(corpus.documents, reader=reader)
    questions = some_of(corpus.questions, most)
    outcomes = _outcomes(index, corpus, source, questions)
    if all(q.answerable for q in questions):
        halves = {d.id: d.metadata["half"] for d in corpus.documents}
        for half in (0, 1):
            own = [q for q in questions if halves[corpus.places[q.paragraph][0]] == half]
            outcomes += _outcomes(index, corpus, source, own, where={"half": 1 - half})
    return outcomes


def some_of(questions: Sequence[Question], most: int) -> list[Question]:
    """``most`` of them, drawn by a fixed seed, near-misses beside what they are paired with."""
    by_pair: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_pair[min(question.id, question.twin or question.id)].append(question)
    pairs = list(by_pair.values())
    random.Random(17).shuffle(pairs)  # noqa: S311
    return [question for pair in pairs for question in pair][:most]


def _outcomes(
    index: Index, corpus: Corpus, source: str, questions: Sequence[Question], where: Any = None
) -> list[Outcome]:
    data, outcomes = index._data, []
    texts = [question.text for question in questions]
    for begin in range(0, len(texts), 64):
        found = index._find(data, texts[begin : begin + 64], 10, where)
        for question, one in zip(questions[begin : begin + 64], found, strict=True):
            if not one.readings:  # the reader took it for another language
                continue
            answerable = question.answerable and where is None
            right = _right(index, corpus, question, one) if answerable else {}
            document_of = {c: data.chunks([c])[0].document_id for c in one.readings}
            words = {
                chunk: data.document(document_of[chunk]).text[slice(*reading.span)]
                for chunk, reading in one.readings.items()
            }
            outcomes.append(Outcome(question, source, one, right, words, answerable))
    return outcomes


def _right(index: Index, corpus: Corpus, question: Question, found: Result) -> dict[int, bool]:
    name, at = corpus.places[question.paragraph]
    start = at + (question.start or 0)
    gold = Span(start, start + len(question.answer or ""))
    numbers = [one.chunk for one in found.retrieved.ranking]
    return {
        number: chunk.document_id == name and chunk.start <= gold.start and gold.end <= chunk.end
        for number, chunk in zip(numbers, index._data.chunks(numbers), strict=True)
    }


def fit_answers(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Slope and intercept of the chance that the passage found first answers, by its logit."""
    logits = np.array([[outcome.first_logit] for outcome in outcomes])
    right = [bool(o.right.get(o.found.retrieved.scored[0].chunk)) for o in outcomes]
    slope, intercept = regression(logits, np.array(right, float), _balanced(outcomes))
    return round(float(slope[0]), 4), round(intercept, 4)


def fit_order(outcomes: Sequence[Outcome], calibration: Calibration) -> float:
    """What a score counts beside a logit: where most first passages are right, over sources."""
    real = [o for o in outcomes if o.answerable]
    tried: list[float] = np.geomspace(1, 300, 26).round(2).tolist()
    return max(tried, key=lambda found: _success(real, replace(calibration, similarity=found)))


def _success(outcomes: Sequence[Outcome], calibration: Calibration) -> float:
    by_source: dict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        by_source[outcome.source].append(outcome.ordered(calibration).success(1))
    return float(np.mean([np.mean(hits) for hits in by_source.values()]))


def fit(outcomes: Sequence[Outcome], similarity: float | None = None) -> Calibration:
    """Order, then confidence, then the threshold at which ``ANSWERED`` of the answerable stay.

    ``similarity``: what a score counts beside a logit; None fits it.
    """
    calibration = replace(START, answers=fit_answers(outcomes))
    if similarity is None:
        similarity = fit_order(outcomes, calibration)
    calibration = replace(calibration, similarity=similarity)
    ordered = [outcome.ordered(calibration) for outcome in outcomes]
    rows = np.array([[features(o.found)[name] for name in NAMES] for o in ordered])
    right = np.array([o.success(1) for o in ordered], float)
    balanced = _balanced(ordered)
    weights, intercept = regression(rows, right, balanced)
    logits = rows @ weights + intercept
    chances = 1 / (1 + np.exp(-logits))
    answerable = np.array([o.answerable for o in ordered])
    threshold = threshold_of(chances[answerable])
    named = dict(zip(NAMES, [round(float(w), 4) for w in weights], strict=True))
    return replace(calibration, weights=named, intercept=round(intercept, 4), threshold=threshold)


def threshold_of(answerable: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """The confidence that ``ANSWERED`` of the answerable questions, by their confidences, reach."""
    return round(float(np.quantile(answerable, 1 - ANSWERED)), 3)


def seed_confidences(reader: Reader) -> list[float]:
    """Confidences of the answerable development questions of ``eval/``."""
    index = default_index().with_reader(reader)
    questions = load_questions(SEED).of_split("dev")
    return [a.confidence for a in index.ask_many([q.text for q in questions if q.answerable])]


def _balanced(outcomes: Sequence[Outcome], share: float = 0.5) -> npt.NDArray[np.float64]:
    return balanced([(o.source, o.answerable) for o in outcomes], share)


def balanced(keys: Sequence[tuple[str, bool]], share: float = 0.5) -> npt.NDArray[np.float64]:
    """Weights by which each source counts alike, and ``share`` of it is answerable.

    ``keys``: of each question its source, and whether it is answerable.
    """
    counts = {key: keys.count(key) for key in set(keys)}
    weights = np.array([(share if key[1] else 1 - share) / counts[key] for key in keys])
    scaled: npt.NDArray[np.float64] = weights / weights.mean()
    return scaled


def regression(
    rows: npt.NDArray[np.float64], right: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Logistic regression by Newton's method, with a small ridge."""
    table = np.column_stack([rows, np.ones(len(rows))])
    ridge = np.diag([1e-2] * rows.shape[1] + [0.0])
    found = np.zeros(table.shape[1])
    for _ in range(50):
        chances = 1 / (1 + np.exp(-table @ found))
        slope = table.T @ (weights * (right - chances)) - ridge @ found
        bend = (table * (weights * chances * (1 - chances))[:, None]).T @ table + ridge
        step = np.linalg.solve(bend, slope)
        found += step
        if np.abs(step).max() < 1e-9:
            break
    return found[:-1], float(found[-1])


def figures(outcomes: Sequence[Outcome], calibration: Calibration) -> dict[str, dict[str, float]]:
    """By source: what the issue of trust asks for."""
    ordered = [outcome.ordered(calibration) for outcome in outcomes]
    return {
        source: _figures([o for o in ordered if o.source == source], calibration)
        for source in dict.fromkeys(o.source for o in ordered)
    }


def _figures(outcomes: Sequence[Outcome], calibration: Calibration) -> dict[str, float]:
    chances = np.array([confidence(o.found) for o in outcomes])
    answerable = np.array([o.answerable for o in outcomes])
    right = np.array([o.success(1) for o in outcomes])
    real = [o for o in outcomes if o.answerable]
    before = [o for o in real if o.right.get(o.found.retrieved.scored[0].chunk)]
    made = {
        "questions": float(len(outcomes)),
        "success_1_library": len(before) / len(real),
        "success_1": float(np.mean([o.success(1) for o in real])),
        "success_5": float(np.mean([o.success(5) for o in real])),
        "auroc": auroc(chances[answerable].tolist(), chances[~answerable].tolist()),
        "answered_answerable": float(np.mean(chances[answerable] >= calibration.threshold)),
        "answered_unanswerable": float(np.mean(chances[~answerable] >= calibration.threshold)),
        "short_f1": float(np.mean([token_f1(_short(o), [o.question.answer or ""]) for o in real])),
    }
    made |= {
        f"ece_{share:.0%}": calibration_error(chances, right, _balanced(outcomes, share))
        for share in SHARES
    }
    return made | _in_pairs(outcomes, chances.tolist())


def _short(outcome: Outcome) -> str:
    """The words that would be shown if the question were answered."""
    return outcome.words[outcome.found.retrieved.ranking[0].chunk]


def calibration_error(
    chances: npt.NDArray[np.float64],
    right: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    bins: int = 10,
) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    place = np.minimum((chances * bins).astype(int), bins - 1)
    total = 0.0
    for one in range(bins):
        here = place == one
        if here.any():
            own = weights[here]
            gap = np.average(chances[here], weights=own) - np.average(right[here], weights=own)
            total += abs(gap) * own.sum() / weights.sum()
    return float(total)


def _in_pairs(outcomes: Sequence[Outcome], chances: Sequence[float]) -> dict[str, float]:
    by_id = {o.question.id: c for o, c in zip(outcomes, chances, strict=True)}
    order: dict[str, list[float]] = defaultdict(list)
    for outcome, chance in zip(outcomes, chances, strict=True):
        twin = by_id.get(outcome.question.twin or "")
        if not outcome.question.answerable and twin is not None:
            higher = float(twin > chance) + 0.5 * (twin == chance)
            order["pairs"].append(higher)
            order[f"pairs_{outcome.question.kind}"].append(higher)
    return {name: float(np.mean(values)) for name, values in sorted(order.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="what training.export wrote")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--measure", help="measure on this split instead of fitting")
    parser.add_argument("--most", type=int, default=700, help="questions of each source")
    parser.add_argument("--sources", nargs="+", default=list(SOURCES))
    parser.add_argument("--similarity", type=float, help="not to be fitted, but this")
    options = parser.parse_args()
    path = options.weights / "reader.json"
    if not options.measure:
        write_calibration(path, START)
    reader = ShippedReader(options.weights)
    sources, splits = load_all(options.data), load_splits()
    split = options.measure or "calibrate"
    outcomes = [
        outcome
        for name in options.sources
        for outcome in asked(corpus_of(sources[name], splits, split), name, reader, options.most)
    ]
    calibration = reader.calibration if options.measure else fit(outcomes, options.similarity)
    write_calibration(path, calibration)
    if not options.measure:
        seed = seed_confidences(ShippedReader(options.weights))
        calibration = replace(calibration, threshold=min(calibration.threshold, threshold_of(seed)))
        write_calibration(path, calibration)
    print(json.dumps({"split": split, **vars_of(calibration)}))
    print(json.dumps(figures(outcomes, calibration), indent=1))


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Into a reader's description."""
    described = json.loads(path.read_text()) | {"calibration": vars_of(calibration)}
    path.write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")


def vars_of(calibration: Calibration) -> dict[str, Any]:
    return {
        "similarity": calibration.similarity,
        "answers": list(calibration.answers),
        "weights": dict(calibration.weights),
        "intercept": calibration.intercept,
        "threshold": calibration.threshold,
    }


if __name__ == "__main__":
    main()
