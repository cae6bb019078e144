"""From a name to a component, and from a component to what it builds."""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganzoo.api import Kind, Spec
from ganzoo.errors import (
    AmbiguousNameError,
    BrokenPluginError,
    RenamedWarning,
    UnknownComponentError,
    did_you_mean,
    one_line,
)
from ganzoo.paths import exists
from ganzoo.registry.discovery import GROUPS, Damage, Entry, normalise, scan
from ganzoo.registry.loading import State, article, load_object, read_spec
from ganzoo.registry.permission import only_from

PLURALS: dict[str, Kind] = {group.removeprefix("ganzoo."): kind for group, kind in GROUPS.items()}
PLURAL_OF: dict[str, str] = {kind: plural for plural, kind in PLURALS.items()}


@dataclass(frozen=True)
class Component:
    """One registered component: where it comes from, its spec, and whether it can be used."""

    kind: Kind
    """What it is."""
    name: str
    """The key of its entry point."""
    distribution: str
    """The package that brings it."""
    version: str
    """Of that package."""
    entry: str
    """`module:attribute` of the spec."""
    state: State
    """Whether it can be used: `ok`, or what is wrong."""
    reason: str
    """What is wrong, in a sentence; empty where nothing is."""
    spec: Spec | None
    """All that is known of it without building it; None where it could not be read."""

    @property
    def full_name(self) -> str:
        """`dist/name`, which is never ambiguous."""
        return f"{self.distribution}/{self.name}"

    @property
    def shown_name(self) -> str:
        """The shortest name that means this component and no other."""
        return self.full_name if self.state == "ambiguous" else self.name

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
        found = found or self._renamed(kind, name)
        if not found:
            raise UnknownComponentError(self._unknown(kind, name))
        usable = [component for component in found if component.spec is not None]
        if len(usable) > 1:
            choices = ", ".join(component.full_name for component in usable)
            raise AmbiguousNameError(f'{kind} "{name}" is registered by several distributions; write one of: {choices}')
        (usable or found)[0].usable_spec  # noqa: B018  (raises where none can be used)
        return (usable or found)[0]

    def _renamed(self, kind: Kind, name: str) -> list[Component]:
        """Return the components that had a name before, and warn of it."""
        distribution, _, old = name.rpartition("/")
        found = [
            component
            for component in self.of(kind)
            if component.spec and old in component.spec.formerly and distribution in ("", component.distribution)
        ]
        if len(found) == 1:
            new = f"{distribution}/{found[0].name}" if distribution else found[0].shown_name
            warnings.warn(f'the {kind} "{name}" is called "{new}" now; write that', RenamedWarning, stacklevel=3)
        return found

    def _unknown(self, kind: Kind, name: str) -> str:
        elsewhere = [component.kind for component in self.components if component.name == name]
        if elsewhere:
            return f'"{name}" is {article(elsewhere[0])}, not {article(kind)}; see: ganzoo show {name}'
        if not self.components:
            return (
                f'no {kind} "{name}": no component is installed, not even ganzoo\'s own; run: pip install ganzoo-core'
            )
        if kind == "dataset" and exists(path := Path(name)) and (path.is_dir() or path.suffix == ".zip"):
            own = "folder" if path.is_dir() else "zip"
            return f'no dataset "{name}"; for images of your own write {own}:path={name}'
        names = {component.full_name if "/" in name else component.name for component in self.of(kind)}
        return f'no {kind} "{name}"{did_you_mean(name, names)} (ganzoo list {PLURAL_OF[kind]} shows all)'


def discover(path: Sequence[str] | None = None) -> Registry:
    """Scan the path and import every spec; what fails becomes a component with its reason."""
    entries, damaged = scan(path)
    components = _mark_ambiguous([_load(entry) for entry in entries])
    return Registry(tuple(sorted(components, key=lambda c: (c.kind, c.name, c.distribution))), tuple(damaged))


@functools.lru_cache(maxsize=1)
def installed() -> Registry:
    """Return the registry of this process, scanned once."""
    return discover()


@contextlib.contextmanager
def restricted(distributions: Iterable[str]) -> Generator[None]:
    """Let only these distributions take part, here and in the processes that are started; all of them where none.

    Raises:
        UnknownComponentError: no installed distribution that registers anything is called that.
    """
    words = [normalise(word.strip()) for text in distributions for word in text.split(",") if word.strip()]
    if not words:
        yield
        return
    known = {entry.distribution for entry in scan()[0]}
    for word in words:
        if word not in known:
            raise UnknownComponentError(f'no distribution "{word}" registers anything{did_you_mean(word, known)}')
    try:
        with only_from(words):
            installed.cache_clear()
            yield
    finally:
        installed.cache_clear()


def _load(entry: Entry) -> Component:
    spec, state, reason = read_spec(entry)
    return Component(
        entry.kind, entry.name, entry.distribution, entry.version, entry.value, state=state, reason=reason, spec=spec
    )


def _mark_ambiguous(components: Sequence[Component]) -> list[Component]:
    claims = Counter((component.kind, component.name) for component in components if component.state == "ok")
    return [
        replace(component, state="ambiguous", reason=f"several distributions claim it; write {component.full_name}")
        if claims[component.kind, component.name] > 1 and component.state == "ok"
        else component
        for component in components
    ]


def build_target(component: Component) -> Any:
    """Import the target of a component, and name the plugin where that fails."""
    target = component.usable_spec.target
    try:
        return load_object(target)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's module may raise anything
        raise BrokenPluginError(
            f"{component.kind} {component.full_name} {component.version}: importing {target} raised {one_line(error)}"
        ) from error


def source_of(component: Component) -> str:
    """Return the file where a component's target lies, without importing it; the target where no file is found."""
    target = component.spec.target if component.spec else component.entry
    relative = target.partition(":")[0].replace(".", "/")
    for folder in sys.path:
        for file in (f"{relative}.py", f"{relative}/__init__.py"):
            path = Path(folder) / file
            if path.is_file():
                return str(path)
    return target
