"""The commands ``serve`` and ``mcp``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragkit.cli.options import (
    fresh_option,
    index_option,
    language_model,
    llm_options,
    reader_option,
    threshold_option,
    where_option,
)
from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.grounding import Policy
    from ragkit.serving.log_format import LogFormat

__all__ = ["mcp", "serve"]


def _token_or_variable(_: click.Context, __: click.Parameter, token: str | None) -> str | None:
    """Fall back to RAGKIT_TOKEN. click's ``envvar`` would take an empty variable for no token."""
    return os.environ.get("RAGKIT_TOKEN") if token is None else token


token_option = click.option(
    "--token",
    callback=_token_or_variable,
    help="Access token that clients must send. Prefer the environment variable RAGKIT_TOKEN: other "
    "users of the machine can see a command's options.",
)
access_option = click.option(
    "--access",
    "access_file",
    type=click.Path(path_type=Path),
    help="File of rules, such as access.toml, that say who may read which documents; instead of a "
    "token.",
)
host_option = click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
)
hosts_option = click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    help="Host name under which clients may reach the server; * allows any. Repeatable.",
)
origins_option = click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    help="Web site, such as https://example.org, that may embed the server's page and call it from "
    "browsers. Repeatable.",
)


@click.command()
@index_option
@fresh_option
@host_option
@click.option(
    "--port", default=8000, show_default=True, help="Port to listen on; 0 picks a free one."
)
@hosts_option
@origins_option
@token_option
@access_option
@reader_option
@threshold_option
@llm_options
@click.option(
    "--timeout",
    type=float,
    help="Seconds allowed for receiving a request, for answering it, and for sending the response.",
)
@click.option("--log-questions", is_flag=True, help="Log the questions that people ask.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of messages on standard error. Each request is a line of JSON in either.",
)
@click.option(
    "--otel/--no-otel",
    default=None,
    help="Export traces and metrics over OTLP, to the collector that the OTEL_* environment "
    "variables name, or else to port 4318 of this machine. By default only if they name one.",
)
@click.option(
    "--feedback",
    type=click.Path(path_type=Path),
    help="File to append readers' feedback to, as JSON Lines. Without it, the page offers no "
    "feedback.",
)
def serve(
    *, index_path: Path | None, require_fresh: bool, host: str, port: int, hosts: tuple[str, ...],
    origins: tuple[str, ...], token: str | None, access_file: Path | None, reads: bool,
    threshold: float | None, llm_name: str | None, llm_url: str | None, unsupported: Policy,
    timeout: float | None, log_questions: bool, log_format: LogFormat, otel: bool | None,
    feedback: Path | None,
) -> None:  # fmt: skip
    """Serve the chat page, its widget for other sites, and the HTTP API."""
    from ragkit.reading import SHIPPED
    from ragkit.serving import Settings
    from ragkit.serving.server import run
    from ragkit.serving.sockets import host_names
    from ragkit.telemetry.export import should_export

    options: dict[str, Any] = {"threshold": threshold, "timeout": timeout}
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
        **{name: value for name, value in options.items() if value is not None},
    )
    exports = should_export(otel)
    run(
        index_path,
        settings,
        host=host,
        port=port,
        llm=language_model(llm_name, llm_url, counts_tokens=exports),
        log_format=log_format,
        exports=exports,
    )


@click.command()
@index_option
@fresh_option
@click.option(
    "--http", "over_http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio."
)
@host_option
@click.option(
    "--port", default=8001, show_default=True, help="Port to listen on; 0 picks a free one."
)
@hosts_option
@origins_option
@token_option
@access_option
@where_option
@click.option(
    "--name", default="ragkit", show_default=True, help="Name of the server, shown to clients."
)
@click.option(
    "--about",
    default="the corpus",
    show_default=True,
    help="What the corpus is about; tells the client's model when to ask.",
)
def mcp(
    *, index_path: Path | None, require_fresh: bool, over_http: bool, host: str, port: int,
    hosts: tuple[str, ...], origins: tuple[str, ...], token: str | None,
    access_file: Path | None, conditions: tuple[str, ...], name: str, about: str,
) -> None:  # fmt: skip
    """Serve the corpus to MCP clients, on standard input and output or over HTTP.

    Tools: ask, search and fetch. Documents are resources.
    """
    from ragkit.default import open_index
    from ragkit.index.filters import parse_where
    from ragkit.serving.access import Access
    from ragkit.serving.mcp import serve_http, serve_stdio

    if access_file is not None and not over_http:
        raise InputError(
            "--access is for --http: who starts a program on standard input and output is its only "
            "caller. Restrict that one with --where."
        )
    access = None if access_file is None else Access.load(access_file)
    index = open_index(index_path, require_fresh=require_fresh)
    if conditions:
        index = index.restricted(parse_where(conditions, index.metadata))
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
