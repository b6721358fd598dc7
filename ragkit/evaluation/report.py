"""The report of a run: passages and values of every question, their means, the configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ragkit.errors import InputError
from ragkit.evaluation.confidence_measures import (
    area_under_risk_coverage,
    area_under_roc,
    brier,
    expected_calibration_error,
)
from ragkit.evaluation.formats import Qrels, Run
from ragkit.evaluation.measures import DEPTH, DIGITS, MEASURES, mean
from ragkit.evaluation.questions import Evidence
from ragkit.evaluation.tables import formatted, html_table, measure_rows

__all__ = [
    "CONFIDENCE_MEASURES",
    "Configuration",
    "Outcome",
    "Report",
    "RetrievedPassage",
    "load_report",
    "to_qrels",
    "to_run",
]

FORMAT = 1

CONFIDENCE_MEASURES = ("AUROC", "AURC", "ECE", "Brier")
"""Names of the measures of confidence, which are of a question set as a whole."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The versions behind a run; a comparison of two runs lists those that differ.

    Attributes:
        library: version of ragkit.
        encoder: digest of the encoder's fingerprint.
        chunker: the chunker's settings.
        index: generation of the index.
        questions: checksum of the question set.
        chatbot: name of the chatbot that was asked in place of the index; empty if none was.

    """

    library: str
    encoder: str
    chunker: Mapping[str, Any]
    index: str
    questions: str
    chatbot: str = ""


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """One retrieved passage.

    Attributes:
        document_id: id of its document.
        section: heading path of its section, outermost first.
        start: its first code point in the document's text.
        end: one past its last code point.
        score: similarity to the question; higher is better.
        text: its text.
        covers: numbers of the parts of evidence that it holds.
        why: the summands of the score, by name.

    """

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
    """One question, its answer and its values.

    Attributes:
        id: id of the question.
        question: its text.
        category: its category; may be empty.
        section: heading path of its first evidence.
        split: ``dev`` or ``test``.
        answerable: whether the corpus answers it.
        must_pass: whether the gate fails unless this question passes.
        answered: whether the library answered instead of abstaining.
        confidence: confidence of the answer, in [0, 1].
        text: text of the answer.
        rank: rank, from 1, of the first passage with evidence; None if no passage has any.
        values: value of each measure; None where it does not apply.
        citations: number of citations.
        unresolved: number of citations whose quote is not at their span.
        top: the passages, best first.

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
    top: tuple[RetrievedPassage, ...]

    @property
    def correct(self) -> bool:
        """Whether the question is answerable and the first passage holds evidence.

        Confidence estimates the probability of this event.
        """
        return self.answerable and self.values["Success@1"] == 1.0

    @property
    def passes(self) -> bool:
        """Whether the first passage holds evidence; if unanswerable, whether it abstained.

        If no passages could be measured, whether the text contains a gold answer.
        """
        if not self.answerable:
            return self.values["abstention"] != 0.0
        by_text = self.values["Success@1"] is None
        return self.values["containment"] == 1.0 if by_text else self.correct


