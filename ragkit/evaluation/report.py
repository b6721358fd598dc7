"""A run's outcome: every question's values and top passages, the sums, and what made it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ragkit.answering.answer import Answer, Passage
from ragkit.errors import InputError
from ragkit.evaluation import measures as m
from ragkit.evaluation.formats import Qrels, Run
from ragkit.evaluation.questions import Evidence, Question, QuestionSet
from ragkit.types import Document

__all__ = [
    "Configuration",
    "Outcome",
    "Report",
    "Top",
    "evaluate",
    "load_report",
    "to_qrels",
    "to_run",
]

Asker = Callable[[str], Answer]
"""What is evaluated: a question in, an Answer with up to 10 passages out."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Configuration:
    """What made a run, so that two runs are only compared knowingly."""

    library: str
    encoder: str
    chunker: Mapping[str, Any]
    index: str
    questions: str


@dataclass(frozen=True, slots=True)
class Top:
    """One retrieved passage, as far as a report needs it. ``covers``: parts of evidence held."""

    document_id: str
    section: tuple[str, ...]
    start: int
    end: int
    score: float
    text: str
    covers: tuple[int, ...]
    why: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question's answer, measured. ``rank`` is the first passage with evidence, None if none.

    ``citations``: how many there are, and how many do not resolve in their document.
    """

    id: str
    question: str
    category: str
    section: tuple[str, ...]
    split: str
    answerable: bool
    must_pass: bool
    answered: bool
    confidence: float
    text: str
    rank: int | None
    values: Mapping[str, float | None]
    citations: int
    unresolved: int
    top: tuple[Top, ...]

    @property
    def correct(self) -> bool:
        """The event that confidence is about: the question is answerable and rank 1 holds it."""
        return self.answerable and self.values["Success@1"] == 1.0

    @property
    def passes(self) -> bool:
        """What is asked of a must-pass question: evidence first, or abstention where due."""
        return self.correct if self.answerable else self.values["abstention"] == 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes in the set's order. ``latencies`` are seconds a question, in the same order."""

    name: str
    configuration: Configuration
    outcomes: tuple[Outcome, ...]
    gold: Mapping[str, tuple[Evidence, ...]]
    answers: Mapping[str, tuple[str, ...]]
    unresolved_gold: tuple[str, ...] = ()
    latencies: tuple[float, ...] = ()

    def values(self, measure: str) -> dict[str, float]:
        """Question id → value, for the questions that the measure applies to."""
        found = ((o.id, o.values[measure]) for o in self.outcomes)
        return {name: value for name, value in found if value is not None}

    def summary(self) -> dict[str, float | None]:
        """Every measure's mean, and the measures of the set as a whole."""
        outcomes = self.outcomes
        means = {name: m.mean([o.values[name] for o in outcomes]) for name in m.MEASURES}
        confidence = [o.confidence for o in outcomes]
        correct = [o.correct for o in outcomes]
        whole: dict[str, float | None] = {
            "citation validity": self.citation_validity,
            "AUROC": m.area_under_roc(confidence, [o.answerable for o in outcomes]),
            "AURC": m.area_under_risk_coverage(confidence, correct),
            "ECE": m.expected_calibration_error(confidence, correct),
            "Brier": m.brier(confidence, correct),
        }
        return means | whole

    @property
    def citation_validity(self) -> float:
        """The fraction of citations with ``document.text[start:end] == quote``; must be 1.0."""
        total = sum(o.citations for o in self.outcomes)
        return 1.0 if not total else 1 - sum(o.unresolved for o in self.outcomes) / total

    def latency(self) -> dict[str, float] | None:
        """Milliseconds of one warm ask: p50 and p95. None if it was not timed."""
        if not self.latencies:
            return None
        p50, p95 = np.percentile(np.asarray(self.latencies) * 1000, [50, 95])
        return {"p50": float(p50), "p95": float(p95)}

    def grouped(self, key: Callable[[Outcome], str]) -> dict[str, Report]:
        """A report for each group, in order of first appearance."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(key(outcome), []).append(outcome)
        return {
            name: replace(self, name=name, outcomes=tuple(found), latencies=())
            for name, found in groups.items()
        }

    def by_category(self) -> dict[str, Report]:
        return self.grouped(lambda o: o.category or "(none)")

    def by_section(self) -> dict[str, Report]:
        return self.grouped(lambda o: " › ".join(o.section) or "(lead or none)")

    def failures(self) -> Iterator[Outcome]:
        """Outcomes whose first passage holds no evidence, or that were wrongly (not) answered."""
        for outcome in self.outcomes:
            if (outcome.answerable and outcome.rank != 1) or outcome.values["abstention"] != 1.0:
                yield outcome

    def to_dict(self, *, depth: int = m.DEPTH, timed: bool = True) -> dict[str, Any]:
        """JSON-ready, ``depth`` passages a question; without ``timed`` it is deterministic."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "name": self.name,
            "configuration": asdict(self.configuration),
            "summary": _rounded(self.summary()),
            "unresolved_gold": list(self.unresolved_gold),
            "outcomes": [_outcome_to_dict(o, depth) for o in self.outcomes],
            "gold": {name: [asdict(e) for e in gold] for name, gold in self.gold.items()},
            "answers": {name: list(answers) for name, answers in self.answers.items()},
        }
        return content | ({"latencies": list(self.latencies)} if timed else {})


