"""`ganzoo list`: everything that is installed, and whether it can be used."""

from __future__ import annotations

import json
from typing import Any

import click

from ganzoo.cli.output import print_table
from ganzoo.interface import list_components
from ganzoo.registry.lookup import PLURAL_OF, PLURALS, Component, Registry, installed


class _Plural(click.Choice):  # of str, which click 8.1 does not let one say
    """Takes the singular too, as ganzoo new does."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the plural."""
        return super().convert(PLURAL_OF.get(value, value), param, ctx)


@click.command("list")
@click.argument("kind", required=False, metavar="[KIND]", type=_Plural(list(PLURALS)))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with an object for each component.")
def list_command(kind: str | None, as_json: bool) -> None:
    """List what is installed, and whether it works.

    KIND is architectures, losses, tricks, datasets, extractors (feature networks of scores) or engines; without it,
    all are listed.
    """
    registry = installed()
    components = list_components(kind)
    if as_json:
        click.echo(json.dumps([as_row(one) for one in components] + _damaged(registry), indent=2))
        return
    for plural, of in PLURALS.items():
        rows = [_cells(one) for one in components if one.kind == of]
        if rows:
            print_table(plural, ["name", "summary", "paper", "distribution", "state"], rows)
    for damage in registry.damaged:
        click.echo(f"broken distribution {damage.distribution} {damage.version}: {damage.reason}")
    if not registry.components:
        click.echo("nothing is installed, not even ganzoo's own components; run: pip install ganzoo-core")


def as_row(component: Component) -> dict[str, Any]:
    """Return a component as JSON shows it."""
    spec = component.spec
    return {
        "kind": component.kind,
        "name": component.name,
        "distribution": component.distribution,
        "version": component.version,
        "state": component.state,
        "reason": component.reason,
        "summary": spec.summary if spec else "",
        "paper": str(spec.paper) if spec and spec.paper else "",
        "entry": component.entry,
    }


def _damaged(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "kind": "distribution", "name": damage.distribution, "distribution": damage.distribution,
            "version": damage.version, "state": "broken", "reason": damage.reason, "summary": "", "paper": "",
            "entry": "",
        }
        for damage in registry.damaged
    ]  # fmt: skip


def _cells(component: Component) -> list[str]:
    spec = component.spec
    paper = f"{spec.paper.id or spec.paper.title} ({spec.paper.year})" if spec and spec.paper else ""
    state = component.state if component.state == "ok" else f"{component.state}: {component.reason}"
    return [component.name, spec.summary if spec else "", paper, f"{component.distribution} {component.version}", state]
