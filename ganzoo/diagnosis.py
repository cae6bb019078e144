"""What a bug report needs to say of a machine: versions, devices, weights, data, plugins and disk."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ganzoo import paths
from ganzoo.errors import GanzooError
from ganzoo.registry.discovery import normalise, scan
from ganzoo.registry.lookup import PLURAL_OF, Component, installed
from ganzoo.registry.permission import DISABLE, ONLY_FROM, listed
from ganzoo.registry.provenance import provenance
from ganzoo.version import __version__
from ganzoo.zoo.specs.extractors import INCEPTION_2015_SHA256

Section = dict[str, str]
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pytorch-fid", "click", "msgspec", "rich", "safetensors")
VARIABLES = ("GANZOO_CACHE", "GANZOO_DATA", DISABLE, ONLY_FROM, "TORCH_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
PLACES: dict[str, Callable[[], Path]] = {"data root": paths.data_root, "cache": paths.cache_dir, "here": Path.cwd}
WEIGHTS = (".pth", ".pt", ".safetensors", ".bin")
INCEPTION = "pt_inception-2015-12-05-*.pth"
"""As pytorch-fid calls the weights that FID and IS are computed with."""


def diagnose() -> dict[str, Section]:
    """Return sections of names and values; whatever cannot be found out says so, and stops nothing."""
    return {
        "ganzoo": {"version": __version__, "code": str(Path(__file__).parent), "command": sys.argv[0]},
        "python": {"version": platform.python_version(), "executable": sys.executable, "system": platform.platform()},
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": _devices(),
        "folders": _folders(),
        "weights": _weights(),
        "plugins": _plugins(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def troubles() -> list[str]:
    """Return what is wrong, each with what to do about it."""
    registry = installed()
    found = [
        f"{one.kind} {one.full_name} {one.version} is {one.state}: {one.reason}"
        for one in registry.components
        if one.state not in ("ok", "disabled")
    ]
    found += [f"distribution {one.distribution} {one.version} is broken: {one.reason}" for one in registry.damaged]
    known = {name for one in registry.components for name in (one.name, one.full_name, one.distribution)}
    distributions = {entry.distribution for entry in scan()[0]}
    for variable, names in ((DISABLE, known | distributions), (ONLY_FROM, distributions)):
        strangers = [word for word in listed(variable) if word not in names and normalise(word) not in names]
        found += [f"{variable} names {word}, which nothing that is installed is called" for word in strangers]
    return found


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> Section:
    try:
        import torch  # noqa: PLC0415  (seconds, and it may be what is broken)
    except Exception as error:
        return {"torch": f"cannot be imported: {type(error).__name__}: {error}"}
    found = {"cpu": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads", "cuda": "no device"}
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        found["cuda"] = str(torch.version.cuda)
        found[f"cuda:{number}"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return found


def _folders() -> Section:
    return {name: _place(find) for name, find in PLACES.items()}


def _place(find: Callable[[], Path]) -> str:
    try:
        folder = find()
        return f"{folder} ({_space(folder)})"
    except (GanzooError, OSError) as error:
        return f"cannot be found: {error}"


def _space(folder: Path) -> str:
    """Say whether a folder is there, and how much room its disk has."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = f"{shutil.disk_usage(there).free / 2**30:.1f} GiB free"
    return free if there == folder else f"not there yet, {free}"


def _weights() -> Section:
    """Hash the weights that come with ganzoo, and those that torch has downloaded."""
    own = Path(__file__).parent / "zoo" / "extractors" / "weights"
    home = Path(os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch")
    folders, missing = [own], Section()
    try:
        checkpoints = paths.expanded(home) / "hub" / "checkpoints"
        if not any(checkpoints.glob(INCEPTION)):
            missing["inception"] = f"not in {checkpoints}; downloaded when first used"
        folders.append(checkpoints)
    except (GanzooError, OSError) as error:
        missing[str(home)] = f"cannot be found: {error}"
    files = [file for folder in folders for file in sorted(folder.glob("*")) if file.suffix in WEIGHTS]
    return {file.name: _described(file) for file in files} | missing


def _described(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = file.stat().st_size
    except OSError as error:  # a link to what is gone, say
        return f"cannot be read: {error.strerror}"
    known = "; the network of FID and IS" if sha256 == INCEPTION_2015_SHA256 else ""
    return f"{size / 2**20:.1f} MiB, sha256 {sha256}{known}"


def _plugins() -> Section:
    """Name every distribution that registers components: what it brings, in which state, and its content's hash."""
    found: Section = {}
    components = installed().components
    for name in dict.fromkeys(one.distribution for one in components):
        own = [one for one in components if one.distribution == name]
        found[f"{name} {own[0].version}"] = f"{_brings(own)}; {_content(name)}"
    for one in installed().damaged:
        key = f"{one.distribution} {one.version}"
        found[key] = "; ".join([*filter(None, [found.get(key)]), f"broken: {one.reason}"])
    return found


def _brings(components: list[Component]) -> str:
    counts = Counter((one.kind, "" if one.state == "ok" else f" ({one.state})") for one in components)
    return ", ".join(
        f"{count} {kind if count == 1 else PLURAL_OF[kind]}{state}" for (kind, state), count in counts.items()
    )


def _content(distribution: str) -> str:
    try:
        (sha256,) = provenance([distribution]).values()
    except (GanzooError, ImportError, OSError, ValueError) as error:
        return f"its content cannot be read: {error}"
    return f"content sha256 {sha256[:16]}"
