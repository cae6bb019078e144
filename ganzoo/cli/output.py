"""Tables: drawn by rich in a terminal, plain columns when piped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def is_terminal() -> bool:
    """Tell whether a person is looking."""
    return sys.stdout.isatty()


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print rows under a header; `right` are the columns of numbers."""
    if is_terminal():
        _print_rich(title, header, rows, right)
        return
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    if title:
        click.echo(title)
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
    click.echo()


def _print_rich(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    from rich import box  # noqa: PLC0415  (a tenth of a second that a pipe need not wait for)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    needed = 1
    for i, name in enumerate(header):
        number = i in right
        words = name.replace(" ", "\n") if number else name  # one word per line keeps a column of numbers narrow
        least = max(map(len, [*words.split("\n"), *(row[i] for row in rows if number)]))
        needed += least + 3  # a blank on both sides, and the separator
        table.add_column(
            Text(words), justify="right" if number else "left", overflow="fold", no_wrap=number, min_width=least
        )
    for row in rows:
        table.add_row(*map(Text, row))
    width = max(Console().width, needed)  # better a line that the terminal wraps than a number cut short
    Console(width=width).print(table)
