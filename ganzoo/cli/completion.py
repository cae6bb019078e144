"""Shell completion of component names."""

from __future__ import annotations

from collections.abc import Callable

import click

from ganzoo.api import Kind
from ganzoo.registry.lookup import installed

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def names(kind: Kind | None = None) -> Complete:
    """Return a completion of the components of a kind, or of all; the last of a comma list is completed."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, comma, start = incomplete.rpartition(",")
        found = [one.name for one in installed().components if kind in (None, one.kind)]
        return [before + comma + name for name in dict.fromkeys(found) if name.startswith(start)]

    return complete
