"""The gate: compare a run with the baseline and the floors, and list the reasons to fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ragkit.errors import InputError, RagkitError
from ragkit.evaluation.measures import MEASURES
from ragkit.evaluation.report import Outcome, Report
from ragkit.evaluation.separation import separation_warning
from ragkit.evaluation.significance import Comparison, compare_values

__all__ = [
    "GATED",
    "GateError",
    "Verdict",
    "check_gate",
    "check_names",
    "compare_reports",
    "load_floors",
]

GATED = ("Success@1", "Success@5", "RR", "Recall@10", "containment", "abstention")
"""The measures whose significant drop fails the gate."""
_FLOOR_MEASURES = {*MEASURES, "citation validity", "AUROC"}


class GateError(RagkitError):
    """The evaluation gate fails; the message lists all reasons."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the gate.

    Attributes:
        checks: every check by name, in order, with the reason why it fails; None if it passes.
        comparisons: the gated measures in the baseline and in the run.
        changed: outcomes before and after of the questions whose rank or abstention changed.
        notes: what does not fail the gate: differences in configuration, and unanswerable questions
            that confidence cannot tell.

    """

    checks: Mapping[str, str | None]
    comparisons: tuple[Comparison, ...]
    changed: tuple[tuple[Outcome, Outcome], ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the gate fails; empty if it passes."""
        return tuple(reason for reason in self.checks.values() if reason)

    @property
    def passed(self) -> bool:
        """Whether there is no reason to fail."""
        return not self.reasons

    def check(self) -> None:
        """Raise an error unless the gate passes.

        Raises:
            GateError: the gate fails.

        """
        if self.reasons:
            raise GateError("the evaluation gate fails: " + "; ".join(self.reasons) + ".")


def check_gate(
    report: Report,
    baseline: Report,
    floors: Mapping[str, Any],
    *,
    bless: str = "ragkit eval bless",
    paraphrases: bool = False,
) -> Verdict:
    """Compare a run with the baseline and the floors.

    The gate fails if a gated measure drops significantly, a must-pass question fails, a citation or
    gold evidence does not resolve, a value is below its floor, or the question sets differ. A run
    equal to the baseline has no significant drop: the tests are deterministic.

    Args:
        report: the run.
        baseline: the recorded run over the same questions.
        floors: ``{"overall": {measure: value}, "categories": {category: {measure: value}}}``.
        bless: the command that records a baseline of what was run, for a message.
        paraphrases: leave out the check that every citation resolves, for a chatbot that cites in
            its own words. ragkit's own citations always resolve. A floor of ``citation validity``
            says how many must.

    """
    comparisons = compare_reports(baseline, report)
    gated = _Gated(report, baseline, {c.measure: c for c in comparisons}, bless)
    checks = _checks((o.id for o in report.outcomes if o.must_pass), floors)
    if paraphrases:
        del checks["citations"]
    return Verdict(
        checks={name: reason_of(gated) for name, reason_of in checks.items()},
        comparisons=tuple(comparisons),
        changed=_changed(baseline, report),
        notes=tuple(_notes(report, baseline)),
    )


