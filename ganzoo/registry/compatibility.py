"""Which components work together, and why not: explained, never asserted."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.api import Reasons, Recipe, Setting
from ganzoo.errors import BrokenPluginError, GanzooError, one_line
from ganzoo.params import Parameter, build, parameters
from ganzoo.registry.loading import ANSWERS
from ganzoo.registry.lookup import Component


@dataclass(frozen=True)
class Chosen:
    """A component with its parameters, and which of them the user gave."""

    component: Component
    params: Any
    given: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The component's name, or `dist/name` where several distributions claim that."""
        return self.component.shown_name

    @property
    def recipe(self) -> Recipe:
        """The training settings it has an opinion on, checked as a user's are."""
        declared = dataclasses.asdict(self._declared("recipe"))
        opinions = {key: value for key, value in declared.items() if value is not None}
        return build(Recipe, opinions, f"the recipe of {self.component.full_name}")

    @property
    def given_recipe(self) -> Recipe:
        """The part of its recipe that parameters which the user gave decide; other components do not outrank it.

        A recipe value is decided by them if it differs from the one at the default parameters, or if a given parameter
        has its name: `wgan-gp:n_critic=5` is a wish also where 5 is the default.
        """
        recipe, known = self.recipe, parameters(self.component.usable_spec.params)
        defaults = {name: known[name].default for name in self.given if not known[name].required}
        plain = dataclasses.replace(self, params=dataclasses.replace(self.params, **defaults)).recipe
        return Recipe(**{
            field.name: getattr(recipe, field.name)
            for field in dataclasses.fields(Recipe)
            if field.name in self.given or getattr(recipe, field.name) != getattr(plain, field.name)
        })  # fmt: skip

    @property
    def requires(self) -> Reasons:
        """Traits it needs, with reasons."""
        return self._declared("requires")

    @property
    def conflicts(self) -> Reasons:
        """Traits it excludes, with reasons."""
        return self._declared("conflicts")

    @property
    def provides(self) -> Collection[str]:
        """Traits it has: those it declares, and those of the choices in its parameters."""
        settled = {f"{field.trait}:{getattr(self.params, field.name)}" for field in self.negotiable}
        return {*self._declared("provides"), *settled}

    @property
    def negotiable(self) -> list[Parameter]:
        """Parameters that the plan may settle."""
        return [field for field in parameters(self.component.usable_spec.params).values() if field.trait]

    def _declared(self, field: str) -> Any:
        """Return what a field of the spec holds, or gives for these parameters where it is a function of them."""
        value = getattr(self.component.usable_spec, field)
        return self.ask(field, self.params) if callable(value) else value

    def ask(self, field: str, *arguments: Any) -> Any:
        """Call a function of the spec, and name the plugin where it raises or returns what it must not."""
        component = self.component
        name = f"{component.kind} {component.full_name} {component.version}"
        try:
            answer = getattr(component.usable_spec, field)(*arguments)
        except (GanzooError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a stranger's function may raise anything
            raise BrokenPluginError(f"{name}: its {field} raised {one_line(error)}") from error
        kind, words = ANSWERS[field]
        if not isinstance(answer, kind):
            raise BrokenPluginError(f"{name}: its {field} returned {answer!r}, not {words}")
        return answer


def negotiate(chosen: Sequence[Chosen]) -> tuple[list[Chosen], list[str]]:
    """Settle every negotiable parameter that the user left open; return the components and what was adjusted.

    The first choice that no other component excludes is taken; where all are excluded the default stays, and
    `objections` says why that cannot work.
    """
    settled: list[Chosen] = []
    adjustments: list[str] = []
    for one in chosen:
        params = one.params
        for field in one.negotiable:
            excluded = _exclusions(field, [other for other in chosen if other is not one])
            free = [choice for choice in field.choices if choice not in excluded]
            before = getattr(params, field.name)
            if field.name in one.given or before not in excluded or not free:
                continue
            params = dataclasses.replace(params, **{field.name: free[0]})
            why = _why(field, excluded, before, free[0])
            adjustments.append(f"{one.name}: {field.name.replace('_', ' ')} = {free[0]} ({why})")
        settled.append(dataclasses.replace(one, params=params))
    return settled, adjustments


def _exclusions(field: Parameter, others: Sequence[Chosen]) -> dict[str, tuple[str, str]]:
    """Return the excluded choices, each with who excludes it and why."""
    found: dict[str, tuple[str, str]] = {}
    for choice in field.choices:
        for other in others:
            reason = other.conflicts.get(f"{field.trait}:{choice}")
            if reason:
                found.setdefault(choice, (other.name, reason))
    return found


def _why(field: Parameter, excluded: dict[str, tuple[str, str]], before: str, taken: str) -> str:
    """Say who excluded the default and what comes before the choice taken, with one reason for all that share it."""
    passed = {before, *field.choices[: field.choices.index(taken)]}
    causes: dict[tuple[str, str], list[str]] = {}
    for choice in field.choices:
        if choice in passed and choice in excluded:
            causes.setdefault(excluded[choice], []).append(choice)
    return "; ".join(f"{name} excludes {', '.join(those)}: {reason}" for (name, reason), those in causes.items())


def objections(chosen: Sequence[Chosen], setting: Setting, traits: Collection[str] = ()) -> list[str]:
    """Return every reason why these components cannot work together; none when they can.

    Args:
        chosen: negotiated components.
        setting: what they would be built for.
        traits: what the data provides, e.g. `labels`.
    """
    found: list[str] = []
    provided = set(traits).union(*(one.provides for one in chosen))
    for one in chosen:
        for trait, reason in one.requires.items():
            if trait not in provided:
                found.append(f"{one.name} needs {trait}: {reason}")
        for trait, reason in one.conflicts.items():
            holders = [other.name for other in chosen if other is not one and trait in other.provides]
            if holders:
                found.append(f"{one.name} excludes {trait} ({', '.join(holders)}): {reason}")
        reason = one.ask("refuse", one.params, setting) if one.component.usable_spec.refuse else None
        if reason:
            found.append(f"{one.name}: {reason}")
    return found
