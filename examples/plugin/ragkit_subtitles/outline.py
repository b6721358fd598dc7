"""``ragkit outline``: the headings of every document of an index."""

from __future__ import annotations

import click

import ragkit

__all__ = ["outline"]


@click.command()
@click.argument("index")
def outline(index: str) -> None:
    """Print the headings of each document of INDEX."""
    for document in ragkit.Index.open(index).documents:
        click.echo(document.title)
        for section in document.sections:
            if section.path:
                click.echo(f"{'  ' * len(section.path)}{section.path[-1]}")
