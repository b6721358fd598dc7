"""The commands ``serve`` and ``mcp``: ragkit for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragkit.cli.printing import index_option, language_model, llm_options, threshold_option

if TYPE_CHECKING:
    from ragkit.grounding import Policy

__all__ = ["mcp", "serve"]


def _set_token(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    """An empty variable is a secret that was not filled in, not the wish for none."""
    return os.environ.get("RAGKIT_TOKEN") if given is None else given


token_option = click.option(
    "--token",
    callback=_set_token,
    help="The access token that callers must send; best given as RAGKIT_TOKEN.",
)
host_option = click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen."
)
hosts_option = click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    help="A name it answers to, * for any.",
)
origins_option = click.option(
    "--allow-origin", "origins", multiple=True,
    help="Another site, such as https://example.org, that may call it from a browser and embed it.",
)  # fmt: skip


@click.command()
@index_option
@host_option
@click.option("--port", default=8000, show_default=True)
@hosts_option
@origins_option
@token_option
@threshold_option
@llm_options
@click.option(
    "--timeout", type=float, help="Seconds for a request, its answer, and the client to take it."
)
@click.option("--log-questions", is_flag=True, help="Write what people ask into the log.")
def serve(
    *, index_path: Path | None, host: str, port: int, hosts: tuple[str, ...],
    origins: tuple[str, ...], token: str | None, threshold: float | None, llm_name: str | None,
    llm_url: str | None, unsupported: Policy, timeout: float | None, log_questions: bool,
) -> None:  # fmt: skip
    """Serve the chat page, the widget and the HTTP API."""
    from ragkit.serving import Settings
    from ragkit.serving.server import run
    from ragkit.serving.sockets import host_names

    chosen = {"threshold": threshold, "timeout": timeout}
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    settings = Settings(
        token=token,
        origins=origins,
        hosts=(*Settings().hosts, *host_names(host), *hosts),
        unsupported=unsupported,
        log_questions=log_questions,
        **given,
    )
    run(index_path, settings, host=host, port=port, llm=language_model(llm_name, llm_url))


@click.command()
@index_option
@click.option("--http", "over_http", is_flag=True, help="Streamable HTTP at /mcp, not stdio.")
@host_option
@click.option("--port", default=8001, show_default=True)
@hosts_option
@origins_option
@token_option
@click.option("--name", default="ragkit", show_default=True, help="What clients call the server.")
@click.option(
    "--about",
    default="the corpus",
    show_default=True,
    help="What the corpus is, for the model to know when to ask.",
)
def mcp(
    *, index_path: Path | None, over_http: bool, host: str, port: int, hosts: tuple[str, ...],
    origins: tuple[str, ...], token: str | None, name: str, about: str,
) -> None:  # fmt: skip
    """Serve the corpus to MCP clients: ask, search, fetch, and documents as resources."""
    from ragkit.serving.mcp import serve_http, serve_stdio

    if not over_http:
        serve_stdio(index_path, name=name, about=about)
        return
    serve_http(
        index_path,
        host=host,
        port=port,
        token=token,
        allowed_hosts=hosts,
        allowed_origins=origins,
        name=name,
        about=about,
    )
