"""The command ``config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ragkit.cli.configuration import DEFAULT
from ragkit.cli.options import configuration, json_option
from ragkit.cli.output import print_json, table_console

if TYPE_CHECKING:
    from ragkit.cli.configuration import Configuration

__all__ = ["config"]


@click.command()
@json_option
@click.pass_context
def config(ctx: click.Context, *, as_json: bool) -> None:
    """Show every setting, its value, and where the value comes from.

    An option of the command line comes before a variable of the environment, that before the file,
    and that before the default. Secrets are not shown.
    """
    loaded = configuration(ctx)
    if as_json:
        print_json({"file": loaded.file and str(loaded.file), "settings": _entries(loaded)})
        return
    click.echo(f"File: {loaded.file or 'none'}\n")
    table_console().print(_table(loaded))


def _entries(loaded: Configuration) -> list[dict[str, Any]]:
    return [
        {
            "key": effective.setting.key,
            "value": effective.shown,
            "origin": effective.origin,
            "variable": effective.setting.variable,
        }
        for effective in loaded.effective()
    ]


def _table(loaded: Configuration) -> Any:
    from rich.table import Table

    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for effective in loaded.effective():
        is_file = loaded.file is not None and effective.origin == str(loaded.file)
        origin = loaded.file.name if is_file and loaded.file else effective.origin
        style = "dim" if effective.origin == DEFAULT else "bold"
        table.add_row(effective.setting.key, _as_text(effective.shown), origin, style=style)
    return table


def _as_text(value: Any) -> str:
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
