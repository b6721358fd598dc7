"""What commands print and return: exit statuses, JSON, tables, colours, progress bars, files."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragkit.errors import InputError
from ragkit.progress import StageListener, listening
from ragkit.timing import Stage

if TYPE_CHECKING:
    from rich.console import Console

    from ragkit.answering.answer import Answer
    from ragkit.catalogue import Catalogue
    from ragkit.corpus import LeftOut

__all__ = [
    "ExitStatus",
    "confidence_line",
    "ended_by_signal",
    "log_to_terminal",
    "naming_unwritable",
    "print_json",
    "print_json_line",
    "print_left_out",
    "print_timings",
    "progress_bar",
    "reader_messages",
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


def print_json_line(value: Any) -> None:
    """Print a value as JSON in one line."""
    click.echo(json.dumps(value, ensure_ascii=False))


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let Ctrl+C and SIGTERM end the block, with which the command has done its work."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        click.secho("\nStopped.", err=True, dim=True, color=use_colour())
    finally:
        signal.signal(signal.SIGTERM, before)


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
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("ragkit: %(message)s"))
    logger = logging.getLogger("ragkit")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class _StandardError(logging.Handler):
    """Writes to what standard error is by then: a progress line puts messages above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")
        sys.stderr.flush()


def use_colour() -> bool | None:
    """Return click's ``color``: False if NO_COLOR is set, else None (colour on terminals only)."""
    return False if os.environ.get("NO_COLOR") else None


def reader_messages() -> Catalogue:
    """Return the messages in the language that the environment asks for, such as ``LANG``.

    They are for those who read answers; errors, help and logs are English.
    """
    from ragkit.catalogue import catalogue, environment_language

    return catalogue(environment_language(os.environ))


def confidence_line(answer: Answer, messages: Catalogue) -> str:
    """Return the confidence as a number and in words, and whether it is not calibrated."""
    from ragkit.answering.confidence import in_words

    words = messages.text(f"confidence.{in_words(answer.confidence)}")
    value = messages.decimal(answer.confidence)
    name = "terminal.confidence" if answer.calibrated else "terminal.uncalibrated"
    return messages.text(name, value=value, words=words)


def table_console() -> Console:
    """Return a console for tables: as wide as the terminal, or 120 columns without one."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show on standard error how far the work of the block is, from its beginning to its end.

    On a terminal that is a line which goes on moving; elsewhere a plain line every ten seconds.
    Stages that the library reports take the place of ``label``.

    Yields:
        A function to call with (done, total) of the stage ``label``.

    """
    with _live_line(label) if _is_live() else _plain_lines(label) as show, listening(show):
        yield lambda done, total: show(label, done, total)


def _is_live() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def _live_line(label: str) -> Iterator[StageListener]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}"), TimeElapsedColumn(),
    )  # fmt: skip
    console = Console(stderr=True, highlight=False)
    # Standard output stays what it is: it may be a file, and JSON.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(label, total=None, amount="")
        stage, since = label, time.monotonic()

        def show(name: str, done: int, total: int | None) -> None:
            nonlocal stage, since
            begins = name != stage
            if begins:
                stage, since = name, time.monotonic()
            amount = _amount(done, total, time.monotonic() - since)
            bar.update(
                task, description=name, completed=done, total=total, amount=amount, refresh=begins
            )

        yield show


_INTERVAL = 10.0
"""Seconds between two lines where no terminal shows how far the work is."""


@contextmanager
def _plain_lines(label: str) -> Iterator[StageListener]:
    state: tuple[str, int, int | None, float] = (label, 0, None, time.monotonic())
    is_over = threading.Event()

    def show(name: str, done: int, total: int | None) -> None:
        nonlocal state
        state = (name, done, total, state[3] if name == state[0] else time.monotonic())

    def report() -> None:
        while not is_over.wait(_INTERVAL):
            name, done, total, since = state
            click.echo(f"{name} … {_amount(done, total, time.monotonic() - since)}", err=True)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield show
    finally:
        is_over.set()
        reporter.join()


def _amount(done: int, total: int | None, seconds: float) -> str:
    """Return what is done of a stage, and how fast; empty where nothing is known of it."""
    if not done and not total:
        return ""
    of = "" if total is None else f" of {total:,}"
    rate = f", {done / seconds:,.0f}/s" if done and seconds >= 1 else ""
    return f"{done:,}{of}{rate}"
