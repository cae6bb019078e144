"""The plugins of this repository work as their users would meet them: built, installed and found by entry points."""

from __future__ import annotations

import ast
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from clean_environment import build_wheels, make_environment, run

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = sorted(file.parent for file in (ROOT / "plugins").glob("*/pyproject.toml"))
PUBLIC = {"ganzoo.api", "ganzoo.testing"}
HOSTS = {"losses": ("--loss",), "tricks": ("--loss", "bce", "--trick")}
"""Kinds that a small network can host, with the flags that come before the component's name."""

slow = pytest.mark.slow
each_plugin = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda folder: folder.name)


def project(plugin: Path) -> dict[str, Any]:
    return tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))


def packages(plugin: Path) -> list[str]:
    return project(plugin)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def components(plugin: Path) -> list[tuple[str, str]]:
    """Return the plural kind and the name of all that a plugin registers."""
    groups = project(plugin)["project"]["entry-points"]
    return [(group.removeprefix("ganzoo."), name) for group, entries in groups.items() for name in entries]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, own_wheel: Path) -> Path:
    """Return an environment that has ganzoo and the plugins from their wheels."""
    folder = tmp_path_factory.mktemp("clean")
    return make_environment(folder / "env", [own_wheel, *build_wheels(PLUGINS, folder / "wheels")])


@each_plugin
def test_of_ganzoo_a_plugin_uses_what_is_public(plugin: Path) -> None:
    for file in (file for package in packages(plugin) for file in (plugin / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name for name in named if name.split(".")[0] == "ganzoo"} <= PUBLIC, file


@slow
@each_plugin
def test_ganzoo_and_the_plugin_come_from_their_wheels(clean: Path, plugin: Path) -> None:
    for package in ("ganzoo", *packages(plugin)):
        file = run(clean / "bin" / "python", "-c", f"import {package}; print({package}.__file__)").strip()
        assert Path(file).is_relative_to(clean)


@slow
@each_plugin
def test_its_components_are_listed_with_its_distribution(clean: Path, plugin: Path) -> None:
    assert components(plugin)
    for kind, name in components(plugin):
        rows = json.loads(run(clean / "bin" / "ganzoo", "list", kind, "--json"))
        (row,) = [row for row in rows if row["name"] == name]
        assert (row["distribution"], row["state"], row["reason"]) == (project(plugin)["project"]["name"], "ok", "")


@slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for plugin in PLUGINS for kind, name in components(plugin) if kind in HOSTS],
    ids=lambda word: word,
)
def test_its_losses_and_tricks_train_on_a_small_network(clean: Path, tmp_path: Path, kind: str, name: str) -> None:
    size = ("--steps", "3", "--batch-size", "16", "--evaluations", "1", "--samples", "64", "--seeds", "1")
    grid = ("--model", "mlp", "--dataset", "digits", *HOSTS[kind], name)
    run(clean / "bin" / "ganzoo", "bench", *grid, *size, "--device", "cpu", "--out", tmp_path / "runs", cwd=tmp_path)
    (result,) = (tmp_path / "runs").rglob("result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["status"] == "done"
    assert name in "".join(path.read_text(encoding="utf-8") for path in result.parent.glob("*.json"))


@slow
@each_plugin
def test_the_plugins_own_tests_pass(clean: Path, tmp_path: Path, plugin: Path) -> None:
    shutil.copytree(plugin / "tests", tmp_path / "tests")
    run(clean / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", tmp_path / "tests", cwd=tmp_path)
