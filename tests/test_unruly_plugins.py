"""Whatever a plugin does while it trains, its run says so in the table, and the others go on."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from command_line import SMALL, ganzoo, install

from ganzoo.results.store import Result, read_json

pytestmark = pytest.mark.slow

SOURCE = """
import dataclasses, os
from ganzoo.api import Spec
from ganzoo.zoo.architectures.mlp import build
from ganzoo.zoo.losses.bce import BCE
from ganzoo.zoo.specs.architectures.dense import MLPParams
from ganzoo.zoo.specs.losses import BCEParams


def loss(name):
    return Spec(kind="loss", target=f"ganzoo_unruly:{name}", summary="unruly", params=BCEParams)


RAISING, GONE, LOUD, AWAY, VECTOR, NAN = map(loss, ("Raising", "Gone", "Loud", "Away", "Vector", "NaN"))
TALL = Spec(kind="architecture", target="ganzoo_unruly:tall", summary="16x8 images", params=MLPParams)


class Raising(BCE):
    def generator(self, step):
        raise KeyError(f"no key\\nat step {step.number}")


class Gone(BCE):
    def generator(self, step):
        os._exit(0)


class Loud(BCE):
    def generator(self, step):
        print("{'kind': 'finished'}")
        return super().generator(step)


class Away(BCE):
    def generator(self, step):
        os.chdir(os.path.dirname(__file__))
        return super().generator(step)


class Vector(BCE):
    def discriminator(self, step):
        return {"real": step.judge(step.real).logits}


class NaN(BCE):
    def generator(self, step):
        terms = super().generator(step)
        return {name: term * float("nan") for name, term in terms.items()} if step.number == 12 else terms


def tall(params, setting):
    channels, height, width = setting.shape
    return build(params, dataclasses.replace(setting, shape=(channels, 2 * height, width)))
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Train one run of everything unruly and one of bce; return the results folder and what was printed."""
    folder = tmp_path_factory.mktemp("unruly")
    losses = ("raising", "gone", "loud", "away", "vector", "nan")
    groups = {"ganzoo.losses": losses, "ganzoo.architectures": ("tall",)}
    environment = install(folder / "site", "ganzoo_unruly", SOURCE, groups)
    pairs = [*(("mlp", loss) for loss in (*losses, "bce")), ("tall", "bce")]
    suite = "".join(f'[[combination]]\nmodel = "{model}"\nloss = "{loss}"\n' for model, loss in pairs)
    (folder / "suite.toml").write_text(suite, encoding="utf-8")
    grid = ("bench", folder / "suite.toml", "--steps", "100", *SMALL)
    out = os.path.relpath(folder / "out")  # as users type it
    code, printed, errors = ganzoo(*grid, "--out", out, env=environment)
    assert (code, errors) == (0, "")
    return folder, printed


def result(bench: tuple[Path, str], combination: str) -> Result:
    (found,) = (
        result
        for file in bench[0].glob("*/*/*/result.json")
        if (result := read_json(file, Result)).combination == combination
    )
    return found


def remarks(bench: tuple[Path, str], combination: str) -> str:
    """Return the last cell of a combination's row."""
    (row,) = (line for line in bench[1].splitlines() if re.match(rf"{re.escape(combination)}  .*\d/1  ", line))
    return row.split("  ")[-1]


def test_the_others_go_on(bench: tuple[Path, str]) -> None:
    assert [result(bench, f"mlp + {loss}").status for loss in ("loud", "away", "bce")] == ["done"] * 3


def test_an_exception_is_named_with_its_words_and_its_traceback_is_kept(bench: tuple[Path, str]) -> None:
    words = r"'no key\nat step 0'"
    assert remarks(bench, "mlp + raising") == f"seed 0 failed: KeyError: {words}"
    (traceback,) = bench[0].glob("*/mlp-raising-*/seed-0/error.txt")
    assert "in generator" in traceback.read_text()


def test_a_process_that_vanishes_is_noticed(bench: tuple[Path, str]) -> None:
    assert "seed 0 failed: ProcessError: its process ended with exit code 0; see " in remarks(bench, "mlp + gone")


def test_what_a_plugin_prints_goes_to_the_runs_own_file(bench: tuple[Path, str]) -> None:
    (output,) = bench[0].glob("*/mlp-loud-*/seed-0/output.txt")
    assert output.read_text().count("{'kind': 'finished'}\n") == 100
    assert "{'kind'" not in bench[1]


def test_a_broken_contract_is_named(bench: tuple[Path, str]) -> None:
    assert remarks(bench, "mlp + vector") == (
        "seed 0 failed: ContractError: vector: its discriminator term real must be a tensor holding one number, e.g. a "
        "mean, not of shape (64,)"
    )
    assert remarks(bench, "tall + bce") == (
        "seed 0 failed: ContractError: architecture tall: images have shape (2, 1, 16, 8), not (2, 1, 8, 8); "
        "see Networks in ganzoo.api"
    )


def test_the_first_loss_that_is_not_finite_is_named_with_its_step(bench: tuple[Path, str]) -> None:
    """The generator's at step 12; the discriminator's, a step later, is only what comes of it."""
    assert remarks(bench, "mlp + nan") == "seed 0 diverged at step 12: the generator's loss is not finite"
    diverged = result(bench, "mlp + nan")
    assert (diverged.status, diverged.step, diverged.last) == ("diverged", 12, None)
    assert diverged.untrained is not None
