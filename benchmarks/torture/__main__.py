"""Run the parts and write the report: ``python -m benchmarks.torture --only damage,crashes``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from benchmarks.report import machine, today
from benchmarks.torture.rows import Part

PARTS = ("damage", "crashes", "disks", "concurrency", "inputs", "server")
RESULTS = Path(__file__).parent.parent / "results"
INTRODUCTION = """\
Attempts to make ragkit answer wrongly, lose data or grant access. *Tried* counts injected faults,
inputs and requests; *checked* counts answers and states compared with the expected ones; *wrong*
counts those that differed, and any crash, hang or error that ragkit does not declare."""
HEAD = "| what | tried | checked | wrong | outcomes |"
COUNTS = ("tried", "checked", "wrong")


def measured(name: str, effort: float) -> dict[str, Any]:
    """Run one part; print each row when it is complete."""
    part = cast("Part", import_module(f"benchmarks.torture.{name}"))
    begun = time.monotonic()
    rows = []
    for row in part.run(effort):
        print(
            f"{name}: {row.what}: {row.tried:,} tried, {row.checked:,} checked, {row.wrong} wrong"
        )
        for example in row.examples:
            print(f"    {example}", file=sys.stderr)
        rows.append(asdict(row))
    return {
        "title": part.TITLE, "about": part.ABOUT, "on": today(), "effort": effort,
        "minutes": round((time.monotonic() - begun) / 60, 1), "rows": rows,
    }  # fmt: skip


def report(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown of all parts that were ever run."""
    on = machine()
    lines = [
        "# Torture",
        "",
        INTRODUCTION,
        "",
        f"{on['processor']}, {on['cores']} cores, {on['memory'] / 2**30:.0f} GiB, {on['system']}. "
        "Made by `python -m benchmarks.torture`.",
        "",
        "| | tried | checked | wrong |",
        "|---|---:|---:|---:|",
    ]
    known = [parts[name] for name in PARTS if name in parts]
    lines += [f"| {part['title']} | {_sums(part['rows'])} |" for part in known]
    lines += [f"| **all** | {_sums([row for part in known for row in part['rows']])} |"]
    for part in known:
        lines += ["", f"## {part['title']}", "", part["about"].strip(), ""]
        effort = f"effort {part['effort']:g}, {part['minutes']:g} minutes"
        lines += [f"On {part['on']}, {effort}.", ""]
        lines += [
            "| what | tried | checked | wrong | outcomes |",
            "|---|---:|---:|---:|---|",
        ]
        lines += [_line(row) for row in part["rows"]]
    return "\n".join(lines) + "\n"


def _sums(rows: Sequence[Mapping[str, Any]]) -> str:
    return " | ".join(
        f"{sum(row[name] for row in rows):,}" for name in ("tried", "checked", "wrong")
    )


def _line(row: Mapping[str, Any]) -> str:
    outcomes = "; ".join(f"{name}: {_number(value)}" for name, value in row["outcomes"].items())
    return (
        f"| {row['what']} | {row['tried']:,} | {row['checked']:,} | {row['wrong']:,} | {outcomes} |"
    )


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--effort", type=float, default=1.0, help="1 for the committed report")
    parser.add_argument("--dry", action="store_true", help="keep the committed report as it is")
    chosen = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    kept = RESULTS / "torture.json"
    known: dict[str, Any] = {}
    for name in chosen.only.split(",") if chosen.only else PARTS:
        found = measured(name, chosen.effort)
        # Read again each time, since another part may have been run meanwhile.
        known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        known[name] = found
        if not chosen.dry:
            kept.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            (RESULTS / "torture.md").write_text(report(known), encoding="utf-8")
    if any(row["wrong"] for part in known.values() for row in part["rows"]):
        sys.exit("something was wrong; the report says what")


if __name__ == "__main__":
    main()
