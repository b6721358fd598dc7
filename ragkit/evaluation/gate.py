"""The gate: does a run fall behind the blessed baseline, or break what must never break?"""

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


_FLOORED = {*MEASURES, "citation validity", "AUROC"}


class GateError(RagkitError):
    """The evaluation gate found a reason to stop; the message lists them all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the gate fails (empty: it passes), what it compared, and which questions changed."""

    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    changed: tuple[tuple[Outcome, Outcome], ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return not self.reasons

    def check(self) -> None:
        """Raise GateError unless the gate passes: the one line for a test of one's own."""
        if self.reasons:
            raise GateError("the evaluation gate fails: " + "; ".join(self.reasons) + ".")


def check_gate(report: Report, baseline: Report, floors: Mapping[str, Any]) -> Verdict:
    """Compare a run with the baseline over the same questions, and with the floors.

    It fails on a significant drop of a gated measure, a must-pass question that is not answered by
    the first passage, a citation or a piece of gold that does not resolve, or a value below its
    floor. An unchanged run passes, whatever the seeds.
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
            0, "the question set differs from the baseline's; if that is meant, bless it"
        )
    changed = _changed(baseline, report)
    return Verdict(tuple(reasons), tuple(comparisons), changed, notes)


def compare_reports(before: Report, after: Report) -> list[Comparison]:
    """Every gated measure in two reports, Holm-adjusted together."""
    return compare_values(
        {name: before.values(name) for name in GATED}, {name: after.values(name) for name in GATED}
    )


def load_floors(path: Path) -> dict[str, Any]:
    """``{"overall": {measure: value}, "categories": {category: {measure: value}}}``."""
    try:
        floors = json.loads(path.read_text(encoding="utf-8"))
        overall, categories = floors.get("overall", {}), floors.get("categories", {})
        unknown = sorted(floors.keys() - {"overall", "categories"})
        for values in (overall, *categories.values()):
            unknown += sorted(values.keys() - _FLOORED)
            if not all(isinstance(value, (int, float)) for value in values.values()):
                raise TypeError(f"{values} are not all numbers")
        if unknown:
            raise ValueError(f"there is nothing called {', '.join(unknown)}")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no floors ({type(error).__name__}: {error}); expected "
            f'{{"overall": {{measure: number}}, "categories": {{category: {{measure: number}}}}}}.'
        ) from error
    return {"overall": overall, "categories": categories}


def _invariants(report: Report) -> list[str]:
    reasons = []
    if report.citation_validity < 1:
        wrong = [o.id for o in report.outcomes if o.unresolved]
        reasons.append(f"citations do not resolve for {', '.join(wrong[:5])}")
    if report.unresolved_gold:
        some = ", ".join(report.unresolved_gold[:5])
        reasons.append(f"gold evidence does not resolve in the corpus for {some}")
    return reasons


def _must_pass(report: Report) -> list[str]:
    return [
        f"must-pass question {o.id} is broken ({o.question!r})"
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
    wanted = {"overall": floors.get("overall", {}), **floors.get("categories", {})}
    return [
        f"{measure} of {group} is {_shown(value)}, under its floor {floor}"
        for group, values in wanted.items()
        for measure, floor in values.items()
        if (value := groups[group].summary().get(measure) if group in groups else None) is None
        or value < floor
    ]


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"


def _configuration_changes(before: Report, after: Report) -> list[str]:
    old, new = asdict(before.configuration), asdict(after.configuration)
    return [f"{name}: {old[name]} → {new[name]}" for name in new if old[name] != new[name]]


def _changed(before: Report, after: Report) -> tuple[tuple[Outcome, Outcome], ...]:
    old = {o.id: o for o in before.outcomes}
    return tuple((old[o.id], o) for o in after.outcomes if o.id in old and _differs(old[o.id], o))


def _differs(one: Outcome, other: Outcome) -> bool:
    return (one.rank, one.answered) != (other.rank, other.answered)
