"""The program ``ragkit``: its commands, and the exit status of each error."""

from __future__ import annotations

import os
import sys

import click

import ragkit
from ragkit.cli.ask import ask, quotes, show
from ragkit.cli.chat import chat
from ragkit.cli.doctor import doctor
from ragkit.cli.evaluation import evaluation, tune
from ragkit.cli.index import index
from ragkit.cli.output import ExitStatus, log_to_terminal, use_colour
from ragkit.cli.serving import mcp, serve
from ragkit.errors import (
    EncoderError,
    LanguageModelError,
    MissingExtraError,
    RagkitError,
    StoreError,
    WorkersError,
)

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(ragkit.__version__, prog_name="ragkit")
def cli() -> None:
    """Answer questions from your documents with exact citations, offline and without an API key."""


for command in (ask, chat, show, quotes, index, evaluation, tune, serve, mcp, doctor):
    cli.add_command(command)


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
