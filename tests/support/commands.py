"""Command lines of documents and files, through the program's own parser."""

from __future__ import annotations

import click

from ragkit.cli import cli

__all__ = ["parse"]


def parse(arguments: list[str]) -> None:
    """Parse a call of ragkit without running it. Raises click.UsageError for a wrong one."""
    command: click.Command = cli
    context = command.make_context("ragkit", list(arguments))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, arguments
        command, context = found, found.make_context(name, rest, parent=context)
