"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.api import Index
    from ragkit.grounding import LanguageModel

__all__ = [
    "IndexLocation",
    "fresh_option",
    "index_option",
    "json_option",
    "language_model",
    "llm_options",
    "opened",
    "reader_option",
    "threshold_option",
    "where_option",
    "with_reader",
]

Command = TypeVar("Command", bound=Callable[..., Any])


class IndexLocation(click.Path):
    """A folder's path, or the address of an index on a server."""

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
    type=IndexLocation(path_type=Path),
    help="Folder of the index, or its milvus:// address (default: the bundled example article).",
)
reader_option = click.option(
    "--reader/--no-reader",
    "reads",
    default=True,
    help="Read the best passages for the words that answer (default), or answer by similarity "
    "alone.",
)
threshold_option = click.option(
    "--threshold", type=float, help="Abstain if the confidence is below this value (0–1)."
)
where_option = click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="NAME=VALUE",
    help="Search only documents with this metadata; also NAME>=VALUE and NAME<=VALUE. Repeat to "
    "match any of several values of one NAME; conditions on different names must all hold.",
)
fresh_option = click.option(
    "--require-fresh",
    is_flag=True,
    help="Refuse an index whose sources changed, instead of answering from it with a warning.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def llm_options(command: Command) -> Command:
    """Add the options of a language model; ``language_model`` turns them into one."""
    for option in (
        click.option(
            "--unsupported",
            type=click.Choice(["drop", "mark"]),
            default="drop",
            show_default=True,
            help="With --llm: drop or mark its sentences that the passages do not support.",
        ),
        click.option(
            "--llm-url",
            help="With --llm: base URL of an OpenAI-compatible endpoint. Its key is taken from "
            "OPENAI_API_KEY.",
        ),
        click.option(
            "--llm",
            "llm_name",
            help="Name of a language model that writes the answer; each of its sentences is "
            "checked against the passages.",
        ),
    ):
        command = option(command)
    return command


def opened(index_path: Path | None, *, reads: bool, require_fresh: bool) -> Index:
    """Return the index that ``--index`` names, without its reader unless it ``reads``."""
    from ragkit.default import open_index

    return with_reader(open_index(index_path, require_fresh=require_fresh), reads=reads)


def with_reader(index: Index, *, reads: bool) -> Index:
    """Return the index as it is if it ``reads``, otherwise without a reader."""
    return index if reads else index.with_reader(None)


def language_model(
    name: str | None, url: str | None, *, counts_tokens: bool = False
) -> LanguageModel | None:
    """Return the model that ``--llm`` and ``--llm-url`` name, or None without ``--llm``.

    If it ``counts_tokens``, its server is asked to report them; few servers refuse to.
    """
    from ragkit.grounding import ChatModel

    if name is None and url is not None:
        raise InputError(
            f"--llm-url {url} has no --llm beside it; expected the model's name as well."
        )
    options: dict[str, Any] = {}
    if counts_tokens:
        options["stream_options"] = {"include_usage": True}
    return None if name is None else ChatModel(name, base_url=url, **options)
