"""Render results.json as the tables of README.md and as plots."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.libraries import HERE, LIBRARIES, Library, program

__all__ = [
    "BUSY",
    "MARKER",
    "OVERVIEW",
    "README",
    "draw",
    "load",
    "machine",
    "overview",
    "record",
    "render",
    "rewrite_overview",
    "rewrite_readme",
    "today",
    "versions",
]

RESULTS = HERE / "results" / "results.json"
README = HERE / "README.md"
MARKER = "<!-- Generated below this line by `python -m benchmarks`; edit benchmarks/report.py. -->"
RAGKIT = "ragkit"
OVERVIEW = ("<!-- overview: written by `python -m benchmarks` -->", "<!-- end -->")
BUSY = 0.1
"""A measure is marked if other processes used more than this share of the machine."""


@dataclass(frozen=True)
class Column:
    """One figure of a measure: its key in the results, how it is shown, which way is better."""

    key: str
    header: str
    scale: float
    digits: int
    higher_is_better: bool = False

    def show(self, value: float) -> str:
        """Return the value in the header's unit."""
        return f"{value * self.scale:,.{self.digits}f}"


MB, MS = 1e-6, 1e3

COLUMNS: dict[str, tuple[Column, ...]] = {
    "build": (
        Column("passages_a_second", "passages/s", 1, 1, higher_is_better=True),
        Column("disk", "index on disk, MB", MB, 2),
        Column("rss", "peak memory, MB", MB, 0),
    ),
    "cold": (
        Column("seconds", "start to answer, s", 1, 2),
        Column("rss", "peak memory, MB", MB, 0),
    ),
    "warm": tuple(Column(f"p{percent}", f"p{percent}, ms", MS, 1) for percent in (50, 95, 99)),
    "many": (Column("questions_a_second", "questions/s", 1, 1, higher_is_better=True),),
    "memory": (Column("rss", "peak memory, MB", MB, 0),),
    "quality": (
        Column("success_1", "Success@1", 1, 3, higher_is_better=True),
        Column("success_5", "Success@5", 1, 3, higher_is_better=True),
    ),
}

TITLES = {
    "build": "Building an index",
    "cold": "Cold: from the start of the process to its end, one question answered",
    "warm": "Warm: one question to an open index",
    "many": "Many questions in one call",
    "memory": "Memory of a process that answered a round of questions",
    "quality": "Quality: the gold paragraph found",
    "concurrency": "Concurrency: threads of one process that ask at once",
    "growth": "Growth: the same questions to larger corpora",
}

_PICKED = (
    ("cold", "seed", "seconds", "start to answer, s"),
    ("cold", "seed", "rss", "its memory, MB"),
    ("warm", "xquad", "p50", "warm question, ms (XQuAD)"),
    ("build", "xquad", "passages_a_second", "built, passages/s"),
    ("quality", "xquad", "success_1", "Success@1 (XQuAD)"),
)
"""Measure, corpus, figure and header of the overview's columns."""

CORPORA = {
    "seed": "the article in `seeds/`",
    "xquad": "XQuAD",
    "grown": "XQuAD, filled up with paragraphs of Python's docstrings and generated sentences",
}


def record(name: str, entry: Mapping[str, Any]) -> None:
    """Write one measure into results.json; the other measures stay."""
    results = load()
    results["measures"][name] = dict(entry)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def load() -> dict[str, Any]:
    """Return the content of results.json; empty if the file does not exist."""
    if not RESULTS.is_file():
        return {"measures": {}}
    found: dict[str, Any] = json.loads(RESULTS.read_bytes())
    return found


def machine() -> dict[str, Any]:
    """Describe this machine; memory in bytes."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(threads: int) -> dict[str, dict[str, str]]:
    """Return the versions of each library's packages, as its own environment reports them."""
    return {
        library.name: json.loads(program(library, ["versions"], threads))
        for library in LIBRARIES
        if not library.asks_as
    }


