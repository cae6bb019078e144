"""The component that is checked, with the parameters it is checked at. No torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganzoo.api import Spec
from ganzoo.errors import GanzooError, ParameterError, UnknownComponentError, did_you_mean
from ganzoo.params import Parameter, build, label, parameters, parse
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import Component, build_target, installed
from ganzoo.registry.renames import renamed


@dataclass(frozen=True)
class Subject:
    """A component and the parameter values that it is checked at; what is not given has its default."""

    component: Component
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def spec(self) -> Spec:
        """Its spec; raises BrokenPluginError where it cannot be used."""
        return self.component.usable_spec

    @property
    def params(self) -> Any:
        """The params dataclass at the given values."""
        name = self.component.name
        return build(self.spec.params, renamed(self.spec, self.values, name), name)

    @property
    def is_valid(self) -> bool:
        """Whether its values go together, which a params dataclass may check in __post_init__."""
        try:
            return self.params is not None
        except ParameterError:
            return False

    @property
    def chosen(self) -> Chosen:
        """The component as the plan sees it."""
        return Chosen(self.component, self.params, frozenset(self.values))

    @property
    def title(self) -> str:
        """`loss sphere:margin=2`, or without the parameters where it cannot be used."""
        name = self.component.name
        with contextlib.suppress(GanzooError):
            name = label(name, self.params)
        return f"{self.component.kind} {name}"

    @property
    def target(self) -> Any:
        """What the spec's target names, imported."""
        return build_target(self.component)

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters that it declares."""
        return parameters(self.spec.params)

    def at(self, **values: Any) -> Subject:
        """Return the same component at other values of some parameters."""
        return Subject(self.component, {**self.values, **values})

    def options(self) -> Iterator[Subject]:
        """Yield it at every value that a switch or a choice can have besides the one it is checked at."""
        params = self.params
        for name, parameter in self.parameters().items():
            if parameter.is_tuple:
                continue
            for value in parameter.choices or ((True, False) if parameter.convert is bool else ()):
                other = self.at(**{name: value})
                if value != getattr(params, name) and other.is_valid:
                    yield other


def subjects(text: str) -> list[Subject]:
    """Return the components that `name:key=value` means, one of each kind that has the name.

    Raises:
        UnknownComponentError: nothing is called that.
    """
    name, values = parse(text)
    registry = installed()
    found = [one for one in registry.components if name in (one.name, one.full_name)]
    if not found:
        known = {one.full_name if "/" in name else one.name for one in registry.components}
        raise UnknownComponentError(
            f'nothing is called "{name}"{did_you_mean(name, known)} (ganzoo list shows all; a plugin that is not '
            "installed is checked by its folder: ganzoo check ./FOLDER)"
        )
    checked = [Subject(one, values) for one in found]
    for one in checked:
        if one.component.spec is not None:
            _ = one.params  # a parameter that is unknown or missing is the user's error, not the component's
    return checked
