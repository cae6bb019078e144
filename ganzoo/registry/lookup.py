"""From a name to a component, and from a component to what it builds."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ganzoo.api import API_VERSION, DatasetSpec, Kind, Spec
from ganzoo.errors import AmbiguousNameError, BrokenPluginError, UnknownComponentError, did_you_mean
from ganzoo.registry.discovery import Damage, Entry, scan

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
State = Literal["ok", "broken", "ambiguous", "wrong API"]
PLURALS: dict[str, Kind] = {
    "architectures": "architecture",
    "losses": "loss",
    "tricks": "trick",
    "datasets": "dataset",
    "extractors": "extractor",
}


@dataclass(frozen=True)
class Component:
    """One registered component: where it comes from, its spec, and whether it can be used."""

    kind: Kind
    name: str
    distribution: str
    version: str
    entry: str
    """`module:attribute` of the spec."""
    state: State
    reason: str
    spec: Spec | None

    @property
    def full_name(self) -> str:
        """`dist/name`, which is never ambiguous."""
        return f"{self.distribution}/{self.name}"

    @property
    def usable_spec(self) -> Spec:
        """The spec of a component that can be used."""
        if self.spec is None or self.state not in ("ok", "ambiguous"):
            raise BrokenPluginError(f"{self.kind} {self.full_name} {self.version} is {self.state}: {self.reason}")
        return self.spec


@dataclass(frozen=True)
class Registry:
    """Everything that is installed."""

    components: tuple[Component, ...]
    damaged: tuple[Damage, ...]

    def of(self, kind: Kind) -> list[Component]:
        """Return all components of a kind, sorted by name, whatever their state."""
        return [component for component in self.components if component.kind == kind]

    def get(self, kind: Kind, name: str) -> Component:
        """Return the one usable component that `name` or `dist/name` means.

        Raises:
            UnknownComponentError: nothing of that kind has the name.
            AmbiguousNameError: several distributions register it.
            BrokenPluginError: it is there and cannot be used.
        """
        known = self.of(kind)
        found = [component for component in known if name in (component.name, component.full_name)]
        if not found:
            raise UnknownComponentError(self._unknown(kind, name))
        if len(found) > 1:
            choices = ", ".join(component.full_name for component in found)
            raise AmbiguousNameError(f'{kind} "{name}" is registered by several distributions; write one of: {choices}')
        found[0].usable_spec  # noqa: B018  (raises where the component is broken)
        return found[0]

    def _unknown(self, kind: Kind, name: str) -> str:
        elsewhere = [component.kind for component in self.components if component.name == name]
        if elsewhere:
            return f'"{name}" is {_article(elsewhere[0])}, not {_article(kind)}; see: ganzoo show {name}'
        names = [component.name for component in self.of(kind)]
        plural = next(word for word, of in PLURALS.items() if of == kind)
        return f'no {kind} "{name}"{did_you_mean(name, names)} (ganzoo list {plural} shows all)'


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def discover(path: Sequence[str] | None = None) -> Registry:
    """Scan the path and import every spec; what fails becomes a component with its reason."""
    entries, damaged = scan(path)
    components = _mark_ambiguous([_load(entry) for entry in entries])
    return Registry(tuple(sorted(components, key=lambda c: (c.kind, c.name, c.distribution))), tuple(damaged))


@functools.lru_cache(maxsize=1)
def installed() -> Registry:
    """Return the registry of this process, scanned once."""
    return discover()


def _load(entry: Entry) -> Component:
    spec, state, reason = _spec(entry)
    return Component(
        entry.kind, entry.name, entry.distribution, entry.version, entry.value, state=state, reason=reason, spec=spec
    )


def _spec(entry: Entry) -> tuple[Spec | None, State, str]:
    if not NAME.fullmatch(entry.name):
        return None, "broken", f'the name "{entry.name}" is not lower-case words joined by single dashes'
    try:
        found = load_object(entry.value)
    except (Exception, SystemExit) as error:  # whatever a stranger's module does at import must stop only itself
        return None, "broken", f"importing {entry.value} raised {type(error).__name__}: {error}"
    api = getattr(found, "api", None)
    if isinstance(api, int) and api != API_VERSION:
        mend = "upgrade ganzoo-core" if api > API_VERSION else f"upgrade {entry.distribution}"
        return None, "wrong API", f"written for plugin API {api}, this ganzoo speaks {API_VERSION}; {mend}"
    if not isinstance(found, Spec):
        return None, "broken", f"{entry.value} is {_article(type(found).__name__)}, not a ganzoo.api.Spec"
    wrong = found.kind != entry.kind or (entry.kind == "dataset" and not isinstance(found, DatasetSpec))
    if wrong:
        return None, "broken", f"{entry.value} describes {_article(found.kind)} and is registered as {entry.kind}"
    return found, "ok", ""


def _mark_ambiguous(components: Iterable[Component]) -> list[Component]:
    components = list(components)
    claims = Counter((component.kind, component.name) for component in components)
    return [
        replace(component, state="ambiguous", reason=f"several distributions claim it; write {component.full_name}")
        if claims[component.kind, component.name] > 1 and component.state == "ok"
        else component
        for component in components
    ]


def load_object(value: str) -> Any:
    """Import what `module:attribute` names, e.g. a spec, or the target of a spec."""
    module, _, attribute = value.partition(":")
    found = importlib.import_module(module.strip())
    for name in filter(None, attribute.strip().split(".")):
        found = getattr(found, name)
    return found


def build_target(component: Component) -> Any:
    """Import the target of a component, and name the plugin where that fails."""
    target = component.usable_spec.target
    try:
        return load_object(target)
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        raise BrokenPluginError(
            f"{component.kind} {component.full_name} {component.version}: importing {target} raised "
            f"{type(error).__name__}: {error}"
        ) from error


def source_of(component: Component) -> str:
    """Return the file where a component's target lies, without importing it; the target where no file is found."""
    target = component.spec.target if component.spec else component.entry
    relative = target.partition(":")[0].replace(".", "/")
    for folder in sys.path:
        for file in (f"{relative}.py", f"{relative}/__init__.py"):
            path = Path(folder or ".") / file
            if path.is_file():
                return str(path)
    return target
