"""The committed tables agree with the committed results."""

from __future__ import annotations

from benchmarks import report
from support.parts import ROOT


def test_the_tables_are_those_of_the_committed_results() -> None:
    begin, end = report.OVERVIEW
    page = (ROOT / "docs" / "benchmarks" / "overview.md").read_text(encoding="utf-8")
    shown = page.split(begin)[1].split(end)[0].strip()
    assert shown == report.overview(report.load()).strip()
    tables = report.README.read_text(encoding="utf-8").split(report.MARKER)[1].strip()
    assert tables == report.render(report.load()).strip()
