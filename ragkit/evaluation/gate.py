"""The gate: compare a run with the baseline and the floors, and list the reasons to fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ragkit.errors import InputError, RagkitError
from ragkit.evaluation.measures import MEASURES
from ragkit.evaluation.report import Outcome, Report
from ragkit.evaluation.significance import Comparison, compare_values

__all__ = ["GATED", "GateError", "Verdict", "check_gate", "compare_reports", "load_floors"]

GATED = ("Success@1", "Success@5", "RR", "Recall@10", "containment", "abstention")
"""The measures whose significant drop fails the gate."""
_FLOOR_MEASURES = {*MEASURES, "citation validity", "AUROC"}


class GateError(RagkitError):
    """The evaluation gate fails; the message lists all reasons."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the gate.

    Attributes:
        reasons: why it fails; empty if it passes.
        comparisons: the gated measures in the baseline and in the run.
        changed: outcomes before and after of the questions whose rank or abstention changed.
        notes: differences in configuration, which do not fail the gate.

    """

    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    changed: tuple[tuple[Outcome, Outcome], ...]
    notes: tuple[str, ...] = field(default=())

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


def check_gate(report: Report, baseline: Report, floors: Mapping[str, Any]) -> Verdict:
    """Compare a run with the baseline and the floors.

    The gate fails if a gated measure drops significantly, a must-pass question fails, a citation or
    gold evidence does not resolve, a value is below its floor, or the question sets differ. A run
    equal to the baseline has no significant drop: the tests are deterministic.

    Args:
        report: the run.
        baseline: the recorded run over the same questions.
        floors: ``{"overall": {measure: value}, "categories": {category: {measure: value}}}``.

    """
    comparisons = compare_reports(baseline, report)
    reasons = [
        *_invariants(report),
        *_must_pass(report),
        *_drops(comparisons),
        *_floors(report, floors),
    ]
    notes = tuple(_configuration_changes(baseline, report))
    if baseline.configuration.questions != report.configuration.questions:
        reasons.insert(
            0,
            "the question set differs from the baseline's; if that is intended, run: "
            "ragkit eval bless",
        )
    changed = _changed(baseline, report)
    return Verdict(tuple(reasons), tuple(comparisons), changed, notes)


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


def _invariants(report: Report) -> list[str]:
    reasons = []
    if report.citation_validity < 1:
        wrong = [o.id for o in report.outcomes if o.unresolved]
        reasons.append(f"citations do not resolve for questions {', '.join(wrong[:5])}")
    if report.unresolved_gold:
        some = ", ".join(report.unresolved_gold[:5])
        reasons.append(f"gold evidence does not resolve in the corpus for {some}")
    return reasons


def _must_pass(report: Report) -> list[str]:
    return [
        f"must-pass question {o.id} fails ({o.question!r})"
        for o in report.outcomes
        if o.must_pass and not o.passes
    ]


def _drops(comparisons: list[Comparison]) -> list[str]:
    return [
        f"{c.measure} fell significantly, {c.before:.3f} → {c.after:.3f} "
        f"(difference {c.difference:+.3f}, 95 % interval {c.low:+.3f} to {c.high:+.3f}, "
        f"adjusted p {c.adjusted:.4f})"
        for c in comparisons
        if c.difference < 0 and c.significant()
    ]


def _floors(report: Report, floors: Mapping[str, Any]) -> list[str]:
    groups = {"overall": report, **report.by_category()}
    floors_of = {"overall": floors.get("overall", {}), **floors.get("categories", {})}
    return [
        f"{measure} of {group} is {_formatted(value)}, below its floor {floor}"
        for group, values in floors_of.items()
        for measure, floor in values.items()
        if (value := groups[group].summary().get(measure) if group in groups else None) is None
        or value < floor
    ]


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
