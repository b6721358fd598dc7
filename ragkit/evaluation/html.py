"""Render a report as one HTML page with inline SVG plots: no scripts, no external resources.

Text of questions and corpus is escaped. A Content-Security-Policy allows only the page's own style
and ``data:`` images, so no text can run code or load anything.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.errors import MissingExtraError
from ragkit.evaluation.confidence_measures import risk_coverage
from ragkit.evaluation.history import History
from ragkit.evaluation.render import SLICE_COLUMNS, SLICES, absent_lines, slice_rows
from ragkit.evaluation.report import Outcome, Report, RetrievedPassage
from ragkit.evaluation.separation import separation_warning
from ragkit.evaluation.tables import formatted, html_table, measure_rows
from ragkit.evaluation.trend import TREND_STYLE, trend_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["html_report"]

_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #2a7d46; --bad: #b3362b; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem 0 .25rem .8rem; }
th:first-child, td:first-child { padding-left: 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
.plots figure { margin: 0; background: #fff; border-radius: .5rem; padding: .5rem; }
.plots figcaption { color: #333; font-size: .85rem; }
.plots svg { width: 100%; height: auto; }
article { border-top: 2px solid var(--line); margin-top: 2rem; padding-top: .5rem; }
article:target { outline: 3px solid #4a78c2; outline-offset: .5rem; }
blockquote { border-left: 3px solid var(--line); margin: .3rem 0 .8rem; padding-left: .8rem; }
.hit { border-color: var(--good); } .miss { border-color: var(--bad); }
small { opacity: .75; }
"""


def html_report(report: Report, history: History | None = None) -> str:
    """Return the report as one HTML page.

    Args:
        report: the run.
        history: what ``record_run`` returned; the page then shows its trend.

    Raises:
        MissingExtraError: matplotlib is not installed.

    """
    trend = trend_html(history) if history else ""
    body = "".join([_head(report), trend, _plots(report), _groups(report), _failures(report)])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ragkit eval: {escape(report.name)}</title><style>{_STYLE}{TREND_STYLE}</style>"
        f"</head><body><main>{body}</main></body></html>\n"
    )


def _head(report: Report) -> str:
    rows = measure_rows(report.summary().items())
    latency = report.latency()
    if latency:
        rows.append(("latency p50 / p95", f"{latency['p50']:.1f} / {latency['p95']:.1f} ms"))
    c = report.configuration
    versions = (
        f"ragkit {c.library} · encoder {c.encoder[:16]} · index {c.index} · "
        f"chunker {c.chunker} · questions {c.questions[:16]}"
        + (f" · chatbot {c.chatbot}" if c.chatbot else "")
    )
    return (
        f"<h1>{escape(report.name)}</h1><p>{len(report.outcomes)} questions. "
        f"<small>{escape(versions)}</small></p>{html_table(('measure', 'value'), rows)}"
        + "".join(f"<p>{escape(line)}</p>" for line in absent_lines(report))
    )


def _groups(report: Report) -> str:
    measures = ("Success@1", "Success@5", "RR", "containment", "abstention")
    parts = []
    for group, groups in (
        ("category", report.by_category()),
        ("section", report.by_section()),
    ):
        rows = [
            (name, str(len(part.outcomes)), *_formatted_values(part, measures))
            for name, part in groups.items()
        ]
        parts.append(f"<h2>By {group}</h2>{html_table((group, 'n', *measures), rows)}")
    if slices := list(slice_rows(report)):
        parts.append(f"<h2>{SLICES}</h2>{html_table(SLICE_COLUMNS, slices)}")
    if warning := separation_warning(report):
        parts.append(f"<p><strong>{escape(warning)}</strong></p>")
    return "".join(parts)


def _formatted_values(report: Report, measures: Sequence[str]) -> Iterator[str]:
    summary = report.summary()
    return (formatted(summary[measure]) for measure in measures)


def _failures(report: Report) -> str:
    failures = list(report.failures())
    links = "".join(
        f'<li><a href="#{_anchor(o)}">{escape(o.question)}</a> '
        f"<small>{escape(_failure_reason(o))}</small></li>"
        for o in failures
    )
    pages = "".join(_failure(o, report) for o in failures)
    return f"<h2>{len(failures)} failures</h2><ol>{links}</ol>{pages}"


