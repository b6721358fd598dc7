"""Measure retrieval and answers on a question set, and gate changes on it: no LLM, no key."""

from __future__ import annotations

import warnings
from typing import Any

from ragkit.evaluation.chatbots import Chatbot, Reply, evaluate_chatbot
from ragkit.evaluation.endpoint import ChatEndpoint, ReplyPaths
from ragkit.evaluation.formats import (
    load_beir,
    load_csv,
    load_dataset,
    load_qrels,
    load_run,
    load_squad,
    write_qrels,
    write_run,
)
from ragkit.evaluation.gate import GateError, Verdict, check_gate, compare_reports, load_floors
from ragkit.evaluation.harness import evaluate, evaluate_index, gate, load_baseline, load_set
from ragkit.evaluation.history import (
    Figure,
    History,
    HistoryEntry,
    load_history,
    record_run,
)
from ragkit.evaluation.html import html_report
from ragkit.evaluation.lint import LintReport, lint
from ragkit.evaluation.proposals import Proposals, propose_questions
from ragkit.evaluation.questions import (
    Evidence,
    Provenance,
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
    load_report,
    to_qrels,
    to_run,
)
from ragkit.evaluation.separation import Separation, separation, separation_by_category
from ragkit.evaluation.significance import Comparison

__all__ = [
    "ChatEndpoint",
    "Chatbot",
    "Comparison",
    "Configuration",
    "Evidence",
    "Figure",
    "GateError",
    "History",
    "HistoryEntry",
    "LintReport",
    "Outcome",
    "Proposals",
    "Provenance",
    "Question",
    "QuestionSet",
    "Reply",
    "ReplyPaths",
    "Report",
    "Separation",
    "Verdict",
    "check_gate",
    "compare_reports",
    "evaluate",
    "evaluate_chatbot",
    "evaluate_index",
    "gate",
    "html_report",
    "junit",
    "lint",
    "load_baseline",
    "load_beir",
    "load_csv",
    "load_dataset",
    "load_floors",
    "load_history",
    "load_qrels",
    "load_questions",
    "load_report",
    "load_run",
    "load_set",
    "load_squad",
    "markdown",
    "propose_questions",
    "record_run",
    "save_questions",
    "separation",
    "separation_by_category",
    "to_qrels",
    "to_run",
    "write_qrels",
    "write_run",
]

_RENAMED = {
    "read_baseline": "load_baseline",
    "read_qrels": "load_qrels",
    "read_run": "load_run",
}


def __getattr__(name: str) -> Any:
    """Return a renamed object by its old name, with a DeprecationWarning."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new = _RENAMED[name]
    warnings.warn(
        f"ragkit.evaluation.{name} is now ragkit.evaluation.{new}", DeprecationWarning, stacklevel=2
    )
    return globals()[new]
