"""Plugins that are not installed: a folder with a pyproject.toml is checked as if it were. No torch."""

from __future__ import annotations

import atexit
import shlex
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ganzoo.errors import BrokenPluginError, UnknownComponentError
from ganzoo.paths import exists
from ganzoo.registry.discovery import GROUPS, misspelt_groups, normalise
from ganzoo.registry.lookup import installed
from ganzoo.testing.subject import Subject, subjects


def is_folder(text: str) -> bool:
    """Tell whether a text names a folder rather than a component: it has a slash or a dot, and is there."""
    return ("/" in text or text.startswith(".")) and exists(Path(text)) and Path(text).is_dir()


def find(text: str) -> list[Subject]:
    """Return what is to be checked: the components that a name means, or all that a folder's plugin brings.

    Raises:
        UnknownComponentError: nothing is called that, or the folder registers nothing.
        BrokenPluginError: the folder's pyproject.toml cannot be read.
    """
    if is_folder(text):
        return in_folder(Path(text))
    if text.startswith(".") or text.endswith("/"):
        raise UnknownComponentError(f"{text}: no such folder; name the folder of a plugin, or what is installed")
    try:
        return subjects(text)
    except UnknownComponentError:
        if exists(Path(text) / "pyproject.toml"):
            folder = shlex.quote(f"{text}/")
            raise UnknownComponentError(
                f'no component is called "{text}"; check the folder: ganzoo check {folder}'
            ) from None
        raise


def in_folder(folder: Path) -> list[Subject]:
    """Return the components of a plugin's folder, which this process sees from now on as installed."""
    project = _project(folder)
    name, version = normalise(str(project.get("name", folder.name))), str(project.get("version", "0"))
    groups = cast("Mapping[str, Mapping[str, str]]", project.get("entry-points", {}))
    own = {group: dict(entries) for group, entries in groups.items() if group in GROUPS}
    for reason in misspelt_groups(groups):
        raise BrokenPluginError(f"{folder / 'pyproject.toml'}: {reason}")
    if not own:
        raise UnknownComponentError(
            f'{folder / "pyproject.toml"} registers nothing: it needs [project.entry-points."ganzoo.losses"], or '
            f"another of {', '.join(GROUPS)}"
        )
    _show(folder, name, version, own)
    return [Subject(one) for one in installed().components if one.distribution == name]


def _project(folder: Path) -> Mapping[str, Any]:
    file = folder / "pyproject.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    except FileNotFoundError:
        raise UnknownComponentError(f"{file} is missing; name the folder of a plugin, or what is installed") from None
    except KeyError:
        raise BrokenPluginError(f"{file} has no [project] table") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BrokenPluginError(f"{file} cannot be read: {error}") from None


def _show(folder: Path, name: str, version: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Put the folder, and what an installer would write of it, at the front of sys.path.

    What was imported of another copy, as of one that is installed, is forgotten; ganzoo itself is at work, and stays.
    """
    site = Path(tempfile.mkdtemp(prefix="ganzoo-check-"))
    atexit.register(shutil.rmtree, site, ignore_errors=True)
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    source = (folder / "src" if (folder / "src").is_dir() else folder).resolve()
    sys.path[:0] = [str(site), str(source)]
    for module in list(sys.modules):
        package = module.partition(".")[0]
        if package != "ganzoo" and ((source / package).is_dir() or (source / f"{package}.py").is_file()):
            del sys.modules[module]
    installed.cache_clear()
