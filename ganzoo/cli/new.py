"""`ganzoo new`: write a plugin that works, to be changed into one's own."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from ganzoo.api import Kind
from ganzoo.registry.lookup import PLURALS
from ganzoo.scaffold.files import LICENCES, files, write
from ganzoo.scaffold.names import checked, warnings


@click.command()
@click.argument("kind", metavar="KIND", type=click.Choice(list(PLURALS.values())))
@click.argument("name")
@click.option(
    "--in", "parent", type=click.Path(path_type=Path), default=Path(), help="Where its folder goes; default ."
)
@click.option("--author", default="", help="Who wrote it, for pyproject.toml and the licence.")
@click.option(
    "--license", "licence", type=click.Choice(LICENCES), default=LICENCES[0], show_default=True, help="Its licence."
)
@click.option("--dry-run", is_flag=True, help="Show the files, and write nothing.")
def new(kind: str, name: str, *, parent: Path, author: str, licence: str, dry_run: bool) -> None:
    """Write a plugin that works, to be changed into yours.

    KIND is architecture, loss, trick, dataset, extractor or engine. NAME is what users will type. The plugin is an
    ordinary Python package in a folder of its own: it installs, passes ganzoo check and trains as it is, and its one
    file that does the work waits for yours.
    """
    names = checked(cast("Kind", kind), name)
    for warning in warnings(names):
        click.echo(f"warning: {warning}", err=True)
    contents = files(names, author, licence)
    folder = parent / names.distribution
    if not dry_run:
        write(folder, contents)
    for path, text in contents.items():
        count = text.count("\n")
        click.echo(f"{folder / path}  ({count} {'line' if count == 1 else 'lines'})")
    if not dry_run:
        main = f"{names.package}/{names.kind}.py"
        click.echo(f"\nnext: write yours in {folder / main}, then")
        click.echo(f"    ganzoo check {folder}/")
        click.echo(f"    pip install --editable {folder}")
        click.echo(f"    ganzoo bench {_usage(contents)}")


def _usage(contents: dict[str, str]) -> str:
    (line,) = [line for line in contents["README.md"].splitlines() if line.startswith("    ganzoo bench ")]
    return line.removeprefix("    ganzoo bench ")
