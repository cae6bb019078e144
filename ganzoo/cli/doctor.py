"""`ganzoo doctor`: what this machine is, for a bug report."""

from __future__ import annotations

import json
import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def doctor(as_json: bool) -> None:
    """Print what is wrong, and what a bug report needs.

    Versions, devices, folders, weights with their hashes, plugins and their states. The exit code is 1 where
    something is wrong.
    """
    from ganzoo.diagnosis import diagnose, troubles  # noqa: PLC0415

    sections, wrong = diagnose(), troubles()
    if as_json:
        click.echo(json.dumps({**sections, "troubles": wrong}, indent=2))
    else:
        for title, values in sections.items():
            click.echo(title)
            for name, value in values.items():
                click.echo(f"    {name}: {value}")
        click.echo("\n".join(["troubles", *(f"    {line}" for line in wrong)]) if wrong else "no troubles")
    if wrong:
        sys.exit(1)
