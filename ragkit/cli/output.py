"""What commands print and return: exit statuses, JSON, tables, colours, progress bars, files."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragkit.errors import InputError
from ragkit.timing import Stage

if TYPE_CHECKING:
    from rich.console import Console

    from ragkit.corpus import LeftOut

__all__ = [
    "ExitStatus",
    "log_to_terminal",
    "naming_unwritable",
    "print_json",
    "print_left_out",
    "print_timings",
    "progress_bar",
    "table_console",
    "use_colour",
    "write_bytes",
    "write_text",
]


class ExitStatus(IntEnum):
    """Exit status of a command that did not succeed."""

    NEGATIVE = 1
    """It ran, and the result is negative: not answered, not passed, not found."""
    BAD_INPUT = 2
    BAD_INDEX = 3
    BAD_MODEL = 4
    MISSING_EXTRA = 5
    """An optional dependency is not installed."""
    INTERRUPTED = 130


@contextmanager
def naming_unwritable(path: Path) -> Iterator[None]:
    """Turn a failure to write into an ``InputError`` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. Choose another path."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8; raise InputError if it cannot be written."""
    with naming_unwritable(path):
        path.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; raise InputError if it cannot be written."""
    with naming_unwritable(path):
        path.write_bytes(content)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_timings(stages: Sequence[Stage]) -> None:
    """Print each stage and their sum on standard error, so that standard output stays JSON."""
    for name, seconds in [*stages, ("all", sum(seconds for _, seconds in stages))]:
        click.echo(f"{seconds * 1000:9.1f} ms  {name}", err=True)


def print_left_out(left_out: LeftOut) -> None:
    """Print on standard error what was left out of the sources: one line a file."""
    if left_out:
        click.secho(f"Left out: {len(left_out)} files.", fg="yellow", err=True, color=use_colour())
    for line in left_out.lines():
        click.echo(f"  {line}", err=True)


def log_to_terminal() -> None:
    """Show the library's log, such as a model being prepared, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("ragkit: %(message)s"))
    logger = logging.getLogger("ragkit")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def use_colour() -> bool | None:
    """Return click's ``color``: False if NO_COLOR is set, else None (colour on terminals only)."""
    return False if os.environ.get("NO_COLOR") else None


def table_console() -> Console:
    """Return a console for tables: as wide as the terminal, or 120 columns without one."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show rate and remaining time on standard error, if that is a terminal.

    Yields:
        A function to call with (done, total).

    """
    bar: Any = None
    start = time.monotonic()

    def rate() -> str:
        return f"{bar.pos / max(1e-9, time.monotonic() - start):.0f}/s" if bar is not None else ""

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = click.progressbar(
                length=total,
                label=label,
                file=sys.stderr,
                hidden=not sys.stderr.isatty(),
                item_show_func=lambda _: rate(),
            )
            bar.__enter__()
        bar.update(done - bar.pos)

    try:
        yield show
    finally:
        if bar is not None:
            bar.render_finish()