def today() -> str:
    """Return the date in UTC, as YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()


def render(results: Mapping[str, Any]) -> str:
    """Return all results as Markdown."""
    measures = results["measures"]
    shown = [name for name in TITLES if name in measures]
    if not shown:
        return "Nothing has been measured yet.\n"
    parts = [_conditions(measures), _summary(measures)]
    parts += [_measure(name, measures[name]) for name in shown]
    return "\n\n".join([*parts, _user_code()]) + "\n"


def rewrite_readme() -> None:
    """Write the tables below the marker line of README.md."""
    kept, marker, _ = README.read_text(encoding="utf-8").partition(MARKER)
    if not marker:
        raise SystemExit(f"{README} has no line {MARKER!r}")
    README.write_text(f"{kept}{MARKER}\n\n{render(load())}", encoding="utf-8")


def rewrite_overview() -> None:
    """Put the comparison in a few figures into the documentation, between its two markers."""
    path = HERE.parent / "docs" / "benchmarks" / "overview.md"
    before, begin, rest = path.read_text(encoding="utf-8").partition(OVERVIEW[0])
    _, end, after = rest.partition(OVERVIEW[1])
    if not (begin and end):
        raise SystemExit(f"{path} has not both lines {OVERVIEW}")
    path.write_text(f"{before}{begin}\n{overview(load())}{end}{after}", encoding="utf-8")


def overview(results: Mapping[str, Any]) -> str:
    """Return the most important figures as Markdown, one row a library."""
    measures = results["measures"]
    picked = [
        (measures[name]["corpora"][corpus], column, header)
        for name, corpus, key, header in _PICKED
        if name in measures
        for column in COLUMNS[name]
        if column.key == key
    ]
    headers = [header for *_, header in picked] + ["lines of user code"]
    lines = [f"| | {' | '.join(headers)} |", "|---|" + "---:|" * len(headers)]
    for library in LIBRARIES:
        if any(library.name not in found for found, *_ in picked):
            continue
        cells = [
            column.show(found[library.name]["median"][column.key]) for found, column, _ in picked
        ]
        lines.append(f"| {' | '.join([library.name, *cells, str(_user_lines(library))])} |")
    return "\n".join(lines) + "\n"


def draw(results: Mapping[str, Any]) -> None:
    """Draw plots as SVG beside results.json. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "ragkit"
    measures = results["measures"]
    if "warm" in measures:
        found = measures["warm"]["corpora"]["xquad"]
        values = {name: outcome["median"]["p50"] * MS for name, outcome in found.items()}
        _bars(values, "milliseconds, median of one question (XQuAD)", "warm")
    for name, key, scale, x, y in (
        ("concurrency", "throughput", 1, "threads asking at once", "questions a second"),
        ("growth", "p50", MS, "passages in the corpus", "milliseconds, median of one question"),
    ):
        if name in measures:
            [found] = measures[name]["corpora"].values()
            _lines({n: _series(o["median"], key, scale) for n, o in found.items()}, x, y, name)


def _conditions(measures: Mapping[str, Any]) -> str:
    """Machine and versions, only once if all measures share them."""
    lines = ["## Results", ""]
    conditions: dict[str, list[str]] = {}
    for name, entry in measures.items():
        conditions.setdefault(_machine_line(entry), []).append(name)
    for line, names in conditions.items():
        lines.append(line if len(conditions) == 1 else f"{', '.join(names)}: {line}")
        lines.append("")
    latest = max(measures.values(), key=lambda entry: entry["date"])
    lines += ["| library | versions |", "|---|---|"]
    lines += [
        f"| {name} | {', '.join(f'{package} {number}' for package, number in found.items())} |"
        for name, found in latest["versions"].items()
    ]
    return "\n".join(lines)


def _machine_line(entry: Mapping[str, Any]) -> str:
    on = entry["machine"]
    return (
        f"Measured on {entry['date']}: {on['processor']}, {on['cores']} cores, "
        f"{on['memory'] / 2**30:.0f} GiB of memory, {on['system']}, Python {on['python']}. "
        f"Threads and cores of each library: {entry['settings']['threads']}."
    )


def _summary(measures: Mapping[str, Any]) -> str:
    """Compare ragkit with the best peer, figure by figure."""
    lines = [
        "### ragkit beside the best peer",
        "",
        "| | ragkit | best peer | | ragkit / best peer | better is |",
        "|---|---:|---:|---|---:|---|",
    ]
    for name, corpus, column, found in _figures(measures):
        values = {n: o["median"][column.key] for n, o in found.items() if column.key in o["median"]}
        best = _best_peer(values, column)
        if RAGKIT not in values or best is None:
            continue
        lines.append(
            f"| {name}, {corpus}: {column.header} | {column.show(values[RAGKIT])} "
            f"| {column.show(values[best])} | {best} "
            f"| {_ratio(values[RAGKIT], values[best])} "
            f"| {'higher' if column.higher_is_better else 'lower'} |"
        )
    return "\n".join(lines)


def _figures(
    measures: Mapping[str, Any],
) -> list[tuple[str, str, Column, Mapping[str, Any]]]:
    return [
        (name, corpus, column, found)
        for name in TITLES
        if name in measures
        for corpus, found in measures[name]["corpora"].items()
        for column in _columns(name, found)
        if not column.key.startswith("failed")
    ]


def _measure(name: str, entry: Mapping[str, Any]) -> str:
    lines = [f"### {TITLES[name]}", "", _rounds_line(name, entry["settings"])]
    if entry["busy"] > BUSY:
        lines += ["", f"**Others used {entry['busy']:.0%} of the machine: not to be trusted.**"]
    for corpus, found in entry["corpora"].items():
        lines += ["", f"On {CORPORA[corpus]}:", "", *_table(_columns(name, found), found)]
    picture = HERE / "results" / f"{name}.svg"
    if picture.is_file():
        lines += ["", f"![{TITLES[name]}](results/{picture.name})"]
    return "\n".join(lines)


