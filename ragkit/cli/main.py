"""The program ``ragkit``: its commands, and the exit status of each error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

import ragkit
from ragkit.cli.output import ExitStatus, log_to_terminal, use_colour
from ragkit.cli.settings import SETTINGS
from ragkit.errors import (
    EncoderError,
    LanguageModelError,
    MissingExtraError,
    PluginError,
    RagkitError,
    StoreError,
    WorkersError,
)
from ragkit.plugins import Registry

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = Registry(
    "ragkit.commands",
    {
        "ask": "ragkit.cli.ask:ask",
        "chat": "ragkit.cli.chat:chat",
        "show": "ragkit.cli.ask:show",
        "quotes": "ragkit.cli.ask:quotes",
        "index": "ragkit.cli.index:index",
        "eval": "ragkit.cli.evaluation:evaluation",
        "tune": "ragkit.cli.evaluation:tune",
        "serve": "ragkit.cli.serving:serve",
        "mcp": "ragkit.cli.serving:mcp",
        "access": "ragkit.cli.access:access",
        "config": "ragkit.cli.config:config",
        "doctor": "ragkit.cli.doctor:doctor",
    },
    names=r"[a-z0-9][a-z0-9_-]*",
)
"""A command's name → the command, imported when it is called."""


class _Commands(click.Group):
    """The group of all commands, those of plugins listed by themselves and not imported for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return sorted(COMMANDS.own)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        cmd_name: str,
    ) -> click.Command | None:
        plugin = COMMANDS.find(cmd_name)
        if plugin is None:
            return None
        command = plugin.load()
        if isinstance(command, click.Command):
            return command
        raise PluginError(
            f"the command {cmd_name!r} of the plugin {plugin.package} is a "
            f"{type(command).__name__}; expected a click.Command. Repair the plugin, or remove it: "
            f"pip uninstall {plugin.package}"
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        rows = [(plugin.name, f"of {plugin.package}") for plugin in COMMANDS.plugins()]
        if rows:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(ragkit.__version__, prog_name="ragkit")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help=SETTINGS["config"].help
)
def cli(config_path: Path | None) -> None:
    """Answer questions from your documents with exact citations, offline and without an API key.

    Most options can also be set in ragkit.toml or by RAGKIT_… variables: `ragkit config`.
    """


def main() -> None:
    """Run the command line; print each ragkit error in one line and exit with its status."""
    log_to_terminal()
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(ExitStatus.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RagkitError as error:
        click.secho(f"ragkit: {error}", fg="red", err=True, color=use_colour())
        sys.exit(_exit_status(error))
    except BrokenPipeError:
        # The other end of the pipe (head, less) closed it; keep Python from reporting that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_status(error: RagkitError) -> ExitStatus:
    if isinstance(error, StoreError):
        return ExitStatus.BAD_INDEX
    if isinstance(error, MissingExtraError):
        return ExitStatus.MISSING_EXTRA
    models = (EncoderError, LanguageModelError, WorkersError)
    return ExitStatus.BAD_MODEL if isinstance(error, models) else ExitStatus.BAD_INPUT
