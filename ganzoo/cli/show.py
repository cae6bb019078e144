"""`ganzoo show`: one component, with all that it declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import click

from ganzoo.api import DatasetSpec, Recipe, Spec
from ganzoo.cli.completion import names
from ganzoo.cli.output import print_table
from ganzoo.errors import UnknownComponentError, did_you_mean
from ganzoo.params import build, format_value, parameters
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import Component, installed, source_of


@click.command()
@click.argument("name", shell_complete=names())
def show(name: str) -> None:
    """Show one component, and all that it declares.

    Parameters, recipe, what it needs and excludes, paper, and where its code lies.
    """
    registry = installed()
    found = [one for one in registry.components if name in (one.name, one.full_name)]
    if not found:
        known = {one.full_name if "/" in name else one.name for one in registry.components}
        near = did_you_mean(name.partition(":")[0], known)  # parameters are no part of the name
        raise UnknownComponentError(f'nothing is called "{name}"{near} (ganzoo list shows all)')
    for component in found:
        _show(component)


def _show(component: Component) -> None:
    click.echo(f"{component.kind} {component.name}, from {component.distribution} {component.version}")
    if component.spec is None:
        click.echo(f"state: {component.state}: {component.reason}\n")
        return
    spec = component.spec
    if component.state != "ok":
        click.echo(f"state: {component.state}: {component.reason}")
    click.echo(spec.summary)
    if spec.paper:
        click.echo(f"paper: {spec.paper}")
    click.echo(f"code:  {source_of(component)}")
    required = [field.name for field in parameters(spec.params).values() if field.required]
    if isinstance(spec, DatasetSpec):
        network = spec.extractor if isinstance(spec.extractor, str) else "a network that depends on its parameters"
        if callable(spec.extractor) and not required:
            params = build(spec.params, {}, component.name)
            network = Chosen(component, params).ask("extractor", params)
        click.echo(f"scored by: {', '.join(spec.metrics)} in the features of {network}")
    click.echo()
    _show_parameters(spec)
    if required:
        click.echo(f"What it declares depends on its parameters; {', '.join(required)} must be given.\n")
        return
    _show_declarations(Chosen(component, build(spec.params, {}, component.name)))


def _show_parameters(spec: Spec) -> None:
    rows = [
        [
            field.name,
            field.type,
            "(needed)" if field.required else "" if field.default is None else format_value(field.default),
            field.range,
            f"{field.help}{f' ({field.unit})' if field.unit else ''}"
            f"{'; the plan picks the first that nothing excludes' if field.trait else ''}",
        ]
        for field in parameters(spec.params).values()
    ]
    if rows:
        print_table("parameters", ["name", "type", "default", "range", "meaning"], rows)
    else:
        click.echo("no parameters\n")


def _show_declarations(chosen: Chosen) -> None:
    recipe = chosen.recipe
    values = [
        [field.name, format_value(getattr(recipe, field.name)), field.metadata["help"]]
        for field in dataclasses.fields(Recipe)
        if getattr(recipe, field.name) is not None
    ]
    if values:
        print_table("recipe, with the parameters' defaults", ["name", "value", "meaning"], values)
    if chosen.provides:
        click.echo(f"provides: {', '.join(sorted(chosen.provides))}")
    _show_reasons("requires", chosen.requires)
    _show_reasons("excludes", chosen.conflicts)


def _show_reasons(word: str, reasons: Mapping[str, str]) -> None:
    for trait, reason in reasons.items():
        click.echo(f"{word} {trait}: {reason}")