def evaluate(
    questions: QuestionSet,
    ask: Asker,
    *,
    documents: Mapping[str, Document],
    configuration: Configuration,
    converse: Callable[[], Asker] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Ask every question once, one after the other, and measure the answers.

    ``converse`` begins a conversation: given one, a turn is asked as the person typed it, of the
    conversation it belongs to; without, every turn is asked alone, in its standalone wording.

    ``ask`` should return ``measures.DEPTH`` passages; it is timed, so warm it up before. Raises
    InputError for an empty set, or an answerable question without evidence.
    """
    _refuse_unmeasurable(questions)
    outcomes: list[Outcome] = []
    latencies: list[float] = []
    talk: tuple[str, Asker] | None = None
    for number, question in enumerate(questions, start=1):
        asker, text = ask, question.text
        if converse and question.conversation is not None:
            if talk is None or talk[0] != question.conversation:
                talk = question.conversation, converse()
            asker, text = talk[1], question.asked or question.text
        start = perf_counter()
        answer = asker(text)
        latencies.append(perf_counter() - start)
        outcomes.append(_outcome(question, answer, documents))
        if progress:
            progress(number, len(questions))
    return Report(
        name=questions.name,
        configuration=configuration,
        outcomes=tuple(outcomes),
        gold={q.id: q.evidence for q in questions},
        answers={q.id: q.answers for q in questions},
        unresolved_gold=tuple(q.id for q in questions if not _resolves(q, documents)),
        latencies=tuple(latencies),
    )


def _refuse_unmeasurable(questions: QuestionSet) -> None:
    bare = [q.id for q in questions if q.answerable and not q.evidence]
    if bare or not len(questions):
        what = f"no evidence for the answerable {', '.join(bare[:3])}" if bare else "no question"
        raise InputError(
            f"{questions.name} has {what}; expected questions with gold. See: ragkit eval lint"
        )


def load_report(path: Path) -> Report:
    """A report saved as JSON. Raises InputError if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, expected {FORMAT}")
        return _report_from(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no evaluation report ({type(error).__name__}: {error}). "
            f"Make one: ragkit eval run --save {path}"
        ) from error


def to_qrels(report: Report) -> Qrels:
    """Gold as TREC qrels. A part of a question's evidence is one judged item, ``QUESTION/PART``."""
    return {
        name: {f"{name}/{e.part}": e.relevance for e in gold}
        for name, gold in report.gold.items()
        if gold
    }


def to_run(report: Report) -> Run:
    """Rankings as a TREC run: a passage that is first to hold a part bears that part's name.

    Evaluating it against ``to_qrels`` with any TREC tool gives this report's values, wherever no
    passage is first to hold two parts at once. Ranks, not scores, order a run's lines here.
    """
    run: Run = {}
    for outcome in report.outcomes:
        seen: set[int] = set()
        ranked: dict[str, float] = {}
        for rank, top in enumerate(outcome.top):
            new = sorted(set(top.covers) - seen)
            name = f"{outcome.id}/{new[0]}" if new else f"{top.document_id}#{top.start}-{top.end}"
            ranked[name] = float(len(outcome.top) - rank)
            seen.update(new)
        run[outcome.id] = ranked
    return run


def _outcome(
    question: Question, answer: Answer | None, documents: Mapping[str, Document]
) -> Outcome:
    passages: Sequence[Passage] = answer.passages[: m.DEPTH] if answer else ()
    held = [m.covered_parts(p, question) for p in passages]
    return Outcome(
        id=question.id,
        question=question.text,
        category=question.category,
        section=question.section,
        split=question.split,
        answerable=question.answerable,
        must_pass=question.must_pass,
        answered=bool(answer and answer.answered),
        confidence=answer.confidence if answer else 0.0,
        text=answer.text if answer else "",
        rank=next((i for i, parts in enumerate(held, start=1) if parts), None),
        values=m.score_answer(answer, question),
        citations=len(passages),
        unresolved=sum(not _is_valid(p, documents) for p in passages),
        top=tuple(_top(p, parts) for p, parts in zip(passages, held, strict=True)),
    )


def _top(passage: Passage, parts: frozenset[int]) -> Top:
    c = passage.citation
    return Top(
        c.document_id, c.section, c.start, c.end, passage.score, passage.text,
        tuple(sorted(parts)), dict(passage.signals),
    )  # fmt: skip


def _is_valid(passage: Passage, documents: Mapping[str, Document]) -> bool:
    citation = passage.citation
    document = documents.get(citation.document_id)
    return document is not None and document.text[citation.start : citation.end] == citation.quote


def _resolves(question: Question, documents: Mapping[str, Document]) -> bool:
    return all(
        e.document_id in documents and documents[e.document_id].text[e.start : e.end] == e.quote
        for e in question.evidence
    )


def _rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if v is None else round(v, 6) for name, v in values.items()}


