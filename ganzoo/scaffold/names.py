"""What a new plugin is called: the component, the distribution, the package and the class."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Kind
from ganzoo.errors import ParameterError
from ganzoo.registry.loading import NAME
from ganzoo.registry.lookup import PLURAL_OF, installed

LONGEST = 40
TAKEN = ("core",)
"""`ganzoo-core` is ganzoo's own distribution."""


@dataclass(frozen=True)
class Names:
    """All names of a new plugin, made of its component's kind and name."""

    kind: Kind
    name: str

    @property
    def distribution(self) -> str:
        """What is installed: `ganzoo-sphere`."""
        return f"ganzoo-{self.name}"

    @property
    def package(self) -> str:
        """What is imported: `ganzoo_sphere`."""
        return self.distribution.replace("-", "_")

    @property
    def plural(self) -> str:
        """The kind in an entry point group: `losses`."""
        return PLURAL_OF[self.kind]

    @property
    def class_name(self) -> str:
        """The class of a loss or trick: `SphereLoss`, or `Loss3dBall` where the name starts with a digit."""
        camel = "".join(word.capitalize() for word in self.name.split("-"))
        kind = self.kind.capitalize()
        return f"{kind}{camel}" if camel[0].isdigit() else f"{camel}{kind}"


def checked(kind: Kind, name: str) -> Names:
    """Return the names of a new plugin.

    Raises:
        ParameterError: the component cannot be called that.
    """
    if name.startswith("ganzoo-"):
        raise ParameterError(
            f"name the component, not the distribution: ganzoo new {kind} {name.removeprefix('ganzoo-')}"
        )
    if not NAME.fullmatch(name):
        raise ParameterError(f'"{name}" is not lower-case words and digits joined by single hyphens, e.g. soft-margin')
    if len(name) > LONGEST:
        raise ParameterError(f'"{name}" has {len(name)} characters, and users type it: use at most {LONGEST}')
    if name in TAKEN:
        raise ParameterError(f"ganzoo-{name} is ganzoo's own distribution; choose another name")
    return Names(kind, name)


def warnings(names: Names) -> list[str]:
    """Return what speaks against a name without forbidding it."""
    found = [one for one in installed().components if one.kind == names.kind and one.name == names.name]
    claimed = [
        f'the {names.kind} "{names.name}" is already registered by {one.distribution}: whoever has both must write '
        f"{names.distribution}/{names.name}; another name spares them that"
        for one in found
    ]
    others = [one for one in installed().components if one.distribution == names.distribution and one not in found]
    return claimed + [f"a distribution {names.distribution} is already installed" for _ in others[:1]]
