"""The commands ``access token`` and ``access check``."""

from __future__ import annotations

from pathlib import Path

import click

from ragkit.cli.options import index_option

__all__ = ["access"]


@click.group()
def access() -> None:
    """Make access tokens, and check a file that says who may read what."""


@access.command()
@click.argument("name")
def token(name: str) -> None:
    """Print a rule that lets NAME in with a new token, to append it to access.toml.

    The token itself is shown this once, on standard error; the rule has only its digest.
    """
    from ragkit.serving.access import new_token, token_digest, token_rule

    secret = new_token()
    click.echo(f"token: {secret}", err=True)
    click.echo(token_rule(name, token_digest(secret)))


@access.command()
@click.argument("file", type=click.Path(path_type=Path))
@index_option
def check(file: Path, index_path: Path | None) -> None:
    """Check the rules in FILE, and print how many documents each lets read."""
    from ragkit.default import open_index
    from ragkit.serving.access import Access

    rules = Access.load(file)
    index = open_index(index_path)
    for name, documents in rules.readable(index):
        shown = "as the user's claims say" if documents is None else f"{documents}"
        click.echo(f"{name}: {shown} of {len(index.documents)} documents")
