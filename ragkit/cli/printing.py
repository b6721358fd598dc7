"""What the commands share: JSON, colours, progress."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ragkit.errors import InputError
from ragkit.timing import Stage

if TYPE_CHECKING:
    from rich.console import Console

    from ragkit.grounding import LanguageModel
    from ragkit.index import Where
    from ragkit.types import Document

Command = TypeVar("Command", bound=Callable[..., Any])

__all__ = [
    "colour",
    "console",
    "index_option",
    "json_option",
    "language_model",
    "llm_options",
    "log_to_terminal",
    "print_json",
    "print_timings",
    "progress",
    "threshold_option",
    "where_of",
    "where_option",
    "workers_option",
    "write_text",
    "writing",
]


class IndexPlace(click.Path):
    """A folder's path, or where an index was pushed to."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        from ragkit.indexing import is_remote

        return value if is_remote(value) else super().convert(value, param, ctx)


index_option = click.option(
    "--index",
    "index_path",
    type=IndexPlace(path_type=Path),
    help="Folder of the index to ask, or milvus://… (default: the article that ragkit carries).",
)
workers_option = click.option(
    "--workers",
    metavar="ADDRESS",
    help="A Ray cluster that encodes, such as ray://host:10001; `ray` for this machine's.",
)
threshold_option = click.option(
    "--threshold", type=float, help="Abstain below this confidence (0–1)."
)
where_option = click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="NAME=VALUE",
    help="Ask only documents like this; also NAME>=VALUE, NAME<=VALUE. Of several = for one NAME, "
    "one must hold.",
)


def where_of(conditions: Sequence[str], documents: Iterable[Document]) -> Where | None:
    """``--where`` as ``ask`` takes it, each value read as what the documents have there."""
    if not conditions:
        return None
    kinds = {name: type(v) for document in documents for name, v in document.metadata.items()}
    where: dict[str, Any] = {}
    for condition in conditions:
        found = re.fullmatch(r"([^<>=]+)(=|>=|<=)(.*)", condition, re.DOTALL)
        if found is None:
            raise InputError(
                f"--where {condition!r} is no condition; expected NAME=VALUE, NAME>=VALUE or "
                f"NAME<=VALUE."
            )
        name, sign = found[1].strip(), found[2]
        value = _read(found[3].strip(), kinds.get(name, str))
        bounds = {">=": "min", "<=": "max"}
        kind: Any = list if sign == "=" else dict
        if not isinstance(where.setdefault(name, kind()), kind):
            raise InputError(f"--where has both {name}= and a bound for it; expected one of them.")
        where[name].append(value) if sign == "=" else where[name].update({bounds[sign]: value})
    return where


def _read(value: str, kind: type) -> str | float | bool:
    if kind is bool and value in ("true", "false"):
        return value == "true"
    try:
        return float(value) if kind in (int, float) else value
    except ValueError:
        return value


def llm_options(command: Command) -> Command:
    """The options that name a language model; ``language_model`` makes one of them."""
    for option in (
        click.option(
            "--unsupported",
            type=click.Choice(["drop", "mark"]),
            default="drop",
            show_default=True,
            help="What to do with its sentences that the passages do not support.",
        ),
        click.option("--llm-url", help="Base URL of an OpenAI-compatible endpoint."),
        click.option("--llm", "llm_name", help="A language model to write the answer, checked."),
    ):
        command = option(command)
    return command


def language_model(name: str | None, url: str | None) -> LanguageModel | None:
    """The model that ``--llm`` and ``--llm-url`` name; the key is in OPENAI_API_KEY, if any."""
    from ragkit.grounding import ChatModel

    if name is None and url is not None:
        raise InputError(f"--llm-url {url} was given without --llm; expected the model's name too.")
    return None if name is None else ChatModel(name, base_url=url)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into an error that names the path."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. Give another path."
        ) from error


def write_text(path: Path, text: str) -> None:
    with writing(path):
        path.write_text(text, encoding="utf-8")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_timings(stages: Sequence[Stage]) -> None:
    """Print each stage and their sum on standard error, so that an answer in JSON stays JSON."""
    for name, seconds in [*stages, ("all", sum(seconds for _, seconds in stages))]:
        click.echo(f"{seconds * 1000:9.1f} ms  {name}", err=True)


def log_to_terminal() -> None:
    """Show what the library reports, such as a model being prepared, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("ragkit: %(message)s"))
    logger = logging.getLogger("ragkit")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def colour() -> bool | None:
    """None lets click decide by whether the stream is a terminal; NO_COLOR always wins."""
    return False if os.environ.get("NO_COLOR") else None


def console() -> Console:
    """For tables; as wide as the terminal, or 120 columns where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and remaining time on standard error, where that is a terminal."""
    bar: Any = None
    begun = time.monotonic()

    def rate() -> str:
        return f"{bar.pos / max(1e-9, time.monotonic() - begun):.0f}/s" if bar is not None else ""

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
