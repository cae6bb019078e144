"""What was asked for, looked up: components with their parameters, and what a run records of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ganzoo.api import Kind
from ganzoo.params import build
from ganzoo.planning.request import Asked
from ganzoo.planning.run import Part
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import installed
from ganzoo.registry.renames import renamed


def choose(kind: Kind, asked: Sequence[Asked]) -> list[Chosen]:
    """Look components up and build their parameters; errors name the place where they were asked for."""
    chosen: list[Chosen] = []
    for one in asked:
        with one.place.blamed():
            component = installed().get(kind, one.name)
            values = renamed(component.usable_spec, one.values, component.shown_name)
            params = build(component.usable_spec.params, values, component.shown_name)
        chosen.append(Chosen(component, params, frozenset(values)))
    return chosen


def part(chosen: Chosen) -> Part:
    """Return what a run records of a component."""
    component = chosen.component
    return Part(
        component.kind, component.name, component.distribution, component.version, dataclasses.asdict(chosen.params)
    )
