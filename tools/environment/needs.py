"""What a checkout needs of its environment, and where that environment is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment.messages import SetupError

EDITABLE = "editables>=0.5"
"""What hatchling asks for in order to build an editable wheel, beside what pyproject.toml lists."""


@dataclass(frozen=True)
class State:
    """What an environment holds, or what a command needs of it."""

    location: str
    """Path of the environment; scripts name it, so that a moved or copied environment is no environment."""
    python: str
    """Implementation, minor version and platform."""
    dependencies: str
    """Hash of what pyproject.toml and constraints.txt ask for."""
    dev: bool
    """Whether the `dev` dependency group is there."""
    checkout: str
    """The checkout that `import ganzoo` finds; empty while that changes."""
    project: str
    """Hash of the installed metadata, entry points among it."""

    def serves(self, needed: State) -> bool:
        """Return whether an environment in this state can run a command that needs another."""
        return needed in (self, dataclasses.replace(self, dev=False))

    def bare(self) -> State:
        """Return this state without ganzoo itself: only what ganzoo depends on."""
        return dataclasses.replace(self, checkout="", project="")


def needed_state(checkout: Path, env: Path, dev: bool) -> State:
    """Return what a command of a checkout needs of an environment."""
    project = read_project(checkout)
    metadata = [project["project"], project.get("tool", {}).get("hatch")]
    return State(str(env), python_id(), dependencies_hash(checkout), dev, str(checkout), digest(metadata))


def env_path(checkout: Path, environ: Mapping[str, str]) -> Path:
    """Return where the environment of a checkout belongs."""
    if not environ.get("GANZOO_ENVS"):
        return checkout / ".venv"
    kept = Path(environ["GANZOO_ENVS"]).expanduser().resolve()
    return kept / digest([python_id(), dependencies_hash(checkout)])


def python_id() -> str:
    """Return what installed packages depend on: implementation, minor version and platform of this Python."""
    return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"


def dependencies_hash(checkout: Path) -> str:
    """Hash everything that decides which packages are installed."""
    project = read_project(checkout)
    tables = [project["project"].get("dependencies"), project.get("dependency-groups"), project.get("build-system")]
    return digest([tables, (checkout / "constraints.txt").read_text(encoding="utf-8")])


def digest(value: Any) -> str:
    """Return 16 hex digits that stand for a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def requirements(checkout: Path, dev: bool) -> list[str]:
    """Return what pip has to install before ganzoo itself, which is then built without the network."""
    project = read_project(checkout)
    found = [*project["project"].get("dependencies", []), *project["build-system"]["requires"], EDITABLE]
    if dev:
        found += group(project.get("dependency-groups", {}), "dev")
    return list(dict.fromkeys(found))


def group(groups: Mapping[str, Any], name: str, within: tuple[str, ...] = ()) -> list[str]:
    """Return the requirements of a dependency group and of the groups that it includes (PEP 735).

    pip learned to read these groups in version 25.1; the pip that Python 3.11 carries is older.
    """
    wanted = normalised(name)
    if wanted in within:
        raise SetupError(f"pyproject.toml: dependency group {name!r} includes itself")
    items = next((items for key, items in groups.items() if normalised(key) == wanted), None)
    if items is None:
        raise SetupError(f"pyproject.toml: there is no dependency group {name!r}")
    found: list[str] = []
    for item in items:
        found += [item] if isinstance(item, str) else group(groups, item["include-group"], (*within, wanted))
    return found


def normalised(name: str) -> str:
    """Return a name as package tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_project(checkout: Path) -> dict[str, Any]:
    """Return a checkout's pyproject.toml."""
    path = checkout / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{path}: {error}") from error
