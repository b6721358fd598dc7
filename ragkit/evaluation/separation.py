"""How well confidence tells answerable questions from unanswerable ones, as a whole and by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ragkit.evaluation.confidence_measures import area_under_roc, area_under_roc_interval
from ragkit.evaluation.report import Outcome, Report

__all__ = ["Separation", "separation", "separation_by_category", "separation_warning"]

SEPARABLE = 0.6
"""AUROC that confidence has to reach, within its interval, to tell unanswerable questions."""


@dataclass(frozen=True, slots=True)
class Separation:
    """The AUROC of confidence between answerable and unanswerable questions.

    Attributes:
        n: number of unanswerable questions.
        auroc: 0.5 is chance; below it, unanswerable questions get the higher confidence.
        low: lower end of the 95 % interval of ``auroc``.
        high: its upper end.

    """

    n: int
    auroc: float
    low: float
    high: float


def separation(report: Report) -> Separation | None:
    """Compare all answerable questions of a run with all others.

    Returns:
        None if the set has only one of both, or the answers have no confidence.

    """
    return _separation(report, (o for o in report.outcomes if not o.answerable))


def separation_by_category(report: Report) -> dict[str, Separation]:
    """Compare all answerable questions with each category of unanswerable ones.

    It shows which kind of unanswerable question is told from answerable ones, and which is not.
    """
    groups = report.grouped(lambda o: "" if o.answerable else o.category or "(none)")
    separations = {n: _separation(report, part.outcomes) for n, part in groups.items() if n}
    return {name: one for name, one in separations.items() if one}


def separation_warning(report: Report) -> str | None:
    """Return a warning if the whole interval over all unanswerable questions is below 0.6."""
    one = separation(report)
    if one is None or one.high >= SEPARABLE:
        return None
    return (
        f"confidence cannot tell the unanswerable questions of this set: AUROC {one.auroc:.2f}, "
        f"95 % interval {one.low:.2f} to {one.high:.2f}, all of it below {SEPARABLE}. Do not rely "
        f"on abstention for them; if the reader is off, turn it on."
    )


def _separation(report: Report, unanswerable: Iterable[Outcome]) -> Separation | None:
    real = [o.confidence for o in report.outcomes if o.answerable]
    others = [o.confidence for o in unanswerable]
    auroc = area_under_roc(real + others, [True] * len(real) + [False] * len(others))
    if auroc is None or "AUROC" in report.absent:
        return None
    return Separation(len(others), auroc, *area_under_roc_interval(auroc, len(real), len(others)))