@dataclass(frozen=True, slots=True)
class Report:
    """A run over a question set.

    Attributes:
        name: name of the question set.
        configuration: versions behind the run.
        outcomes: an outcome for each question, in the order of the set.
        gold: evidence by question id.
        answers: gold answers by question id.
        unresolved_gold: ids of questions whose evidence is not at its span in the corpus.
        latencies: seconds of each question, in the order of ``outcomes``; empty if not measured.
        absent: measures that the answers do not allow, with the reason; their value is None.

    """

    name: str
    configuration: Configuration
    outcomes: tuple[Outcome, ...]
    gold: Mapping[str, tuple[Evidence, ...]]
    answers: Mapping[str, tuple[str, ...]]
    unresolved_gold: tuple[str, ...] = ()
    latencies: tuple[float, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def without(self, absent: Mapping[str, str]) -> Report:
        """Return the report without some measures, for each of which there is a reason."""
        outcomes = (
            replace(o, values={n: None if n in absent else v for n, v in o.values.items()})
            for o in self.outcomes
        )
        return replace(self, outcomes=tuple(outcomes), absent={**self.absent, **absent})

    def values(self, measure: str) -> dict[str, float]:
        """Return ``{question id: value}`` for the questions to which the measure applies."""
        values = ((o.id, o.values[measure]) for o in self.outcomes)
        return {name: value for name, value in values if value is not None}

    def summary(self) -> dict[str, float | None]:
        """Return the mean of each measure, then the measures of the set as a whole."""
        outcomes = self.outcomes
        means = {name: mean([o.values[name] for o in outcomes]) for name in MEASURES}
        confidence = [o.confidence for o in outcomes]
        correct = [o.correct for o in outcomes]
        whole: dict[str, float | None] = {
            "citation validity": self.citation_validity,
            "AUROC": area_under_roc(confidence, [o.answerable for o in outcomes]),
            "AURC": area_under_risk_coverage(confidence, correct),
            "ECE": expected_calibration_error(confidence, correct),
            "Brier": brier(confidence, correct),
        }
        return means | {n: None if n in self.absent else value for n, value in whole.items()}

    @property
    def citation_validity(self) -> float:
        """Fraction of citations with ``document.text[start:end] == quote``; must be 1."""
        total = sum(o.citations for o in self.outcomes)
        return 1.0 if not total else 1 - sum(o.unresolved for o in self.outcomes) / total

    def latency(self) -> dict[str, float] | None:
        """Return the percentiles ``p50`` and ``p95`` in milliseconds; None if not measured."""
        if not self.latencies:
            return None
        p50, p95 = np.percentile(np.asarray(self.latencies) * 1000, [50, 95])
        return {"p50": float(p50), "p95": float(p95)}

    def grouped(self, key: Callable[[Outcome], str]) -> dict[str, Report]:
        """Return a report for each value of ``key``, in order of first appearance."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(key(outcome), []).append(outcome)
        return {
            name: replace(self, name=name, outcomes=tuple(outcomes), latencies=())
            for name, outcomes in groups.items()
        }

    def by_category(self) -> dict[str, Report]:
        """Return a report for each category."""
        return self.grouped(lambda o: o.category or "(none)")

    def by_section(self) -> dict[str, Report]:
        """Return a report for each section of the corpus."""
        return self.grouped(lambda o: " › ".join(o.section) or "(lead or none)")

    def failures(self) -> Iterator[Outcome]:
        """Yield the outcomes to look at.

        Their first passage holds no evidence, or they are answered though unanswerable, or not
        answered though answerable.
        """
        for outcome in self.outcomes:
            if not outcome.passes or outcome.values["abstention"] == 0.0:
                yield outcome

    def _repr_html_(self) -> str:
        """Return the measures, and the main ones by category, as tables for a notebook."""
        main = ("Success@1", "Success@5", "RR", "abstention")
        groups = [
            (name, str(len(part.outcomes)), *(formatted(part.summary()[m]) for m in main))
            for name, part in self.by_category().items()
        ]
        measured = [(name, value) for name, value in self.summary().items() if value is not None]
        title = f"{self.name}: {len(self.outcomes)} questions"
        return (
            f"<div><p><strong>{escape(title)}</strong></p>"
            f"{html_table(('measure', 'value'), measure_rows(measured))}"
            f"{html_table(('category', 'n', *main), groups)}</div>"
        )

    def to_dict(self, *, depth: int = DEPTH, timed: bool = True) -> dict[str, Any]:
        """Return the report for JSON.

        Args:
            depth: number of passages to include for each question.
            timed: whether to include latencies; without them equal runs give equal content.

        """
        content: dict[str, Any] = {
            "format": FORMAT,
            "name": self.name,
            "configuration": _configuration_to_dict(self.configuration),
            "summary": _rounded_values(self.summary()),
            "unresolved_gold": list(self.unresolved_gold),
            "outcomes": [_outcome_to_dict(o, depth) for o in self.outcomes],
            "gold": {name: [asdict(e) for e in gold] for name, gold in self.gold.items()},
            "answers": {name: list(answers) for name, answers in self.answers.items()},
        }
        content |= {"absent": dict(self.absent)} if self.absent else {}
        return content | ({"latencies": list(self.latencies)} if timed else {})


def load_report(path: Path) -> Report:
    """Load a report that was saved as JSON.

    Raises:
        InputError: the file cannot be read, or is not a report of this format.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, expected {FORMAT}")
        return _report_from(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not an evaluation report ({type(error).__name__}: {error}); expected what "
            f"`ragkit eval run --save FILE` writes. Create one in another file."
        ) from error


def to_qrels(report: Report) -> Qrels:
    """Return the gold as TREC qrels; each part of evidence is one item, ``QUESTION/PART``."""
    return {
        name: {f"{name}/{e.part}": e.relevance for e in gold}
        for name, gold in report.gold.items()
        if gold
    }


def to_run(report: Report) -> Run:
    """Return the rankings as a TREC run.

    The first passage that holds a part has the id ``QUESTION/PART``; any other passage has
    ``DOCUMENT#START-END``. Scores fall by 1 from rank to rank. With ``to_qrels``,
    any TREC tool computes this report's values, except for questions where one passage is the
    first to hold several parts.
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


def _rounded_values(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if v is None else round(v, DIGITS) for name, v in values.items()}


def _configuration_to_dict(configuration: Configuration) -> dict[str, Any]:
    """Return the fields; no ``chatbot`` without one, so that older versions can load the report."""
    content = asdict(configuration)
    return (
        content if configuration.chatbot else {n: v for n, v in content.items() if n != "chatbot"}
    )


def _outcome_to_dict(outcome: Outcome, depth: int) -> dict[str, Any]:
    content = {
        name: getattr(outcome, name)
        for name in Outcome.__slots__
        if name not in ("values", "top", "section")
    }
    content["confidence"] = round(outcome.confidence, DIGITS)
    content["section"] = list(outcome.section)
    content["values"] = _rounded_values(outcome.values)
    content["top"] = [_passage_to_dict(passage) for passage in outcome.top[:depth]]
    return content


def _passage_to_dict(passage: RetrievedPassage) -> dict[str, Any]:
    rounded = {name: round(value, DIGITS) for name, value in passage.why.items()}
    return {**asdict(passage), "score": round(passage.score, DIGITS), "why": rounded}


def _report_from(content: Mapping[str, Any]) -> Report:
    return Report(
        name=content["name"],
        configuration=Configuration(**content["configuration"]),
        outcomes=tuple(_outcome_from(o) for o in content["outcomes"]),
        gold={name: tuple(Evidence(**e) for e in gold) for name, gold in content["gold"].items()},
        answers={name: tuple(answers) for name, answers in content["answers"].items()},
        unresolved_gold=tuple(content["unresolved_gold"]),
        latencies=tuple(content.get("latencies", ())),
        absent=content.get("absent", {}),
    )


def _outcome_from(content: Mapping[str, Any]) -> Outcome:
    top = tuple(
        RetrievedPassage(**{**t, "section": tuple(t["section"]), "covers": tuple(t["covers"])})
        for t in content["top"]
    )
    values = {name: content["values"].get(name) for name in MEASURES}
    section = tuple(content["section"])
    return Outcome(**{**content, "section": section, "top": top, "values": values})
