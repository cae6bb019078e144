"""`ganzoo report`: the table of finished runs, again and in other formats."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.cli.bench import show_summary
from ganzoo.results.formats import FORMATS
from ganzoo.results.summary import summarise


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Print Markdown, CSV, LaTeX or JSON instead.")
@click.option("--split", is_flag=True, help="A table for each protocol, instead of refusing several.")
def report(runs: tuple[Path, ...], form: str | None, split: bool) -> None:
    """Print the table of finished runs again.

    RUNS are results folders (--out of ganzoo bench), which must have been scored under one protocol.
    """
    summary = summarise(runs, split)
    if form:
        click.echo(FORMATS[form](summary), nl=False)
    else:
        show_summary(summary)