def _rounds_line(name: str, settings: Mapping[str, Any]) -> str:
    few, asked = settings["few_rounds"], f"{settings['questions']} questions each"
    return {
        "build": f"Rounds: {few}.",
        "cold": f"Rounds: {settings['rounds']}.",
        "memory": f"Questions: {settings['questions']}.",
        "quality": "All questions, once.",
        "concurrency": f"Rounds for each number of threads: {few}, of {asked}.",
        "growth": f"One build, then rounds: {few}, of {asked}.",
    }.get(name, f"Rounds: {settings['rounds']}, of {asked}.")


def _table(columns: Sequence[Column], found: Mapping[str, Any]) -> list[str]:
    """One row a library; after each figure its ratio to the best peer's."""
    first = columns[0]
    medians = {name: outcome["median"] for name, outcome in found.items()}
    best = _best_peer({name: values[first.key] for name, values in medians.items()}, first)
    headers = [column.header for column in columns] + [f"{first.header}: / best peer"]
    lines = [f"| library | {' | '.join(headers)} |", "|---|" + "---:|" * len(headers)]
    for name, values in medians.items():
        cells = [column.show(values[column.key]) for column in columns]
        cells.append(_ratio(values[first.key], medians[best][first.key]) if best else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _columns(name: str, found: Mapping[str, Any]) -> tuple[Column, ...]:
    """The measure's columns; concurrency and growth have one for each size measured."""
    if name in COLUMNS:
        return COLUMNS[name]
    medians = [outcome["median"] for outcome in found.values()]
    keys = [key for key in medians[0] if any(values[key] for values in medians)]
    return tuple(_numbered(name, *key.split("@")) for key in sorted(keys, key=_key_order))


def _numbered(measure: str, kind: str, number: str) -> Column:
    unit = "threads" if measure == "concurrency" else "passages"
    if kind == "build":
        return Column(f"{kind}@{number}", f"build, s, {number} {unit}", 1, 1)
    if kind == "throughput":
        header = f"questions/s, {number} {unit}"
        return Column(f"{kind}@{number}", header, 1, 1, higher_is_better=True)
    if kind == "failed":
        return Column(f"{kind}@{number}", f"failed, %, {number} {unit}", 100, 1)
    return Column(f"{kind}@{number}", f"{kind}, ms, {number} {unit}", MS, 1)


def _key_order(key: str) -> tuple[int, int]:
    kind, number = key.split("@")
    kinds = ("throughput", "p50", "p95", "p99", "build", "failed")
    return kinds.index(kind), int(number)


def _best_peer(values: Mapping[str, float], column: Column) -> str | None:
    own = {library.name for library in LIBRARIES if library.own}
    peers = {
        name: value for name, value in values.items() if name not in own and not math.isnan(value)
    }
    if not peers:
        return None
    choose = max if column.higher_is_better else min
    return choose(peers, key=lambda name: peers[name])


def _ratio(value: float, reference: float) -> str:
    return f"{value / reference:.2f}" if reference else ""


def _user_code() -> str:
    rows = [f"| {library.name} | {_user_lines(library)} |" for library in LIBRARIES]
    return "\n".join(
        [
            "### Lines of user code",
            "",
            "What a user writes to build and save an index, and, in another program, to open it "
            "and ask: the lines between `# user code` and `# end` in `peers/`.",
            "",
            "| library | lines |",
            "|---|---:|",
            *rows,
        ]
    )


def _user_lines(library: Library) -> int:
    """A variant of a library has its own lines and those of the library."""
    varied = [other for other in LIBRARIES if library.asks_as and other.name == library.asks_as]
    sources = [library.source, *(other.source for other in varied)]
    return sum(_marked_lines(source.read_text(encoding="utf-8")) for source in sources)


def _marked_lines(source: str) -> int:
    count, inside = 0, False
    for line in map(str.strip, source.splitlines()):
        if line in {"# user code", "# end"}:
            inside = line == "# user code"
        elif inside and line:
            count += 1
    return count


def _series(values: Mapping[str, float], key: str, scale: float) -> dict[int, float]:
    named = {name: value for name, value in values.items() if name.startswith(f"{key}@")}
    return {int(name.split("@")[1]): value * scale for name, value in named.items()}


def _bars(values: Mapping[str, float], label: str, name: str) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    names = list(values)[::-1]
    bars = axes.barh(
        names,
        [values[n] for n in names],
        color=["#c2410c" if n.startswith(RAGKIT) else "#64748b" for n in names],
    )
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel(label)
    axes.margins(x=0.12)
    _save(figure, axes, name)


def _lines(series: Mapping[str, Mapping[int, float]], x: str, y: str, name: str) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for label, points in series.items():
        width = 2.5 if label.startswith(RAGKIT) else 1.3
        axes.plot(list(points), list(points.values()), marker="o", linewidth=width, label=label)
    ticks = sorted({point for points in series.values() for point in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(frameon=False)
    _save(figure, axes, name)


def _save(figure: Any, axes: Any, name: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS.parent / f"{name}.svg", metadata={"Date": None})


def _processor() -> str:
    try:
        information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in information.splitlines() if "model name" in line]
    return names[0].strip() if names else platform.machine()