def _outcome_to_dict(outcome: Outcome, depth: int) -> dict[str, Any]:
    content = {
        name: getattr(outcome, name)
        for name in Outcome.__slots__
        if name not in ("values", "top", "section")
    }
    content["confidence"] = round(outcome.confidence, 6)
    content["section"] = list(outcome.section)
    content["values"] = _rounded(outcome.values)
    content["top"] = [_top_to_dict(top) for top in outcome.top[:depth]]
    return content


def _top_to_dict(top: Top) -> dict[str, Any]:
    rounded = {name: round(value, 6) for name, value in top.why.items()}
    return {**asdict(top), "score": round(top.score, 6), "why": rounded}


def _report_from(content: Mapping[str, Any]) -> Report:
    return Report(
        name=content["name"],
        configuration=Configuration(**content["configuration"]),
        outcomes=tuple(_outcome_from(o) for o in content["outcomes"]),
        gold={name: tuple(Evidence(**e) for e in gold) for name, gold in content["gold"].items()},
        answers={name: tuple(answers) for name, answers in content["answers"].items()},
        unresolved_gold=tuple(content["unresolved_gold"]),
        latencies=tuple(content.get("latencies", ())),
    )


def _outcome_from(content: Mapping[str, Any]) -> Outcome:
    top = tuple(
        Top(**{**t, "section": tuple(t["section"]), "covers": tuple(t["covers"])})
        for t in content["top"]
    )
    values = {name: content["values"][name] for name in m.MEASURES}
    section = tuple(content["section"])
    return Outcome(**{**content, "section": section, "top": top, "values": values})