def _failure(outcome: Outcome, report: Report) -> str:
    gold = "".join(
        f"<blockquote class='hit'>{escape(e.quote)} "
        f"<small>part {e.part}, {e.start}–{e.end}</small></blockquote>"
        for e in report.gold.get(outcome.id, ())
    )
    answers = " · ".join(map(escape, report.answers.get(outcome.id, ()))) or "–"
    passages = "".join(
        _passage(rank, passage) for rank, passage in enumerate(outcome.top[:5], start=1)
    )
    facts = [outcome.id, outcome.category, _failure_reason(outcome)]
    if "AUROC" not in report.absent:
        facts.append(f"confidence {outcome.confidence:.2f}")
    return (
        f'<article id="{_anchor(outcome)}"><h3>{escape(outcome.question)}</h3>'
        f"<p><small>{' · '.join(map(escape, facts))}</small></p>"
        f"<p><strong>Gold:</strong> {answers}</p>"
        f"{gold or '<p>The corpus does not answer this question.</p>'}"
        f"<p><strong>Retrieved:</strong></p>{passages or '<p>no passages</p>'}</article>"
    )


def _passage(rank: int, passage: RetrievedPassage) -> str:
    why = " + ".join(f"{escape(name)} {value:.3f}" for name, value in passage.why.items())
    place = " › ".join(passage.section) or "lead"
    kind = "hit" if passage.covers else "miss"
    return (
        f"<blockquote class='{kind}'><small>{rank}. {escape(place)}, "
        f"{passage.start}–{passage.end}, score {passage.score:.3f}{' = ' + why if why else ''}"
        f"</small><br>{escape(passage.text)}</blockquote>"
    )


def _failure_reason(outcome: Outcome) -> str:
    if not outcome.answerable:
        return "answered, but the corpus has no answer"
    if outcome.values["Success@1"] is None:
        return "the text does not contain the answer"
    place = f"evidence at rank {outcome.rank}" if outcome.rank else "evidence not found"
    return place if outcome.answered else f"not answered, {place}"


def _anchor(outcome: Outcome) -> str:
    return "q-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in outcome.id)


def _plots(report: Report) -> str:
    figures = "".join(
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        for svg, caption in _figures(report)
    )
    return f'<h2>Plots</h2><div class="plots">{figures}</div>'


def _figures(report: Report) -> Iterator[tuple[str, str]]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("report", "matplotlib", what="the HTML report") from error
    style: Any = {"svg.hashsalt": "ragkit", "svg.fonttype": "path", "font.size": 9}
    for draw, caption, measure in _PLOTS:
        if measure in report.absent:
            continue
        with mpl.rc_context(style):
            figure = Figure(figsize=(5, 3.4), layout="constrained")
            draw(figure.add_subplot(), report)
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        svg = buffer.getvalue()
        yield svg[svg.index("<svg") :], caption


def _draw_risk_coverage(axes: Axes, report: Report) -> None:
    coverage, risk = risk_coverage(
        [o.confidence for o in report.outcomes], [o.correct for o in report.outcomes]
    )
    axes.plot(coverage, risk, color="#33608c")
    axes.set(xlabel="coverage", ylabel="risk", xlim=(0, 1), ylim=(0, max(0.05, 1.1 * risk.max())))


def _draw_reliability(axes: Axes, report: Report) -> None:
    confidence = np.asarray([o.confidence for o in report.outcomes])
    correct = np.asarray([o.correct for o in report.outcomes], dtype=float)
    which = np.minimum((confidence * 10).astype(int), 9)
    bins = np.unique(which)
    axes.bar((bins + 0.5) / 10, [(which == b).mean() for b in bins], 0.09, color="#d5dfe9")
    axes.plot([0, 1], [0, 1], color="#999", linestyle=":")
    axes.plot(
        [confidence[which == b].mean() for b in bins], [correct[which == b].mean() for b in bins],
        color="#33608c", marker="o",
    )  # fmt: skip
    axes.set(xlabel="confidence", ylabel="fraction correct", xlim=(0, 1), ylim=(0, 1))


def _draw_categories(axes: Axes, report: Report) -> None:
    values = {name: part.summary()["Success@1"] for name, part in report.by_category().items()}
    applicable = {name: v for name, v in values.items() if v is not None}
    names = sorted(applicable, key=lambda name: applicable[name])
    axes.barh(names, [applicable[name] for name in names], color="#33608c")
    axes.set(xlabel="Success@1", xlim=(0, 1))


def _draw_ranks(axes: Axes, report: Report) -> None:
    ranks = [o.rank for o in report.outcomes if o.answerable]
    labels = [*map(str, range(1, 11)), "none"]
    counts = [sum(r == i for r in ranks) for i in range(1, 11)] + [sum(r is None for r in ranks)]
    axes.bar(labels, counts, color="#33608c")
    axes.set(xlabel="rank", ylabel="questions")


_PLOTS = (
    (_draw_risk_coverage, "Risk–coverage: fraction of wrong answers by fraction answered.", "AURC"),
    (
        _draw_reliability,
        "Reliability: fraction correct by confidence; bars show the questions.",
        "ECE",
    ),
    (_draw_categories, "Success@1 by category.", "Success@1"),
    (_draw_ranks, "Rank of the first passage with evidence.", "Success@1"),
)
"""The plots of a report: function, caption, and the measure without which there is none."""
