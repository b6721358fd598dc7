"""A report for people and for machines: terminal, Markdown, JUnit XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ragkit.evaluation.gate import Verdict
from ragkit.evaluation.lint import LintReport
from ragkit.evaluation.measures import MEASURES
from ragkit.evaluation.report import Outcome, Report
from ragkit.evaluation.significance import Comparison

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "WHOLE",
    "changed_lines",
    "comparison_table",
    "junit",
    "lint_table",
    "markdown",
    "report_tables",
    "shown",
]

WHOLE = ("citation validity", "AUROC", "AURC", "ECE", "Brier")
LOWER_IS_BETTER = frozenset({"AURC", "ECE", "Brier"})
_KEY = ("Success@1", "Success@3", "Success@5", "RR", "containment", "abstention")


def shown(value: float | None) -> str:
    """Three decimals, or a dash where a measure does not apply."""
    return "–" if value is None else f"{value:.3f}"


def report_tables(report: Report) -> Iterator[RenderableType]:
    """For a terminal: the measures, and the main ones by category."""
    from rich.table import Table

    table = Table(title=f"{report.name}: {len(report.outcomes)} questions", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in report.summary().items():
        table.add_row(name + (" ↓" if name in LOWER_IS_BETTER else ""), shown(value))
    latency = report.latency()
    if latency:
        table.add_row("latency p50 / p95", f"{latency['p50']:.1f} / {latency['p95']:.1f} ms")
    yield table
    groups = Table(title="By category", title_justify="left")
    groups.add_column("category")
    groups.add_column("n", justify="right")
    for name in _KEY:
        groups.add_column(name, justify="right")
    for category, part in report.by_category().items():
        summary = part.summary()
        groups.add_row(category, str(len(part.outcomes)), *(shown(summary[name]) for name in _KEY))
    yield groups


def comparison_table(comparisons: Sequence[Comparison]) -> RenderableType:
    """For a terminal: each measure before and after, with its interval and p-values."""
    from rich.table import Table

    table = Table(title="B − A, paired", title_justify="left")
    for column in _COMPARISON_COLUMNS:
        table.add_column(column, justify="left" if column == "measure" else "right")
    for comparison in comparisons:
        table.add_row(*_comparison_cells(comparison))
    return table


def lint_table(report: LintReport) -> RenderableType:
    """For a terminal: what the set holds."""
    from rich.table import Table

    table = Table(title="The question set", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_row("answerable", str(report.answerable))
    table.add_row("unanswerable", str(report.unanswerable))
    for split, number in report.splits.items():
        table.add_row(f"split {split}", str(number))
    for category, number in sorted(report.categories.items()):
        table.add_row(f"category {category}", str(number))
    table.add_row("mean word overlap with evidence", shown(report.overlap))
    table.add_row("smallest hit-rate difference to be seen", shown(report.detectable))
    return table


def changed_lines(changed: Sequence[tuple[Outcome, Outcome]]) -> Iterator[str]:
    """Each question that changed, with both top passages."""
    for before, after in changed:
        yield f"{after.id} ({after.category}): {after.question}"
        for name, outcome in (("before", before), ("after", after)):
            yield f"  {name}: rank {outcome.rank or '–'}, {_first(outcome)}"


def markdown(report: Report, verdict: Verdict | None = None) -> str:
    """A summary fit for a pull-request comment."""
    lines = [f"### ragkit eval: {report.name}, {len(report.outcomes)} questions", ""]
    if verdict:
        lines += ["**The gate passes.**" if verdict.passed else "**The gate fails:**", ""]
        lines += [f"- {_cell(reason)}" for reason in verdict.reasons]
        lines += [
            "",
            *_markdown_rows(_COMPARISON_COLUMNS, map(_comparison_cells, verdict.comparisons)),
        ]
        lines += _changed_markdown(verdict)
    summary = report.summary()
    rows = [(name, shown(summary[name])) for name in (*MEASURES, *WHOLE)]
    lines += ["", *_markdown_rows(("measure", "value"), rows), ""]
    groups = [
        (category, str(len(part.outcomes)), *(shown(part.summary()[name]) for name in _KEY))
        for category, part in report.by_category().items()
    ]
    lines += _markdown_rows(("category", "n", *_KEY), groups)
    c = report.configuration
    lines += [
        "",
        f"ragkit {c.library}, encoder {c.encoder[:16]}, index {c.index}, "
        f"questions {c.questions[:16]}",
    ]
    return "\n".join(lines) + "\n"


def junit(report: Report, verdict: Verdict | None = None) -> str:
    """JUnit XML: a test case a must-pass question and one for the gate itself.

    Ordinary questions are measured together, not one by one, so they are no test cases.
    """
    must = [o for o in report.outcomes if o.must_pass]
    suite = ET.Element("testsuite", name=f"ragkit eval {report.name}")
    for outcome in must:
        case = ET.SubElement(suite, "testcase", classname="ragkit.must_pass", name=outcome.id)
        if not outcome.passes:
            failure = ET.SubElement(case, "failure", message="its evidence is not first")
            failure.text = _xml(f"{outcome.question}\n{_first(outcome)}")
    if verdict:
        case = ET.SubElement(suite, "testcase", classname="ragkit.gate", name="gate")
        if not verdict.passed:
            failure = ET.SubElement(case, "failure", message=f"{len(verdict.reasons)} reasons")
            failure.text = _xml("\n".join(verdict.reasons))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"
    )


_COMPARISON_COLUMNS = (
    "measure", "A", "B", "B − A", "95 % interval", "p", "Holm", "McNemar", "detectable",
    "better/worse",
)  # fmt: skip


def _comparison_cells(c: Comparison) -> tuple[str, ...]:
    return (
        c.measure, shown(c.before), shown(c.after), f"{c.difference:+.3f}",
        f"{c.low:+.3f} … {c.high:+.3f}", f"{c.p:.4f}", f"{c.adjusted:.4f}",
        shown(c.mcnemar), shown(c.detectable), f"{c.better}/{c.worse}",
    )  # fmt: skip


def _first(outcome: Outcome) -> str:
    if not outcome.top:
        return "no passage"
    top = outcome.top[0]
    place = " › ".join(top.section) or "lead"
    return f"{place} [{top.start}:{top.end}] {' '.join(top.text.split())[:100]!r}"


def _changed_markdown(verdict: Verdict) -> list[str]:
    if not verdict.changed:
        return ["", "No question changed."]
    body = "\n".join(changed_lines(verdict.changed)).replace("```", "'''")
    title = f"{len(verdict.changed)} questions changed"
    return ["", f"<details><summary>{title}</summary>", "", "```", body, "```", "</details>"]


def _markdown_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or c >= " ")
