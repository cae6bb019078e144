"""Engines as users meet them: chosen by name, refused with a reason, recorded, and never the loss of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import SMALL, ganzoo, install

import ganzoo as package
from ganzoo.cli.main import cli
from ganzoo.errors import (
    BrokenPluginError,
    IncompatibleError,
    ParameterError,
    SuiteError,
    UnknownComponentError,
)
from ganzoo.planning.command import RunOptions, plan_from
from ganzoo.planning.placement import choose_engine, served_device
from ganzoo.registry.provenance import content_sha256
from ganzoo.results.store import Result, read_json

GRID = {"model": "mlp:generator=16,discriminator=16", "loss": "bce", "samples": 20, "evaluations": 1,
        "recipe": {"steps": 2, "batch_size": 8}}  # fmt: skip
SPEC = """
from dataclasses import dataclass
from ganzoo.api import Spec, param

@dataclass(frozen=True)
class Params:
    queue: str = param("short", "which queue", choices=("short", "long"))

SPEC = Spec(kind="engine", target="far_engine:Far", summary="far away", params=Params, conflicts={more})
"""


@pytest.fixture
def far(make_distribution):
    """Return a function that registers the engine `far` of ganzoo-far, which excludes some options."""

    def make(conflicts: str = "{}") -> None:
        source = SPEC.replace("{more}", conflicts)
        make_distribution("ganzoo-far", {"ganzoo.engines": {"far": "far_spec:SPEC"}}, {"far_spec": source})

    return make


def options(**flags) -> RunOptions:
    return plan_from({**GRID, **flags}, None)[1]


# Chosen --------------------------------------------------------------------------------------------------------------


def test_it_is_chosen_by_name_with_parameters_by_flag_suite_or_table(far, tmp_path):
    far()
    chosen = options(engine="far:queue=long").engine
    assert chosen is not None
    assert (chosen.component.full_name, chosen.params.queue) == ("ganzoo-far/far", "long")
    suite = tmp_path / "suite.toml"
    for text in ('"far:queue=long"', '{name = "far", queue = "long"}'):
        suite.write_text(f'engine = {text}\nmodel = "mlp"\nloss = "bce"\n', encoding="utf-8")
        assert plan_from({}, suite)[1].engine == chosen
        overridden = plan_from({"engine": "far"}, suite)[1].engine
        assert overridden is not None and overridden.params.queue == "short"


def test_where_none_is_asked_for_runs_are_processes_of_this_machine():
    assert options().engine is None
    assert choose_engine().component.full_name == "ganzoo-core/local"


@pytest.mark.parametrize(
    ("engine", "error", "says"),
    [
        ("locl", UnknownComponentError, 'no engine "locl"; did you mean "local"'),
        ("bce", UnknownComponentError, '"bce" is a loss, not an engine'),
        ("far:queu=long", ParameterError, 'far: no parameter "queu"; did you mean "queue"'),
        ("far:queue=lng", ParameterError, "far: queue must be short | long, not lng"),
        ("far,local", ParameterError, "--engine: one engine carries a grid out, not 2"),
        ([], ParameterError, "--engine: names nothing"),
    ],
)
def test_what_is_no_engine_is_refused_before_anything_is_done(far, engine, error, says: str):
    far()
    with pytest.raises(error) as caught:
        options(engine=engine)
    assert says in str(caught.value)


def test_a_suite_file_is_named_with_the_key(far, tmp_path):
    far('{"profile": "nobody could fetch the traces"}')
    suite = tmp_path / "suite.toml"
    suite.write_text('engine = "far"\nprofile = true\nmodel = "mlp"\nloss = "bce"\n', encoding="utf-8")
    with pytest.raises(IncompatibleError, match=r"suite.toml: engine: the engine far excludes --profile: nobody could"):
        plan_from({}, suite)
    suite.write_text('engine = "far:queue=5"\nmodel = "mlp"\nloss = "bce"\n', encoding="utf-8")
    with pytest.raises(SuiteError, match=r"suite.toml: engine: far: queue must be short \| long, not 5"):
        plan_from({}, suite)


def test_an_option_that_it_excludes_is_refused_with_its_reason(far):
    far('{"device:cuda": "its machines have no GPU", "mode:graph": "they have none"}')
    with pytest.raises(IncompatibleError) as caught:
        options(engine="far", device="cuda")
    assert str(caught.value) == (
        "the engine far excludes --device cuda: its machines have no GPU; leave that out, or choose another --engine"
    )
    with pytest.raises(IncompatibleError, match="excludes --mode graph: they have none"):
        options(engine="far", mode="graph")
    assert options(engine="far", device="cpu", mode="fast", profile=True).engine


def test_a_device_that_is_left_open_is_one_that_it_does_not_exclude(far):
    far('{"device:cuda": "none"}')
    chosen = options(engine="far").engine
    assert chosen is not None
    assert [served_device(chosen, device) for device in ("auto", "cpu")] == ["cpu", "cpu"]
    assert served_device(choose_engine(), "auto") == "auto"


def test_the_same_runs_whatever_carries_them_out(far):
    far()
    (there,), (here,) = (package.plan(**GRID, engine=engine).runs for engine in ("far:queue=long", "local"))
    assert there == here


def bench(*words: str) -> str:
    line = ["bench", "--model", "mlp", "--loss", "bce", *words]
    return CliRunner().invoke(cli, line, catch_exceptions=False).output


def test_a_dry_run_names_the_engine_that_was_asked_for_and_builds_none(far):
    far()
    assert "the engine far:queue=long would carry them out\n" in bench("--engine", "far:queue=long", "--dry-run")
    assert "engine" not in bench("--dry-run")


def test_only_from_applies_to_engines(far):
    far()
    with pytest.raises(BrokenPluginError, match=r"engine ganzoo-far/far 1.0 is disabled: only ganzoo-core may take"):
        bench("--engine", "far", "--only-from", "ganzoo-core", "--dry-run")


def test_an_engine_whose_module_raises_is_named(far, tmp_path):
    far()
    with pytest.raises(BrokenPluginError, match=r"engine ganzoo-far/far 1.0: importing far_engine:Far raised"):
        package.bench(**GRID, engine="far", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Grids ---------------------------------------------------------------------------------------------------------------

SOURCE = """
import subprocess
from dataclasses import dataclass
from ganzoo.api import Capacity, Engine, Spec, param

