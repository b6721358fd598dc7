"""What is measured of one answer, and how the values of many become one.

Per-question values lie in 0–1, higher is better; None means that the measure does not apply to that
question, and it is left out of the mean. A question without an answer in a run scores 0, it never
disappears. Vocabulary and definitions follow ir_measures (MacAvaney et al. 2022).
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragkit.answering.answer import Answer, Passage
from ragkit.evaluation.questions import Evidence, Question
from ragkit.text.spans import Span

__all__ = [
    "DEPTH",
    "MEASURES",
    "area_under_risk_coverage",
    "area_under_roc",
    "brier",
    "contains",
    "covered_parts",
    "covers",
    "exact_match",
    "expected_calibration_error",
    "gains",
    "mean",
    "ndcg",
    "recall",
    "reciprocal_rank",
    "risk_coverage",
    "score_answer",
    "success",
    "token_f1",
]

DEPTH = 10
"""How many passages are asked for and looked at."""

Floats = NDArray[np.float64]


def covers(passage: Passage, evidence: Evidence) -> bool:
    """Whether a passage holds a piece of evidence: at least half of the shorter of the two.

    Half, so that a cut inside a sentence counts for one side; of the shorter, so that a chunk of a
    document that is relevant as a whole counts too.
    """
    citation = passage.citation
    if citation.document_id != evidence.document_id:
        return False
    shorter = min(citation.end - citation.start, evidence.end - evidence.start)
    return 2 * citation.span.overlap(evidence.span) >= shorter > 0


def covered_parts(passage: Passage, question: Question) -> frozenset[int]:
    """The parts of the question's evidence that a passage holds."""
    return frozenset(e.part for e in question.evidence if covers(passage, e))


def gains(passages: Sequence[Passage], question: Question) -> list[int]:
    """Per rank, the relevance of the best part that the passage is the first to hold, else 0."""
    grade = _grades(question)
    seen: set[int] = set()
    found: list[int] = []
    for passage in passages:
        new = covered_parts(passage, question) - seen
        found.append(max((grade[part] for part in new), default=0))
        seen |= new
    return found


def success(passages: Sequence[Passage], question: Question, k: int) -> float:
    """Success@k: 1 if any of the first k passages holds any evidence, else 0.

    Also called hit rate, hits@k, and often, wrongly, Recall@k or accuracy.
    """
    return float(any(covered_parts(p, question) for p in passages[:k]))


def recall(passages: Sequence[Passage], question: Question, k: int) -> float:
    """Recall@k (R@k): the fraction of the needed parts that the first k passages hold.

    Equal to Success@k only where one part is needed.
    """
    found = frozenset[int]().union(*(covered_parts(p, question) for p in passages[:k]))
    return len(found) / len(question.parts)


def reciprocal_rank(passages: Sequence[Passage], question: Question) -> float:
    """RR: 1 / rank of the first passage with evidence, 0 if there is none; its mean is MRR."""
    for rank, passage in enumerate(passages, start=1):
        if covered_parts(passage, question):
            return 1 / rank
    return 0.0


def ndcg(passages: Sequence[Passage], question: Question, k: int = DEPTH) -> float:
    """nDCG@k: Σ gain/log2(rank+1) over the best possible sum (Järvelin & Kekäläinen 2002).

    Gains are linear, as in trec_eval (not 2^rel − 1), and a part counts once, when first held.
    """
    dcg = sum(g / math.log2(i + 2) for i, g in enumerate(gains(passages[:k], question)))
    best = sorted(_grades(question).values(), reverse=True)[:k]
    return dcg / sum(g / math.log2(i + 2) for i, g in enumerate(best))


def span_precision(answer: Answer, question: Question) -> float:
    """Of the first passage's highlighted code points, the fraction inside any evidence."""
    spans = answer.passages[0].highlights
    inside = sum(_held(s, answer.passages[0], question.evidence) for s in spans)
    return inside / max(1, sum(s.end - s.start for s in spans))


def span_recall(answer: Answer, question: Question) -> float:
    """Of the evidence's code points, the fraction highlighted in the first passage.

    Per part the best alternative counts; the parts are averaged.
    """
    best: dict[int, float] = dict.fromkeys(question.parts, 0.0)
    passage = answer.passages[0]
    for evidence in question.evidence:
        held = sum(_held(span, passage, [evidence]) for span in passage.highlights)
        best[evidence.part] = max(best[evidence.part], held / len(evidence.quote))
    return sum(best.values()) / len(best)


def exact_match(text: str, answers: Sequence[str]) -> float:
    """SQuAD exact match: equal to a gold answer after SQuAD's normalisation."""
    return float(any(_normal(text) == _normal(answer) for answer in answers))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """SQuAD token F1: the best harmonic mean of token precision and recall over gold answers.

    Low for sentence answers to short gold, by construction; see ``contains``.
    """
    return max((_f1(_normal(text), _normal(answer)) for answer in answers), default=0.0)


