"""Which code took part in a run: the name, version and content hash of every distribution. No torch."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from ganzoo.registry.lookup import Component, installed

CORE = "ganzoo-core"
"""The distribution of ganzoo itself."""


def provenance(distributions: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of what distributions hold, by their name and version, e.g. `ganzoo-sphere 1.0`.

    It covers every file of the packages that their components lie in, as it is now, also in an editable install.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(distributions):
        components = [one for one in installed().components if one.distribution == name]
        for component in components[:1]:
            found[f"{name} {component.version}"] = content_sha256(_packages(components))
    return found


def code_of(distribution: str) -> str:
    """Return a plugin's name, version and the start of its content hash; nothing of ganzoo's own distribution."""
    if distribution == CORE:
        return ""
    return ", ".join(f"{name} (sha256 {sha256[:8]})" for name, sha256 in provenance([distribution]).items())


def _packages(components: Iterable[Component]) -> list[str]:
    """Return the top-level packages and modules that the specs and targets of components lie in."""
    named = {one.entry for one in components} | {one.spec.target for one in components if one.spec}
    return sorted({value.partition(":")[0].strip().partition(".")[0] for value in named})


def content_sha256(packages: Iterable[str]) -> str:
    """Return a hash of the paths and contents of all files of packages; what Python caches is left out."""
    digest = hashlib.sha256()
    for package in packages:
        for path, file in _files(package):
            digest.update(f"{path}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package or module with their paths, in the same order everywhere."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        if spec.origin:
            yield Path(spec.origin).name, Path(spec.origin)
        return
    for folder in sorted(map(Path, spec.submodule_search_locations)):
        files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
        for path, file in sorted(files.items()):
            if "__pycache__" not in file.parts:
                yield f"{package}/{path}", file
