"""Render reports for a terminal, as Markdown and as JUnit XML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ragkit.evaluation.gate import Verdict
from ragkit.evaluation.history import History
from ragkit.evaluation.lint import LintReport
from ragkit.evaluation.measures import MEASURES
from ragkit.evaluation.report import Outcome, Report
from ragkit.evaluation.separation import separation_by_category, separation_warning
from ragkit.evaluation.significance import Comparison
from ragkit.evaluation.tables import formatted, measure_rows
from ragkit.evaluation.trend import trend_line

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "SET_MEASURES",
    "SLICES",
    "SLICE_COLUMNS",
    "absent_lines",
    "changed_lines",
    "comparison_table",
    "junit",
    "lint_table",
    "markdown",
    "report_tables",
    "slice_rows",
]

SET_MEASURES = ("citation validity", "AUROC", "AURC", "ECE", "Brier")
"""Names of the measures of a question set as a whole."""
SLICES = "Confidence: answerable against unanswerable questions"
SLICE_COLUMNS = ("unanswerable questions", "n", "AUROC", "95 % interval")
_CATEGORY_MEASURES = ("Success@1", "Success@3", "Success@5", "RR", "containment", "abstention")


def report_tables(report: Report) -> Iterator[RenderableType]:
    """Yield tables for a terminal: all measures, and the main measures by category."""
    from rich.table import Table

    table = Table(title=f"{report.name}: {len(report.outcomes)} questions", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in measure_rows(report.summary().items()):
        table.add_row(name, value)
    latency = report.latency()
    if latency:
        table.add_row("latency p50 / p95", f"{latency['p50']:.1f} / {latency['p95']:.1f} ms")
    yield table
    yield from absent_lines(report)
    groups = Table(title="By category", title_justify="left")
    groups.add_column("category")
    groups.add_column("n", justify="right")
    for name in _CATEGORY_MEASURES:
        groups.add_column(name, justify="right")
    for row in _category_rows(report):
        groups.add_row(*row)
    yield groups
    slices = Table(title=SLICES, title_justify="left")
    slices.add_column("unanswerable questions")
    slices.add_column("n", justify="right")
    slices.add_column("AUROC", justify="right")
    slices.add_column("95 % interval", justify="right")
    for row in slice_rows(report):
        slices.add_row(*row)
    if slices.row_count:
        yield slices
    warning = separation_warning(report)
    if warning:
        yield warning


def absent_lines(report: Report) -> Iterator[str]:
    """Yield a line for each reason why measures are absent, with the measures."""
    names: dict[str, list[str]] = {}
    for measure, reason in report.absent.items():
        names.setdefault(reason, []).append(measure)
    for reason, measures in names.items():
        yield f"Not measured, since {reason}: {', '.join(measures)}."


def comparison_table(comparisons: Sequence[Comparison]) -> RenderableType:
    """Return a table for a terminal: each measure before and after, its interval and p-values."""
    from rich.table import Table

    table = Table(title="Paired comparison", title_justify="left")
    for column in _COMPARISON_COLUMNS:
        table.add_column(column, justify="left" if column == "measure" else "right")
    for comparison in comparisons:
        table.add_row(*_comparison_cells(comparison))
    return table


def lint_table(report: LintReport) -> RenderableType:
    """Return a table for a terminal: the figures of a question set."""
    from rich.table import Table

    table = Table(title="The question set", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_row("answerable", str(report.answerable))
    table.add_row("unanswerable", str(report.unanswerable))
    for split, number in report.splits.items():
        table.add_row(f"split {split}", str(number))
    for category, number in sorted(report.categories.items()):
        table.add_row(f"category {category}", str(number))
    table.add_row("mean word overlap with evidence", formatted(report.overlap))
    table.add_row("minimum detectable effect", formatted(report.detectable))
    return table


def changed_lines(changed: Sequence[tuple[Outcome, Outcome]]) -> Iterator[str]:
    """Yield three lines for each changed question: the question, and its first passages."""
    for before, after in changed:
        yield f"{after.id} ({after.category}): {after.question}"
        for name, outcome in (("before", before), ("after", after)):
            yield f"  {name}: rank {outcome.rank or '–'}, {_first_passage(outcome)}"


def markdown(report: Report, verdict: Verdict | None = None, history: History | None = None) -> str:
    """Return a Markdown summary, for example for a pull-request comment.

    Args:
        report: the run.
        verdict: the result of the gate, if it was run.
        history: what ``record_run`` returned; its trend is one line.

    """
    summary, c = report.summary(), report.configuration
    rows = [(name, formatted(summary[name])) for name in (*MEASURES, *SET_MEASURES)]
    lines = [
        f"### ragkit eval: {report.name}, {len(report.outcomes)} questions",
        "",
        *(_verdict_markdown(verdict) if verdict else ()),
        "",
        *([_cell(trend_line(history)), ""] if history else ()),
        *_markdown_rows(("measure", "value"), rows),
        "",
        *(f"{_cell(line)}\n" for line in absent_lines(report)),
        *_markdown_rows(("category", "n", *_CATEGORY_MEASURES), _category_rows(report)),
        "",
        *_markdown_rows(SLICE_COLUMNS, slice_rows(report)),
        "",
        *(f"**{line}**\n" for line in [separation_warning(report)] if line),
        f"ragkit {c.library}, encoder {c.encoder[:16]}, index {c.index}, "
        f"questions {c.questions[:16]}" + (f", chatbot {_cell(c.chatbot)}" if c.chatbot else ""),
    ]
    return "\n".join(lines) + "\n"


def junit(report: Report, verdict: Verdict | None = None) -> str:
    """Return JUnit XML: a test case for each must-pass question, and one for the gate.

    Other questions count only in the measures and have no test case of their own.

    Args:
        report: the run.
        verdict: the result of the gate, if it was run.

    """
    suite = ET.Element("testsuite", name=f"ragkit eval {report.name}")
    for outcome in report.outcomes:
        if not outcome.must_pass:
            continue
        case = ET.SubElement(suite, "testcase", classname="ragkit.must_pass", name=outcome.id)
        if not outcome.passes:
            failure = ET.SubElement(case, "failure", message=_must_pass_message(outcome))
            failure.text = _xml(f"{outcome.question}\n{_first_passage(outcome)}")
    if verdict:
        case = ET.SubElement(suite, "testcase", classname="ragkit.gate", name="gate")
        if not verdict.passed:
            failure = ET.SubElement(case, "failure", message=f"reasons: {len(verdict.reasons)}")
            failure.text = _xml("\n".join(verdict.reasons))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"
    )


_COMPARISON_COLUMNS = (
    "measure", "before", "after", "change", "95 % interval", "p", "p (Holm)", "p (McNemar)",
    "detectable", "better/worse",
)  # fmt: skip


def _comparison_cells(c: Comparison) -> tuple[str, ...]:
    return (
        c.measure, formatted(c.before), formatted(c.after), f"{c.difference:+.3f}",
        f"{c.low:+.3f} … {c.high:+.3f}", f"{c.p:.4f}", f"{c.adjusted:.4f}",
        formatted(c.mcnemar), formatted(c.detectable), f"{c.better}/{c.worse}",
    )  # fmt: skip


def _must_pass_message(outcome: Outcome) -> str:
    if outcome.answerable:
        return "the first passage does not hold the evidence"
    return "the question is unanswerable but was answered"


def _first_passage(outcome: Outcome) -> str:
    if not outcome.top:
        return "no passage"
    top = outcome.top[0]
    place = " › ".join(top.section) or "lead"
    return f"{place} [{top.start}:{top.end}] {' '.join(top.text.split())[:100]!r}"


def _category_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield the category, its number of questions and its main measures."""
    for category, part in report.by_category().items():
        summary = part.summary()
        values = (formatted(summary[name]) for name in _CATEGORY_MEASURES)
        yield category, str(len(part.outcomes)), *values


def slice_rows(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Yield each category of unanswerable questions: their number, the AUROC and its interval."""
    for name, one in separation_by_category(report).items():
        yield name, str(one.n), formatted(one.auroc), f"{one.low:.3f} … {one.high:.3f}"


def _verdict_markdown(verdict: Verdict) -> Iterator[str]:
    yield from ("**The gate passes.**" if verdict.passed else "**The gate fails:**", "")
    yield from (f"- {_cell(reason)}" for reason in verdict.reasons)
    yield ""
    yield from _markdown_rows(_COMPARISON_COLUMNS, map(_comparison_cells, verdict.comparisons))
    yield from _changed_markdown(verdict)


def _changed_markdown(verdict: Verdict) -> list[str]:
    if not verdict.changed:
        return ["", "No question changed."]
    body = "\n".join(changed_lines(verdict.changed)).replace("```", "'''")
    title = f"Changed questions: {len(verdict.changed)}"
    return ["", f"<details><summary>{title}</summary>", "", "```", body, "```", "</details>"]


def _markdown_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _xml(text: str) -> str:
    """Remove the control characters that XML 1.0 does not allow."""
    return "".join(c for c in text if c in "\t\n\r" or c >= " ")