def contains(text: str, answers: Sequence[str]) -> float:
    """Answer containment: 1 if a gold answer's tokens stand in the text as a run, else 0.

    Token boundaries count: "7" is not in "1917". Also called "answer accuracy" or SubEM.
    """
    haystack = f" {' '.join(_normal(text))} "
    return float(any(f" {' '.join(_normal(a))} " in haystack for a in answers if _normal(a)))


def score_answer(answer: Answer | None, question: Question) -> dict[str, float | None]:
    """Every per-question measure of one answer; 0 where there is no answer at all."""
    if not question.answerable:
        return dict.fromkeys(MEASURES, None) | {
            "abstention": float(bool(answer and not answer.answered))
        }
    passages = answer.passages if answer else ()
    values: dict[str, float | None] = {
        f"Success@{k}": success(passages, question, k) for k in (1, 3, 5, 10)
    }
    values |= {f"Recall@{k}": recall(passages, question, k) for k in (5, 10)}
    values["RR"] = reciprocal_rank(passages, question)
    values["nDCG@10"] = ndcg(passages, question)
    has_text = bool(answer and answer.answered and passages)
    text = answer.text if answer and has_text else ""
    values["span precision"] = span_precision(answer, question) if answer and has_text else 0.0
    values["span recall"] = span_recall(answer, question) if answer and has_text else 0.0
    if question.answers:
        values["exact match"] = exact_match(text, question.answers)
        values["token F1"] = token_f1(text, question.answers)
        values["containment"] = contains(text, question.answers)
        # Of the questions whose passage was found: is the answer in what is highlighted?
        found = bool(passages) and values["Success@1"] == 1.0
        shown = " … ".join(passages[0].quote(s) for s in passages[0].highlights) if passages else ""
        values["highlight"] = contains(shown, question.answers) if found else None
    values["abstention"] = float(bool(answer and answer.answered))
    return {name: values.get(name) for name in MEASURES}


MEASURES = (
    "Success@1", "Success@3", "Success@5", "Success@10", "Recall@5", "Recall@10", "RR", "nDCG@10",
    "span precision", "span recall", "exact match", "token F1", "containment", "highlight",
    "abstention",
)  # fmt: skip
"""Names of the per-question measures. ``abstention``: answered if answerable, else not."""


def area_under_roc(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """AUROC: the chance that a positive scores above a negative, ties counting half.

    Equal to the Mann–Whitney U over n₊n₋. None if either class is missing.
    """
    s, p = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if p.all() or not p.any():
        return None
    difference = s[p][:, None] - s[~p][None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[Floats, Floats]:
    """The risk–coverage curve (El-Yaniv & Wiener 2010): answering the most confident first.

    Returns coverage (fraction answered) and risk (fraction of those that are wrong), a point per
    distinct confidence, so that ties cannot be ordered in one's favour.
    """
    c = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-c, kind="stable")
    wrong = np.cumsum(~np.asarray(correct, dtype=bool)[order])
    count = np.arange(1, len(c) + 1)
    last = np.append(c[order][1:] != c[order][:-1], True)
    return (count / len(c))[last], (wrong / count)[last]


def area_under_risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """AURC: mean risk over all coverages (Geifman & El-Yaniv 2017); **lower is better**."""
    coverage, risk = risk_coverage(confidence, correct)
    return float((risk * np.diff(coverage, prepend=0.0)).sum())


def expected_calibration_error(
    confidence: Sequence[float], correct: Sequence[bool], bins: int = 10
) -> float:
    """ECE (Guo et al. 2017, arXiv:1706.04599), equal-width bins; **lower is better**.

    Σ over bins of (share of questions) · |mean confidence − fraction correct|.
    """
    c, y = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    which = np.minimum((c * bins).astype(int), bins - 1)
    return float(
        sum(
            (which == b).mean() * abs(c[which == b].mean() - y[which == b].mean())
            for b in np.unique(which)
        )
    )


def brier(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """Brier score: mean squared difference of confidence and outcome; **lower is better**."""
    c, y = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    return float(((c - y) ** 2).mean())


def _grades(question: Question) -> dict[int, int]:
    """Part → the relevance of its best evidence."""
    grade: dict[int, int] = {}
    for evidence in question.evidence:
        grade[evidence.part] = max(evidence.relevance, grade.get(evidence.part, 0))
    return grade


def _held(span: Span, passage: Passage, evidence: Sequence[Evidence]) -> int:
    """How many code points of ``span`` lie inside any of the evidence."""
    inside: set[int] = set()
    for item in evidence:
        if item.document_id == passage.citation.document_id:
            inside.update(range(max(span.start, item.start), min(span.end, item.end)))
    return len(inside)


def _normal(text: str) -> list[str]:
    """As SQuAD's official script does: lower case, no (ASCII) punctuation, no articles."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _f1(text: Sequence[str], answer: Sequence[str]) -> float:
    if not text or not answer:
        return float(text == answer)
    common = sum((Counter(text) & Counter(answer)).values())
    return 2 * common / (len(text) + len(answer))


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that apply; None if none does."""
    applying = [value for value in values if value is not None]
    return sum(applying) / len(applying) if applying else None