@dataclass(frozen=True)
class Params:
    loses: str = param("", "what it fails in: nothing, a start, or a job that it forgets")
    together: int = param(1, "runs in a process", low=1)

FAR = Spec(kind="engine", target="ganzoo_far:Far", summary="far away", params=Params)

class Far(Engine):
    def capacity(self, device, asked):
        return Capacity(runs=self.params.together)

    def start(self, job):
        if self.params.loses in ("all", job.name[-6:]):
            raise OSError("no queue")
        line = "true" if job.name[-6:] == self.params.loses.removeprefix("forget-") else job.shell
        return subprocess.Popen(["sh", "-c", line])
"""
TRAIN = (
    "bench",
    "--model",
    "mlp:generator=16,discriminator=16",
    "--loss",
    "bce",
    "--steps",
    "4",
    "--seeds",
    "2",
    *SMALL,
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return install(tmp_path / "site", "ganzoo_far", SOURCE, {"ganzoo.engines": ("far",)})


def results(out: Path) -> dict[int, Result]:
    found = [read_json(file, Result) for file in out.glob("*/*/result.json")]
    return {result.seed: result for result in found}


@pytest.mark.slow
def test_a_plugins_engine_trains_and_is_recorded_with_its_hash(tmp_path, environment):
    out = tmp_path / "out"
    code, shown, errors = ganzoo(*TRAIN, "--engine", "far:together=2", "--out", out, env=environment)
    assert (code, errors) == (0, "")
    assert "training 2 runs on cpu, 2 at a time" in shown
    assert len(list(out.glob("*/*/output.txt"))) == 1  # of the one process that both runs share
    assert {result.status for result in results(out).values()} == {"done"}
    sha256 = content_sha256_of(tmp_path / "site")
    for result in results(out).values():
        assert result.environment["engine"] == "far:together=2"
        assert result.plugins["ganzoo-far 1.0"] == sha256
    assert f"Plugins: ganzoo-far 1.0 (sha256 {sha256[:8]})." in shown
    assert not (out / ".jobs").exists()

    code, shown, errors = ganzoo(*TRAIN, "--out", out)  # the same runs: nothing is trained again
    assert (code, errors) == (0, "")
    assert "2 runs done already, nothing to train" in shown


def content_sha256_of(site: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        return content_sha256(["ganzoo_far"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loses", "says"),
    [
        ("seed-0", "failed: EngineError: engine far:loses=seed-0: start raised OSError: no queue"),
        ("forget-seed-0", "failed: ProcessError: its process ended with exit code 0; see "),
    ],
)
def test_a_run_that_the_engine_fails_is_a_failed_row_and_the_others_are_done(tmp_path, environment, loses, says):
    out = tmp_path / "out"
    code, shown, errors = ganzoo(*TRAIN, "--engine", f"far:loses={loses}", "--out", out, env=environment)
    assert (code, errors) == (0, "")
    found = results(out)
    assert {seed: result.status for seed, result in found.items()} == {0: "failed", 1: "done"}
    assert found[0].outcome.startswith(says)
    assert f"seed 0 {says}" in shown
    kept = {file: file.read_bytes() for file in out.glob("*/seed-1/*")}
    shutil.rmtree(tmp_path / "site")
    code, _, errors = ganzoo(*TRAIN, "--out", out)
    assert (code, errors, results(out)[0].status) == (0, "", "done")
    assert {file: file.read_bytes() for file in out.glob("*/seed-1/*")} == kept


@pytest.mark.slow
def test_an_engine_that_starts_nothing_ends_the_grid_at_once_with_the_reason(tmp_path, environment):
    code, _, errors = ganzoo(*TRAIN, "--engine", "far:loses=all", "--out", tmp_path / "out", env=environment)
    assert (code, errors) == (2, "ganzoo: engine far:loses=all: start raised OSError: no queue\n")
    assert not results(tmp_path / "out")
