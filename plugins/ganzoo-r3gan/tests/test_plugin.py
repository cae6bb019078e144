"""The plugin as ganzoo meets it: what it imports, what it declares, and that all of it trains together."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path

import ganzoo_r3gan
import pytest
from ganzoo_r3gan.spec import PENALTY, PROJECTION, R3GAN, SCHEDULE

import ganzoo
from ganzoo.api import Networks, Spec, Trick
from ganzoo.errors import IncompatibleError

FILES = sorted(Path(ganzoo_r3gan.__file__).parent.glob("*.py"))
ALL_TRICKS = ["r3gan-penalty", "r3gan-projection", "r3gan-schedule"]
TINY = "r3gan:widths=16x16,cardinality=4,latent=8"


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


@pytest.mark.parametrize("name", ["__init__.py", "spec.py", "cosine.py"])
def test_what_planning_reads_needs_no_torch(name: str) -> None:
    (file,) = (file for file in FILES if file.name == name)
    assert not any(module.split(".")[0] == "torch" for module in imported(file))


@pytest.mark.parametrize("spec", [R3GAN, PENALTY, PROJECTION, SCHEDULE], ids=lambda spec: spec.target)
def test_a_spec_names_what_it_describes(spec: Spec) -> None:
    module, _, name = spec.target.partition(":")
    target = getattr(importlib.import_module(module), name)
    if spec.kind == "trick":
        assert issubclass(target, Trick)
    else:
        assert target.__annotations__["return"] in (Networks, "Networks")


def test_the_recipe_is_that_of_the_paper() -> None:
    (run,) = ganzoo.plan(model="r3gan", loss="rpgan", dataset="cifar10", trick=ALL_TRICKS).runs
    expected = {"optimizer": "adam", "generator_lr": 2e-4, "discriminator_lr": 2e-4, "beta1": 0.0, "beta2": 0.9,
                "batch_size": 512, "n_critic": 1, "ema_half_life": 5e6}  # fmt: skip
    assert {key: run.recipe[key] for key in expected} == expected


def test_its_conditioning_stands_no_other_beside_it() -> None:
    with pytest.raises(IncompatibleError, match="leaves no other to condition"):
        ganzoo.plan(model=TINY, loss="rpgan", trick=["projection", "r3gan-projection"])


def test_all_of_it_trains_together(tmp_path: Path) -> None:
    ganzoo.bench(
        model=TINY,
        loss="rpgan",
        trick=ALL_TRICKS,
        dataset="digits",
        recipe={"steps": 3, "batch_size": 16},
        evaluations=1,
        samples=64,
        device="cpu",
        jobs=1,
        out=tmp_path,
    )
    (result,) = tmp_path.rglob("result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["status"] == "done"
