"""Measures of one answer to one question, and the mean of their values over a question set.

Values lie in [0, 1]; higher is better. None means that the measure does not apply to a question;
the mean skips None. A question without an answer scores 0 and stays in the mean. Names and
definitions follow ir_measures (MacAvaney et al. 2022, doi:10.1007/978-3-030-99739-7_38).

The functions take passages in rank order, best first. Evidence is grouped in parts: any evidence
of a part will do, and every part is needed.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

from ragkit.answering.answer import Answer, Passage
from ragkit.evaluation.questions import Evidence, Question
from ragkit.text.spans import Span

__all__ = [
    "DEPTH",
    "DIGITS",
    "MEASURES",
    "RETRIEVAL_MEASURES",
    "contains",
    "covered_parts",
    "covers",
    "exact_match",
    "gains",
    "mean",
    "ndcg",
    "recall",
    "reciprocal_rank",
    "score_answer",
    "success",
    "token_f1",
]

DEPTH = 10
"""Number of passages that a question retrieves and that the measures inspect."""

DIGITS = 6
"""Decimal digits of a value in a saved report; comparisons look at no more."""


def covers(passage: Passage, evidence: Evidence) -> bool:
    """Return whether a passage holds a piece of evidence.

    It does if ``2 · |passage ∩ evidence| ≥ min(|passage|, |evidence|)``, lengths in code points,
    in the same document. With one half, a sentence that a chunk boundary cuts belongs to one side;
    with the minimum, a chunk of a document that is evidence as a whole counts as well.
    """
    citation = passage.citation
    if citation.document_id != evidence.document_id:
        return False
    shorter = min(citation.end - citation.start, evidence.end - evidence.start)
    return 2 * citation.span.overlap(evidence.span) >= shorter > 0


def covered_parts(passage: Passage, question: Question) -> frozenset[int]:
    """Return the numbers of the parts of evidence that a passage holds."""
    return frozenset(e.part for e in question.evidence if covers(passage, e))


def gains(passages: Sequence[Passage], question: Question) -> list[int]:
    """Return the gain of each rank.

    The gain is the highest relevance of the parts that no earlier passage holds; 0 if there are
    none.
    """
    grade = _grades(question)
    seen: set[int] = set()
    gain: list[int] = []
    for passage in passages:
        new = covered_parts(passage, question) - seen
        gain.append(max((grade[part] for part in new), default=0))
        seen |= new
    return gain


def success(passages: Sequence[Passage], question: Question, k: int) -> float:
    """Success@k: 1 if any of the first k passages holds any evidence, else 0.

    Also called hit rate and hits@k. Recall@k is another measure; see ``recall``.
    """
    return float(any(covered_parts(p, question) for p in passages[:k]))


def recall(passages: Sequence[Passage], question: Question, k: int) -> float:
    """Recall@k: parts held by the first k passages / parts needed.

    Equals Success@k for a question with one part.
    """
    held = frozenset[int]().union(*(covered_parts(p, question) for p in passages[:k]))
    return len(held) / len(question.parts)


def reciprocal_rank(passages: Sequence[Passage], question: Question) -> float:
    """RR: 1 / rank of the first passage with evidence; 0 without one.

    Its mean over questions is MRR (Voorhees 1999).
    """
    for rank, passage in enumerate(passages, start=1):
        if covered_parts(passage, question):
            return 1 / rank
    return 0.0


def ndcg(passages: Sequence[Passage], question: Question, k: int = DEPTH) -> float:
    """nDCG@k: DCG@k / ideal DCG@k with DCG@k = Σ gain / log2(rank + 1).

    Järvelin & Kekäläinen 2002, doi:10.1145/582415.582418. Gains are linear, as in trec_eval, not
    2^relevance − 1. A part counts once, at the first passage that holds it.
    """
    dcg = sum(g / math.log2(i + 2) for i, g in enumerate(gains(passages[:k], question)))
    best = sorted(_grades(question).values(), reverse=True)[:k]
    return dcg / sum(g / math.log2(i + 2) for i, g in enumerate(best))


def span_precision(answer: Answer, question: Question) -> float:
    """Highlighted code points of the first passage inside evidence / all its highlighted ones."""
    spans = answer.passages[0].highlights
    inside = sum(_covered_length(s, answer.passages[0], question.evidence) for s in spans)
    return inside / max(1, sum(s.end - s.start for s in spans))


def span_recall(answer: Answer, question: Question) -> float:
    """Evidence code points that the first passage highlights / all evidence code points.

    Each part counts with its best evidence; the result is the mean over the parts.
    """
    best: dict[int, float] = dict.fromkeys(question.parts, 0.0)
    passage = answer.passages[0]
    for evidence in question.evidence:
        held = sum(_covered_length(span, passage, [evidence]) for span in passage.highlights)
        best[evidence.part] = max(best[evidence.part], held / len(evidence.quote))
    return sum(best.values()) / len(best)


def exact_match(text: str, answers: Sequence[str]) -> float:
    """Exact match: 1 if the text equals a gold answer after SQuAD's normalization, else 0.

    Rajpurkar et al. 2016, arXiv:1606.05250.
    """
    return float(any(_normalized(text) == _normalized(answer) for answer in answers))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """Token F1: the maximum over gold answers of 2PR / (P + R), P and R over normalized tokens.

    Rajpurkar et al. 2016, arXiv:1606.05250. A sentence scores low against a short gold answer, by
    construction; ``contains`` does not.
    """
    return max((_f1(_normalized(text), _normalized(answer)) for answer in answers), default=0.0)


def contains(text: str, answers: Sequence[str]) -> float:
    """Answer containment: 1 if a gold answer's tokens occur consecutively in the text, else 0.

    Tokens are compared whole: "7" is not in "1917". Also called answer accuracy and SubEM.
    """
    haystack = f" {' '.join(_normalized(text))} "
    return float(
        any(f" {' '.join(_normalized(a))} " in haystack for a in answers if _normalized(a))
    )


def score_answer(answer: Answer | None, question: Question) -> dict[str, float | None]:
    """Return the values of all measures for one answer.

    Args:
        answer: the answer, with up to ``DEPTH`` passages; None if there is none, which scores 0.
        question: the question, with its evidence and gold answers.

    Returns:
        A value in [0, 1] for each name in ``MEASURES``; None where the measure does not apply.
        ``short token F1`` is of ``answer.short``, 0 without one, and ``token F1`` of
        ``answer.text``. ``highlight`` is containment in the highlights of the first passage, and
        applies only to questions whose first passage holds evidence.

    """
    if not question.answerable:
        return dict.fromkeys(MEASURES, None) | {
            "abstention": float(bool(answer and not answer.answered))
        }
    values = _retrieval_values(answer.passages if answer else (), question)
    values |= _text_values(answer, question)
    values["abstention"] = float(bool(answer and answer.answered))
    return {name: values.get(name) for name in MEASURES}


RETRIEVAL_MEASURES = (
    "Success@1", "Success@3", "Success@5", "Success@10", "Recall@5", "Recall@10", "RR", "nDCG@10",
)  # fmt: skip
"""Names of the measures of the ranked passages."""

MEASURES = (
    *RETRIEVAL_MEASURES, "span precision", "span recall", "exact match", "token F1",
    "short token F1", "containment", "highlight", "abstention",
)  # fmt: skip
"""Names of the measures of one answer. ``abstention`` is 1 if answered = answerable, else 0."""


def _retrieval_values(passages: Sequence[Passage], question: Question) -> dict[str, float | None]:
    return {
        **{f"Success@{k}": success(passages, question, k) for k in (1, 3, 5, 10)},
        **{f"Recall@{k}": recall(passages, question, k) for k in (5, 10)},
        "RR": reciprocal_rank(passages, question),
        "nDCG@10": ndcg(passages, question),
    }


def _text_values(answer: Answer | None, question: Question) -> dict[str, float | None]:
    passages = answer.passages if answer else ()
    answered = answer if answer and answer.answered else None
    marked = answered if passages else None
    values: dict[str, float | None] = {
        "span precision": span_precision(marked, question) if marked else 0.0,
        "span recall": span_recall(marked, question) if marked else 0.0,
    }
    if question.answers:
        text = answered.text if answered else ""
        values["exact match"] = exact_match(text, question.answers)
        values["token F1"] = token_f1(text, question.answers)
        short = answered.short.quote if answered and answered.short else ""
        values["short token F1"] = token_f1(short, question.answers)
        values["containment"] = contains(text, question.answers)
        if passages and success(passages, question, 1):
            highlighted = " … ".join(passages[0].quote(span) for span in passages[0].highlights)
            values["highlight"] = contains(highlighted, question.answers)
    return values


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if all are."""
    applicable = [value for value in values if value is not None]
    return sum(applicable) / len(applicable) if applicable else None


def _grades(question: Question) -> dict[int, int]:
    """Map each part to the highest relevance of its evidence."""
    grade: dict[int, int] = {}
    for evidence in question.evidence:
        grade[evidence.part] = max(evidence.relevance, grade.get(evidence.part, 0))
    return grade


def _covered_length(span: Span, passage: Passage, evidence: Sequence[Evidence]) -> int:
    """Count the code points of ``span`` inside any of the evidence."""
    inside: set[int] = set()
    for item in evidence:
        if item.document_id == passage.citation.document_id:
            inside.update(range(max(span.start, item.start), min(span.end, item.end)))
    return len(inside)


def _normalized(text: str) -> list[str]:
    """Normalize as SQuAD's script does: lower case, no ASCII punctuation, no articles; split."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _f1(text: Sequence[str], answer: Sequence[str]) -> float:
    if not text or not answer:
        return float(text == answer)
    common = sum((Counter(text) & Counter(answer)).values())
    return 2 * common / (len(text) + len(answer))
