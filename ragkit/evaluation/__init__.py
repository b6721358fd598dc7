"""Measure retrieval and answers on a question set, and gate changes on it: no LLM, no key."""

from __future__ import annotations

from ragkit.evaluation.formats import (
    load_beir,
    load_csv,
    load_dataset,
    load_squad,
    read_qrels,
    read_run,
    write_qrels,
    write_run,
)
from ragkit.evaluation.gate import GateError, Verdict, check_gate, compare_reports, load_floors
from ragkit.evaluation.harness import evaluate_index, gate, load_set, read_baseline
from ragkit.evaluation.html import html_report
from ragkit.evaluation.lint import LintReport, lint
from ragkit.evaluation.questions import (
    Evidence,
    Question,
    QuestionSet,
    load_questions,
    save_questions,
)
from ragkit.evaluation.render import junit, markdown
from ragkit.evaluation.report import (
    Configuration,
    Outcome,
    Report,
    evaluate,
    load_report,
    to_qrels,
    to_run,
)
from ragkit.evaluation.significance import Comparison

__all__ = [
    "Comparison",
    "Configuration",
    "Evidence",
    "GateError",
    "LintReport",
    "Outcome",
    "Question",
    "QuestionSet",
    "Report",
    "Verdict",
    "check_gate",
    "compare_reports",
    "evaluate",
    "evaluate_index",
    "gate",
    "html_report",
    "junit",
    "lint",
    "load_beir",
    "load_csv",
    "load_dataset",
    "load_floors",
    "load_questions",
    "load_report",
    "load_set",
    "load_squad",
    "markdown",
    "read_baseline",
    "read_qrels",
    "read_run",
    "save_questions",
    "to_qrels",
    "to_run",
    "write_qrels",
    "write_run",
]