def check_names(must_pass: Iterable[str], floors: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the checks that ``check_gate`` makes, without a run.

    Args:
        must_pass: ids of the must-pass questions, in the order of the set.
        floors: as ``check_gate`` takes them.

    """
    return tuple(_checks(must_pass, floors))


def compare_reports(before: Report, after: Report) -> list[Comparison]:
    """Compare the gated measures of two reports; p-values are adjusted together (Holm)."""
    return compare_values(
        {name: before.values(name) for name in GATED}, {name: after.values(name) for name in GATED}
    )


def load_floors(path: Path) -> dict[str, Any]:
    """Load floors from JSON.

    Returns:
        ``{"overall": {measure: value}, "categories": {category: {measure: value}}}``.

    Raises:
        InputError: the file cannot be read, has another form, or names an unknown measure.

    """
    try:
        floors = json.loads(path.read_text(encoding="utf-8"))
        overall, categories = floors.get("overall", {}), floors.get("categories", {})
        unknown = sorted(floors.keys() - {"overall", "categories"})
        for values in (overall, *categories.values()):
            unknown += sorted(values.keys() - _FLOOR_MEASURES)
            if not all(isinstance(value, (int, float)) for value in values.values()):
                raise TypeError(f"{values} are not all numbers")
        if unknown:
            raise ValueError(f"unknown names: {', '.join(unknown)}")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no valid floors ({type(error).__name__}: {error}); expected "
            f'{{"overall": {{measure: number}}, "categories": {{category: {{measure: number}}}}}}.'
        ) from error
    return {"overall": overall, "categories": categories}


class _Gated(NamedTuple):
    """What the checks look at: a run, its baseline, and the comparison of each gated measure."""

    report: Report
    baseline: Report
    comparisons: Mapping[str, Comparison]
    bless: str


def _checks(
    must_pass: Iterable[str], floors: Mapping[str, Any]
) -> dict[str, Callable[[_Gated], str | None]]:
    """Return the gate's checks by name; each returns a reason to fail, or None."""
    floors_of = {"overall": floors.get("overall", {}), **floors.get("categories", {})}
    return {
        "question set": _other_questions,
        "citations": _invalid_citations,
        "gold evidence": _unresolved_gold,
        **{f"must-pass {name}": partial(_failed_must_pass, name) for name in must_pass},
        **{f"{measure} against the baseline": partial(_drop, measure) for measure in GATED},
        **{
            f"floor of {measure} ({group})": partial(_below_floor, group, measure, floor)
            for group, values in floors_of.items()
            for measure, floor in values.items()
        },
    }


def _other_questions(gated: _Gated) -> str | None:
    before, after = gated.baseline.configuration, gated.report.configuration
    if before.questions == after.questions or _asked(gated.baseline) == _asked(gated.report):
        return None
    return (
        f"the question set differs from the baseline's; if that is intended, record a new one: "
        f"{gated.bless}"
    )


def _asked(report: Report) -> list[object]:
    """What was asked, with the gold as quotes: an edited document moves where they stand."""
    return [
        (
            o.id, o.question, o.answerable, o.must_pass, o.category, o.split,
            report.answers.get(o.id),
            [(e.document_id, e.quote, e.part, e.relevance) for e in report.gold.get(o.id, ())],
        )
        for o in report.outcomes
    ]  # fmt: skip


def _invalid_citations(gated: _Gated) -> str | None:
    wrong = [o.id for o in gated.report.outcomes if o.unresolved]
    return f"citations do not resolve for questions {', '.join(wrong[:5])}" if wrong else None


def _unresolved_gold(gated: _Gated) -> str | None:
    some = ", ".join(gated.report.unresolved_gold[:5])
    return f"gold evidence does not resolve in the corpus for {some}" if some else None


def _failed_must_pass(question_id: str, gated: _Gated) -> str | None:
    [outcome] = [o for o in gated.report.outcomes if o.id == question_id]
    return (
        None if outcome.passes else f"must-pass question {outcome.id} fails ({outcome.question!r})"
    )


def _drop(measure: str, gated: _Gated) -> str | None:
    c = gated.comparisons.get(measure)
    if c is None or c.difference >= 0 or not c.significant():
        return None
    return (
        f"{c.measure} fell significantly, {c.before:.3f} → {c.after:.3f} "
        f"(difference {c.difference:+.3f}, 95 % interval {c.low:+.3f} to {c.high:+.3f}, "
        f"adjusted p {c.adjusted:.4f})"
    )


def _below_floor(group: str, measure: str, floor: float, gated: _Gated) -> str | None:
    groups = {"overall": gated.report, **gated.report.by_category()}
    value = groups[group].summary().get(measure) if group in groups else None
    if value is not None and value >= floor:
        return None
    return f"{measure} of {group} is {_formatted(value)}, below its floor {floor}"


def _notes(report: Report, baseline: Report) -> Iterator[str]:
    yield from _configuration_changes(baseline, report)
    warning = separation_warning(report)
    if warning:
        yield warning


def _formatted(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"


def _configuration_changes(before: Report, after: Report) -> list[str]:
    old, new = asdict(before.configuration), asdict(after.configuration)
    return [f"{name}: {old[name]} → {new[name]}" for name in new if old[name] != new[name]]


def _changed(before: Report, after: Report) -> tuple[tuple[Outcome, Outcome], ...]:
    old = {o.id: o for o in before.outcomes}
    return tuple((old[o.id], o) for o in after.outcomes if o.id in old and _differs(old[o.id], o))


def _differs(one: Outcome, other: Outcome) -> bool:
    return (one.rank, one.answered) != (other.rank, other.answered)
