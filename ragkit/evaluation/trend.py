"""The trend of a history: one line of text, and a picture of each measure with a table beside it.

Only runs of the last run's question set (by name) and chatbot are shown. Values on either side of a
change of the questions cannot be compared, so lines end there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from ragkit.evaluation.history import Figure, History, HistoryEntry
from ragkit.evaluation.tables import html_table

__all__ = ["TREND_STYLE", "trend_html", "trend_line"]

_MOST_RUNS = 50
"""Number of runs that are drawn: more would touch each other."""

_WIDTH, _HEIGHT = 360, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 12, 30

TREND_STYLE = """
.trend { --series: #2f5f8f; display: grid; gap: 1.5rem 1rem; }
.trend { grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.trend figure { margin: 0; }
.trend figcaption { font-size: .9rem; }
.trend svg { width: 100%; height: auto; }
.trend text { font: 11px system-ui, sans-serif; fill: currentColor; }
.trend .grid { stroke: currentColor; opacity: .2; }
.trend .interval { stroke: var(--series); opacity: .5; stroke-width: 1.5; }
.trend .line { fill: none; stroke: var(--series); stroke-width: 2; }
.trend .point { fill: var(--series); }
.trend .set { stroke: currentColor; stroke-dasharray: 5 3; }
.trend .index { fill: currentColor; opacity: .75; }
details td, details th { white-space: nowrap; }
@media (prefers-color-scheme: dark) { .trend { --series: #8fbbe8; } }
"""


class _Run(NamedTuple):
    """A run, and what changed since the run before it."""

    entry: HistoryEntry
    has_other_questions: bool = False
    has_other_index: bool = False
    has_other_version: bool = False

    @property
    def changes(self) -> str:
        names = {
            "question set": self.has_other_questions,
            "index": self.has_other_index,
            f"ragkit {self.entry.library}": self.has_other_version,
        }
        return ", ".join(name for name, is_so in names.items() if is_so)


def trend_line(history: History) -> str:
    """Return one sentence: how the first measure went over the runs on the last questions."""
    runs = _runs(history)
    first = max((i for i, run in enumerate(runs) if run.has_other_questions), default=0)
    same = [run for run in runs[first:] if run.entry.figures]
    if not same:
        return "Trend: no run with a measure of these questions is recorded."
    last = same[-1].entry
    measure, now = next(iter(last.figures.items()))
    values = [run.entry.figures[measure].value for run in same if measure in run.entry.figures]
    interval = f"95 % interval {now.low:.3f} … {now.high:.3f}"
    if len(values) == 1:
        return f"Trend: first run on these questions; {measure} {now.value:.3f} ({interval})."
    others = sum(run.has_other_index for run in same[1:])
    return (
        f"Trend of {len(values)} runs on these questions since {_day(same[0].entry)}: {measure} "
        f"{values[0]:.3f} → {now.value:.3f} ({interval}), {values[-1] - values[-2]:+.3f} since the "
        f"run before; changes of the index: {others}."
    )


def trend_html(history: History) -> str:
    """Return pictures of the measures by run, and a table of the same figures."""
    runs = _runs(history)
    drawn = runs[-_MOST_RUNS:]
    measures = list(dict.fromkeys(name for run in drawn for name in run.entry.figures))
    figures = "".join(
        _figure(f"trend-{number}", measure, drawn) for number, measure in enumerate(measures)
    )
    last_ones = f"The last {len(drawn)} of {len(runs)} runs. " if len(drawn) < len(runs) else ""
    skipped = "".join(f"<p>Skipped: {escape(line)}.</p>" for line in history.skipped)
    return (
        f"<h2>Trend</h2><p>{escape(trend_line(history))}</p>{skipped}"
        f'<div class="trend">{figures}</div>'
        f"<p><small>{last_ones}Vertical strokes are 95 % intervals. A dashed line marks a change "
        f"of the question set, across which values cannot be compared; a triangle below marks a "
        f"change of the index.</small></p>"
        f"<details><summary>The same figures as a table</summary>{_table(measures, drawn)}"
        f"</details>"
    )


def _runs(history: History) -> list[_Run]:
    """Return the runs that can be shown together, with what changed before each."""
    if not history.entries:
        return []
    last = history.entries[-1]
    same = [e for e in history.entries if (e.name, e.chatbot) == (last.name, last.chatbot)]
    return [
        _Run(same[0]),
        *(
            _Run(
                after,
                has_other_questions=before.questions != after.questions,
                has_other_index=(before.index, before.encoder) != (after.index, after.encoder),
                has_other_version=before.library != after.library,
            )
            for before, after in pairwise(same)
        ),
    ]


def _table(measures: Sequence[str], runs: Sequence[_Run]) -> str:
    rows = [
        (
            run.entry.time[:16].replace("T", " "),
            _commit(run.entry),
            run.changes or "–",
            str(run.entry.n),
            *(_cell(run.entry.figures.get(measure)) for measure in measures),
        )
        for run in reversed(runs)
    ]
    return html_table(("run (UTC)", "commit", "changed", "n", *measures), rows)


def _commit(entry: HistoryEntry) -> str:
    commit, dash, dirty = entry.commit.partition("-")
    return commit[:8] + dash + dirty or "–"


def _cell(figure: Figure | None) -> str:
    return f"{figure.value:.3f} ({figure.low:.2f}–{figure.high:.2f})" if figure else "–"


class _Scale(NamedTuple):
    """Where runs and values stand in a picture."""

    runs: int
    low: float
    high: float

    def x(self, run: float) -> float:
        inside = _WIDTH - _LEFT - _RIGHT
        return round(_LEFT + inside * (run + 0.5) / self.runs, 1)

    def y(self, value: float) -> float:
        inside = _HEIGHT - _TOP - _BOTTOM
        return round(_TOP + inside * (self.high - value) / (self.high - self.low), 1)


def _figure(name: str, measure: str, runs: Sequence[_Run]) -> str:
    figures = [run.entry.figures.get(measure) for run in runs]
    measured = [figure for figure in figures if figure]
    ticks = _ticks(min(f.low for f in measured), max(f.high for f in measured))
    scale = _Scale(len(runs), ticks[0], ticks[-1])
    now = "–" if figures[-1] is None else f"{figures[-1].value:.3f}"
    parts = [*_axes(scale, ticks, runs), *_marks(scale, runs), *_series(scale, runs, figures)]
    return (
        f"<figure><figcaption>{escape(measure)}: {now}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(measure)} by run</title>'
        f'<desc id="{name}-desc">{escape(_description(runs, figures))}</desc>'
        f"{''.join(parts)}</svg></figure>"
    )


def _description(runs: Sequence[_Run], figures: Sequence[Figure | None]) -> str:
    values = [figure.value for figure in figures if figure]
    changed = [str(i) for i, run in enumerate(runs, start=1) if run.has_other_questions]
    sets = f" The question set changed before run {', '.join(changed)}." if changed else ""
    return (
        f"{len(values)} runs from {_day(runs[0].entry)} to {_day(runs[-1].entry)}: first "
        f"{values[0]:.3f}, last {values[-1]:.3f}, lowest {min(values):.3f}, highest "
        f"{max(values):.3f}.{sets}"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return three to six round values in [0, 1] that enclose both."""
    rough = max(high - low, 0.02) / 4
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(f * magnitude for f in (1, 2, 5, 10) if f * magnitude >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    first, last = (first, last) if first < last else (first - 1, last)
    return [round(number * step, 6) for number in range(first, last + 1)]


def _axes(scale: _Scale, ticks: Sequence[float], runs: Sequence[_Run]) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for tick in ticks:
        y = scale.y(tick)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end">{tick:g}</text>'
    y = bottom + 24
    if len(runs) == 1:
        middle = scale.x(0)
        yield f'<text x="{middle}" y="{y}" text-anchor="middle">{_day(runs[0].entry)}</text>'
        return
    yield f'<text x="{_LEFT}" y="{y}">{_day(runs[0].entry)}</text>'
    yield f'<text x="{right}" y="{y}" text-anchor="end">{_day(runs[-1].entry)}</text>'


def _marks(scale: _Scale, runs: Sequence[_Run]) -> Iterator[str]:
    """Yield the lines and triangles at changes of the questions and of the index."""
    bottom = _HEIGHT - _BOTTOM
    for number, run in enumerate(runs):
        x = scale.x(number - 0.5)
        if run.has_other_questions and number:
            yield f'<line class="set" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        if run.has_other_index and number:
            yield f'<path class="index" d="M{x} {bottom + 2}l3 6h-6z"/>'


def _series(scale: _Scale, runs: Sequence[_Run], figures: Sequence[Figure | None]) -> Iterator[str]:
    """Yield the intervals, the lines between comparable runs, and the points."""
    lines: list[list[str]] = [[]]
    points = []
    for number, (run, figure) in enumerate(zip(runs, figures, strict=True)):
        if run.has_other_questions or figure is None:
            lines.append([])
        if figure is None:
            continue
        x, y = scale.x(number), scale.y(figure.value)
        low, high = scale.y(figure.low), scale.y(figure.high)
        yield f'<line class="interval" x1="{x}" y1="{low}" x2="{x}" y2="{high}"/>'
        lines[-1].append(f"{x},{y}")
        points.append(f'<circle class="point" cx="{x}" cy="{y}" r="3"/>')
    for line in lines:
        if len(line) > 1:
            yield f'<polyline class="line" points="{" ".join(line)}"/>'
    yield from points


def _day(entry: HistoryEntry) -> str:
    """Return the date of a run; its form is checked when it is loaded."""
    return escape(entry.time[:10])
