"""The command ``doctor``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ragkit.cli.options import index_option, json_option
from ragkit.cli.output import ExitStatus, print_json, use_colour

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}


@click.command()
@index_option
@json_option
def doctor(index_path: Path | None, as_json: bool) -> None:
    """Examine the installation and the index, and print what to do.

    The exit status is 1 if there is a fault.
    """
    from ragkit.doctor import examine

    findings = []
    for finding in examine(index_path):
        findings.append(finding)
        if not as_json:
            status = click.style(f"{finding.status:6}", fg=_COLOURS[finding.status])
            click.echo(f"{status}{finding.name:11}{finding.detail}", color=use_colour())
            if finding.advice:
                click.echo(f"{'':17}{finding.advice}")
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    if any(finding.status == "fault" for finding in findings):
        sys.exit(ExitStatus.NEGATIVE)
