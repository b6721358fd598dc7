"""Values as text, and tables as HTML that needs no style sheet, for reports and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["LOWER_IS_BETTER", "formatted", "html_table", "measure_rows"]

LOWER_IS_BETTER = frozenset({"AURC", "ECE", "Brier"})


def formatted(value: float | None) -> str:
    """Return a value with three decimals; a dash for None."""
    return "–" if value is None else f"{value:.3f}"


def measure_rows(summary: Iterable[tuple[str, float | None]]) -> list[tuple[str, str]]:
    """Return the name and the value of each measure; an arrow if lower is better."""
    return [
        (name + (" ↓" if name in LOWER_IS_BETTER else ""), formatted(value))
        for name, value in summary
    ]


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with escaped cells; all columns but the first are aligned right.

    It scrolls where it is too wide, also by keyboard.
    """
    header = "".join(
        f'<th scope="col" style="{_alignment(column)}">{escape(cell)}</th>'
        for column, cell in enumerate(head)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_alignment(column)}">{escape(cell)}</td>'
            for column, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div style="overflow-x:auto" tabindex="0"><table><thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _alignment(column: int) -> str:
    return "text-align:right" if column else "text-align:left"
