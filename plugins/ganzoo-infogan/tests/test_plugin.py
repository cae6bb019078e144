"""The plugin as ganzoo meets it: what it imports, what it declares, and that it trains with other components."""

from __future__ import annotations

import ast
import importlib
import json
from importlib.metadata import entry_points
from pathlib import Path

import ganzoo_infogan
import pytest
from ganzoo_infogan.spec import INFOGAN

import ganzoo
from ganzoo.api import Trick
from ganzoo.errors import IncompatibleError

FILES = sorted(Path(ganzoo_infogan.__file__).parent.glob("*.py"))

installed = pytest.mark.skipif(
    not any(point.name == "infogan" for point in entry_points(group="ganzoo.tricks")),
    reason="ganzoo finds a plugin by its entry point: install ganzoo-infogan",
)


def imported(file: Path) -> set[str]:
    """Return the modules that a file names in an import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_of_ganzoo_only_the_api_is_used(file: Path) -> None:
    assert {name for name in imported(file) if name.split(".")[0] == "ganzoo"} <= {"ganzoo.api"}


@pytest.mark.parametrize("name", ["__init__.py", "spec.py"])
def test_what_planning_reads_needs_no_torch(name: str) -> None:
    (file,) = (file for file in FILES if file.name == name)
    assert not any(module.split(".")[0] == "torch" for module in imported(file))


def test_the_spec_names_what_it_describes() -> None:
    module, _, name = INFOGAN.target.partition(":")
    assert issubclass(getattr(importlib.import_module(module), name), Trick)


@installed
def test_another_prior_of_the_latent_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="another prior would overwrite them"):
        ganzoo.plan(model="mlp", loss="bce", trick=["infogan", "uniform-latent"])


@installed
def test_it_trains_with_every_kind_of_network_and_loss(tmp_path: Path) -> None:
    ganzoo.bench(
        model=["mlp", "dcgan:width=8"],
        loss=["bce", "wgan-gp"],
        trick="infogan",
        dataset="digits",
        recipe={"steps": 3, "batch_size": 16, "n_critic": 2},
        evaluations=1,
        samples=64,
        device="cpu",
        jobs=1,
        out=tmp_path,
    )
    results = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.rglob("result.json")]
    assert [result["status"] for result in results] == ["done"] * 4
    logs = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("metrics.jsonl"))
    assert "infogan/categorical" in logs and "infogan/continuous" in logs


@installed
def test_a_latent_that_is_too_short_fails_the_run_with_the_reason(tmp_path: Path) -> None:
    ganzoo.bench(
        model="mlp:latent=11", loss="bce", trick="infogan", dataset="digits", recipe={"steps": 1, "batch_size": 16},
        evaluations=1, samples=64, device="cpu", jobs=1, out=tmp_path,
    )  # fmt: skip
    (result,) = tmp_path.rglob("result.json")
    assert "take 12 entries of a latent that has 11" in result.read_text(encoding="utf-8")
