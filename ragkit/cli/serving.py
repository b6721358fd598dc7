"""The commands ``serve`` and ``mcp``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragkit.cli.options import (
    Command,
    fresh_option,
    index_option,
    language_model,
    llm_options,
    reader_option,
    setting_option,
    threshold_option,
    where_option,
)
from ragkit.cli.output import log_to_terminal
from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.grounding import Policy
    from ragkit.serving.log_format import LogFormat

__all__ = ["mcp", "serve"]


def _listening_options(table: str) -> Callable[[Command], Command]:
    """Return the options of where to listen, and for whom; ``table``: that of the settings."""

    def with_options(command: Command) -> Command:
        for option in (
            setting_option(f"{table}.access", "access_file"),
            setting_option("token"),
            setting_option(f"{table}.allow-origin", "origins"),
            setting_option(f"{table}.allow-host", "hosts"),
            setting_option(f"{table}.port"),
            setting_option(f"{table}.host"),
        ):
            command = option(command)
        return command

    return with_options


@click.command()
@index_option
@fresh_option
@_listening_options("serve")
@setting_option("serve.workers")
@reader_option
@threshold_option
@llm_options
@setting_option("serve.timeout")
@setting_option("serve.log-questions")
@setting_option("serve.log-format")
@setting_option("serve.otel")
@setting_option("serve.feedback")
def serve(
    *, index_path: Path | None, require_fresh: bool, host: str, port: int, hosts: tuple[str, ...],
    origins: tuple[str, ...], token: str | None, access_file: Path | None, workers: int,
    reads: bool, threshold: float | None, llm_name: str | None, llm_url: str | None,
    unsupported: Policy, timeout: float | None, log_questions: bool, log_format: LogFormat,
    otel: bool | None, feedback: Path | None,
) -> None:  # fmt: skip
    """Serve the chat page, its widget for other sites, and the HTTP API."""
    from ragkit.reading import SHIPPED
    from ragkit.serving import Settings
    from ragkit.serving.server import run
    from ragkit.serving.sockets import host_names
    from ragkit.telemetry.export import should_export

    settings = Settings(
        token=token,
        access=access_file,
        origins=origins,
        reader=SHIPPED if reads else None,
        hosts=(*Settings().hosts, *host_names(host), *hosts),
        unsupported=unsupported,
        log_questions=log_questions,
        feedback=feedback,
        require_fresh=require_fresh,
        threshold=threshold,
        timeout=Settings().timeout if timeout is None else timeout,
    )
    exports = should_export(otel)
    run(
        index_path,
        settings,
        host=host,
        port=port,
        workers=workers,
        llm=language_model(llm_name, llm_url, counts_tokens=exports),
        log_format=log_format,
        exports=exports,
        set_up=log_to_terminal,
    )


@click.command()
@index_option
@fresh_option
@setting_option("mcp.http", "over_http")
@_listening_options("mcp")
@where_option
@setting_option("mcp.name")
@setting_option("mcp.about")
def mcp(
    *, index_path: Path | None, require_fresh: bool, over_http: bool, host: str, port: int,
    hosts: tuple[str, ...], origins: tuple[str, ...], token: str | None,
    access_file: Path | None, conditions: tuple[str, ...], name: str, about: str,
) -> None:  # fmt: skip
    """Serve the corpus to MCP clients, on standard input and output or over HTTP.

    Tools: ask, search and fetch. Documents are resources.
    """
    from ragkit.default import open_index
    from ragkit.index.filters import Conditions, check_properties, parse_where
    from ragkit.serving.mcp import serve_http, serve_stdio

    if access_file is not None and not over_http:
        raise InputError(
            "--access is for --http: who starts a program on standard input and output is its only "
            "caller. Restrict that one with --where."
        )
    access = None
    if access_file is not None:  # needs more than the extra of this command
        from ragkit.serving.access import Access

        access = Access.load(access_file)
    index = open_index(index_path, require_fresh=require_fresh)
    if conditions:
        kinds = index.metadata
        where = parse_where(conditions, kinds)
        if len(index.documents):
            check_properties(Conditions.of(where), kinds)
        index = index.restricted(where)
    if not over_http:
        serve_stdio(index, name=name, about=about)
        return
    serve_http(
        index,
        host=host,
        port=port,
        token=token,
        access=access,
        allowed_hosts=hosts,
        allowed_origins=origins,
        name=name,
        about=about,
    )
