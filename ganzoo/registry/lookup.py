"""From a name to a component, and from a component to what it builds."""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ganzoo.api import API_VERSION, DatasetSpec, Kind, Paper, Spec
from ganzoo.errors import AmbiguousNameError, BrokenPluginError, ParameterError, UnknownComponentError, did_you_mean
from ganzoo.params import parameters
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
        if not found:
            raise UnknownComponentError(self._unknown(kind, name))
        usable = [component for component in found if component.spec is not None]
        if len(usable) > 1:
            choices = ", ".join(component.full_name for component in usable)
            raise AmbiguousNameError(f'{kind} "{name}" is registered by several distributions; write one of: {choices}')
        (usable or found)[0].usable_spec  # noqa: B018  (raises where none can be used)
        return (usable or found)[0]

    def _unknown(self, kind: Kind, name: str) -> str:
        elsewhere = [component.kind for component in self.components if component.name == name]
        if elsewhere:
            return f'"{name}" is {_article(elsewhere[0])}, not {_article(kind)}; see: ganzoo show {name}'
        if not self.components:
            return (
                f'no {kind} "{name}": no component is installed, not even ganzoo\'s own; run: pip install ganzoo-core'
            )
        names = {component.full_name if "/" in name else component.name for component in self.of(kind)}
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
        with contextlib.redirect_stdout(sys.stderr):  # a plugin that prints must not end up in `ganzoo list --json`
            return _read(entry, load_object(entry.value))
    except (Exception, SystemExit) as error:  # whatever a stranger's module does at import must stop only itself
        if isinstance(error, ImportError) and error.name == "ganzoo.api":
            mend = f"upgrade ganzoo-core or {entry.distribution}, whichever is older"
            return None, "wrong API", f"{error}: not in plugin API {API_VERSION}, which this ganzoo speaks; {mend}"
        return None, "broken", f"importing {entry.value} raised {one_line(error)}"


def _read(entry: Entry, found: Any) -> tuple[Spec | None, State, str]:
    api = getattr(found, "api", None)
    if isinstance(api, int) and api != API_VERSION:
        mend = "upgrade ganzoo-core" if api > API_VERSION else f"upgrade {entry.distribution}"
        return None, "wrong API", f"written for plugin API {api}, this ganzoo speaks {API_VERSION}; {mend}"
    if not isinstance(found, Spec):
        return None, "broken", f"{entry.value} is {_article(type(found).__name__)}, not a ganzoo.api.Spec"
    if found.kind != entry.kind:
        return None, "broken", f'{entry.value} says kind="{found.kind}" and is registered as {entry.kind}'
    if entry.kind == "dataset" and not isinstance(found, DatasetSpec):
        return None, "broken", f"{entry.value} is a Spec; a dataset needs a ganzoo.api.DatasetSpec"
    flaw = _flaw(found)
    return (None, "broken", f"{entry.value}: {flaw}") if flaw else (found, "ok", "")


def _flaw(spec: Spec) -> str:
    """Say what listing or planning would stumble over; nothing where there is no such thing."""
    fields: dict[str, tuple[Any, str]] = {
        "target": (str, "a string"), "summary": (str, "a string"), "paper": (Paper | None, "a ganzoo.api.Paper")
    }  # fmt: skip
    for name, (kind, words) in fields.items():
        if not isinstance(getattr(spec, name), kind):
            return f"{name} is {getattr(spec, name)!r}, not {words}"
    if ":" not in spec.target:
        return f'target is "{spec.target}", not module:attribute'
    if isinstance(spec.provides, str):
        return f'provides is a string, not a collection of them; write ("{spec.provides}",)'
    if not is_dataclass(spec.params):
        return f"params is {spec.params!r}, not a dataclass"
    try:
        parameters(spec.params)
    except (ParameterError, NameError) as error:  # NameError: an annotation that names what is not imported
        return f"params: {error}"
    return ""


def one_line(error: BaseException) -> str:
    """Return an exception's type and message on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _mark_ambiguous(components: Iterable[Component]) -> list[Component]:
    components = list(components)
    claims = Counter((component.kind, component.name) for component in components if component.state == "ok")
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
            f"{component.kind} {component.full_name} {component.version}: importing {target} raised {one_line(error)}"
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
