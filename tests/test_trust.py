"""Whose code takes part: switched off, left out, renamed, too old or too new, and recorded with what it ran."""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SMALL, ganzoo, homeless, install, runner

import ganzoo as package
from ganzoo.cli.main import cli
from ganzoo.errors import AmbiguousNameError, BrokenPluginError, ParameterError, RenamedWarning, UnknownComponentError
from ganzoo.planning.run import Part
from ganzoo.registry.lookup import installed, restricted
from ganzoo.registry.provenance import content_sha256, provenance
from ganzoo.results.store import Result, read_json

ROOT = Path(__file__).resolve().parent.parent
SPEC = 'from ganzoo.api import Spec\nSPEC = Spec(kind="loss", target="sphere_loss:Sphere", summary="a loss"{more})'
LOUD = f"import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n{SPEC}"
RENAMED = """
from dataclasses import dataclass
from ganzoo.api import Spec, param

@dataclass(frozen=True)
class Params:
    margin: float = param(1.0, "the margin")

SPEC = Spec(kind="loss", target="sphere_loss:Sphere", summary="a loss", params=Params,
            formerly=("ball", "globe"), renamed={"width": "margin"})
"""


@pytest.fixture
def sphere(make_distribution):
    """Return a function that registers the loss `sphere` of ganzoo-sphere with this source of its spec."""

    def make(source: str = LOUD.format(more="")) -> Path:
        return make_distribution("ganzoo-sphere", {"ganzoo.losses": {"sphere": "sphere:SPEC"}}, {"sphere": source})

    return make


def state(name: str = "sphere") -> tuple[str, str]:
    (component,) = [one for one in installed().components if one.name == name]
    return component.state, component.reason


# Switched off --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    ["sphere", "ganzoo-sphere/sphere", "Ganzoo_Sphere/sphere", "ganzoo-sphere", "Ganzoo_Sphere", "x, sphere ,y"],
)
def test_what_is_disabled_is_listed_and_never_imported(sphere, monkeypatch, word: str):
    monkeypatch.setenv("GANZOO_DISABLE", word)
    site = sphere()
    assert state() == ("disabled", "GANZOO_DISABLE names it")
    assert not (site / "imported").exists()
    with pytest.raises(BrokenPluginError, match=r"loss ganzoo-sphere/sphere 1.0 is disabled: GANZOO_DISABLE names it"):
        installed().get("loss", "sphere")


def test_what_is_not_named_is_not_disabled(sphere, monkeypatch):
    monkeypatch.setenv("GANZOO_DISABLE", "ganzoo-other,bce")
    sphere()
    assert (state()[0], state("bce")[0]) == ("ok", "disabled")


def test_disabling_one_of_two_that_claim_a_name_leaves_the_other(make_distribution, monkeypatch):
    monkeypatch.setenv("GANZOO_DISABLE", "ganzoo-rival")
    make_distribution("ganzoo-rival", {"ganzoo.losses": {"bce": "rival:SPEC"}}, {"rival": SPEC.format(more="")})
    assert installed().get("loss", "bce").full_name == "ganzoo-core/bce"


# Left out of a grid --------------------------------------------------------------------------------------------------

GRID = ("bench", "--model", "mlp", "--loss")


def test_only_from_leaves_others_out_before_they_are_imported(sphere):
    site = sphere()
    with pytest.raises(BrokenPluginError, match=r"is disabled: only ganzoo-core may take part \(--only-from\)"):
        runner().invoke(cli, [*GRID, "sphere", "--dry-run", "--only-from", "ganzoo-core"], catch_exceptions=False)
    assert not (site / "imported").exists()
    done = runner().invoke(cli, [*GRID, "sphere", "--dry-run", "--only-from", "ganzoo-core,Ganzoo.Sphere"])
    assert done.exit_code == 0
    assert "1. mlp + sphere" in done.output


def test_only_from_ends_with_the_command(sphere):
    sphere()
    runner().invoke(cli, [*GRID, "bce", "--dry-run", "--only-from", "ganzoo-core"], catch_exceptions=False)
    assert state() == ("ok", "")


def test_only_from_of_the_environment_holds_behind_that_of_a_command(sphere, monkeypatch):
    monkeypatch.setenv("GANZOO_ONLY_FROM", "Ganzoo_Core")
    sphere()
    with restricted(["ganzoo-sphere"]):
        assert state() == ("ok", "")
    assert (state()[0], state("bce")[0]) == ("disabled", "ok")


def test_only_from_holds_where_all_were_found_before(sphere):
    sphere()
    assert state() == ("ok", "")
    with pytest.raises(BrokenPluginError, match="only ganzoo-core may take part"):
        runner().invoke(cli, [*GRID, "sphere", "--dry-run", "--only-from", "ganzoo-core"], catch_exceptions=False)


def test_only_from_of_what_is_not_installed_is_refused():
    with pytest.raises(UnknownComponentError, match=r'no distribution "ganzoo-cor" .*did you mean "ganzoo-core"'):
        runner().invoke(cli, [*GRID, "bce", "--dry-run", "--only-from", "ganzoo-cor"], catch_exceptions=False)


# Renamed -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", ["ball", "globe", "ganzoo-sphere/ball"])
def test_an_old_name_works_and_warns(sphere, old: str):
    sphere(RENAMED)
    new = old.replace("ball", "sphere").replace("globe", "sphere")
    with pytest.warns(RenamedWarning, match=f'^the loss "{old}" is called "{new}" now; write that$'):
        (run,) = package.plan(model="mlp", loss=old).runs
    assert run.combination == "mlp + sphere"


def test_an_old_name_that_two_had_is_ambiguous_and_dist_name_chooses(sphere, make_distribution, recwarn):
    sphere(RENAMED)
    make_distribution("ganzoo-rival", {"ganzoo.losses": {"disc": "rival:SPEC"}}, {"rival": RENAMED})
    with pytest.raises(AmbiguousNameError, match="write one of: ganzoo-rival/disc, ganzoo-sphere/sphere"):
        installed().get("loss", "ball")
    assert not recwarn.list
    with pytest.warns(RenamedWarning, match='"ganzoo-rival/ball" is called "ganzoo-rival/disc" now'):
        assert installed().get("loss", "ganzoo-rival/ball").full_name == "ganzoo-rival/disc"


def test_an_old_parameter_works_and_warns(sphere):
    sphere(RENAMED)
    with pytest.warns(RenamedWarning, match="^sphere: width is called margin now; write that$"):
        (run,) = package.plan(model="mlp", loss="sphere:width=2").runs
    assert run.combination == "mlp + sphere:margin=2"


def test_a_run_that_was_recorded_under_old_names_can_be_built_again(sphere):
    sphere(RENAMED)
    part = Part("loss", "ball", "ganzoo-sphere", "0.9", {"width": 3.0})
    with pytest.warns(RenamedWarning):
        assert part.typed_params.margin == 3.0


def test_both_names_of_a_parameter_are_refused(sphere):
    sphere(RENAMED)
    with pytest.raises(ParameterError, match="width is the old name of margin; give one of them"):
        package.plan(model="mlp", loss="sphere:width=2,margin=3")


def test_the_new_name_does_not_warn(sphere):
    sphere(RENAMED)
    assert package.plan(model="mlp", loss="sphere:margin=2").runs  # a warning would be an error here


@pytest.mark.parametrize("renamed", ['{"margin": "margin"}', '{"width": "gone"}'])
def test_a_rename_that_leads_nowhere_is_a_fault_of_the_plugin(sphere, renamed: str):
    sphere(RENAMED.replace('{"width": "margin"}', renamed))
    assert state()[0] == "broken"
    assert "the old name must be no parameter, and the new one must be one" in state()[1]


def test_on_the_command_line_a_rename_is_one_line(tmp_path):
    source = RENAMED.replace("SPEC = ", "SPHERE = ")
    environment = install(tmp_path / "site", "ganzoo_sphere", source, {"ganzoo.losses": ("sphere",)})
    code, _, errors = ganzoo("bench", "--model", "mlp", "--loss", "ball", "--dry-run", env=environment)
    assert (code, errors) == (0, 'ganzoo: warning: the loss "ball" is called "sphere" now; write that\n')


# Versions of the API -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("oldest", "newest", "plugin", "says"),
    [
        (1, 1, 2, "written for plugin API 2, this ganzoo speaks 1; upgrade ganzoo-core"),
        (2, 4, 5, "written for plugin API 5, this ganzoo speaks 2 to 4; upgrade ganzoo-core"),
        (2, 4, 1, "written for plugin API 1, this ganzoo speaks 2 to 4; upgrade ganzoo-sphere"),
        (2, 4, 2, ""),
        (2, 4, 4, ""),
    ],
)
def test_the_api_is_negotiated_both_ways(sphere, monkeypatch, oldest: int, newest: int, plugin: int, says: str):
    monkeypatch.setattr("ganzoo.registry.loading.OLDEST_API", oldest)
    monkeypatch.setattr("ganzoo.registry.loading.API_VERSION", newest)
    sphere(SPEC.format(more=f", api={plugin}"))
    assert state() == (("wrong API", says) if says else ("ok", ""))


def test_a_field_that_a_newer_spec_has_is_told_from_other_faults(sphere):
    sphere(SPEC.format(more=", colour=3"))
    assert state()[0] == "broken"
    assert "unexpected keyword argument 'colour'" in state()[1]
    assert state()[1].endswith("written for a newer ganzoo-core: upgrade that")


def test_the_api_is_what_it_was():
    """Where this fails on purpose, docs/api-policy.md says what may change."""
    done = subprocess.run([sys.executable, ROOT / "tools" / "render_api.py", "--check"], check=False)
    assert done.returncode == 0, "ganzoo.api changed; if that is meant: python tools/render_api.py"


def test_everything_in_the_api_is_documented():
    source = ast.parse((ROOT / "ganzoo" / "api.py").read_text(encoding="utf-8"))
    for node, after in itertools.pairwise(source.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            assert ast.get_docstring(node), node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            assert isinstance(after, ast.Expr), f"{ast.unparse(node)}: say what it is in a string below it"
    for cls in (node for node in source.body if isinstance(node, ast.ClassDef)):
        for member, after in itertools.zip_longest(cls.body, cls.body[1:]):
            if isinstance(member, ast.FunctionDef):
                assert ast.get_docstring(member) or member.name == "__init__", f"{cls.name}.{member.name}"
            elif isinstance(member, ast.AnnAssign):
                explained = isinstance(after, ast.Expr) or "help" in ast.unparse(member)
                assert explained, f"{cls.name}.{ast.unparse(member.target)}"


# What took part ------------------------------------------------------------------------------------------------------


def test_the_hash_is_of_the_contents(sphere):
    site = sphere(SPEC.format(more=""))
    (site / "sphere_loss.py").write_text("first = 1\n", encoding="utf-8")
    (first,) = provenance(["ganzoo-sphere"]).items()
    assert first[0] == "ganzoo-sphere 1.0"
    (site / "sphere_loss.py").write_text("second = 2\n", encoding="utf-8")
    (second,) = provenance(["ganzoo-sphere"]).items()
    (site / "sphere_loss.py").write_text("first = 1\n", encoding="utf-8")
    (third,) = provenance(["ganzoo-sphere"]).items()
    assert first == third != second


def test_of_a_package_every_file_counts_but_those_that_python_writes(tmp_path, monkeypatch):
    folder = tmp_path / "hashed_package"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plain = content_sha256(["hashed_package"])
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("x", encoding="utf-8")
    assert content_sha256(["hashed_package"]) == plain
    (folder / "inner" / "weights.bin").write_bytes(b"1")
    found = content_sha256(["hashed_package"])
    (folder / "inner" / "weights.bin").rename(folder / "inner" / "renamed.bin")
    assert len({plain, found, content_sha256(["hashed_package"])}) == 3


TRAINING = """
from ganzoo.api import Spec

SPHERE = Spec(kind="loss", target="ganzoo_sphere:sphere", summary="binary cross-entropy again")


def sphere(params):
    from ganzoo.zoo.losses.bce import BCE
    from ganzoo.zoo.specs.losses import BCEParams

    return BCE(BCEParams())
"""


@pytest.mark.slow
def test_a_run_records_every_plugin_and_the_report_names_them(tmp_path):
    environment = install(tmp_path / "site", "ganzoo_sphere", TRAINING, {"ganzoo.losses": ("sphere",)})
    words = ("bench", "--model", "mlp", "--loss", "sphere", "--steps", "4", *SMALL, "--out", tmp_path / "runs")
    code, shown, errors = ganzoo(*words, "--only-from", "ganzoo-core,ganzoo-sphere", env=environment)
    assert (code, errors) == (0, "")
    (file,) = (tmp_path / "runs").rglob("result.json")
    plugins = read_json(file, Result).plugins
    core = f"ganzoo-core {package.__version__}"
    assert set(plugins) == {core, "ganzoo-sphere 1.0"}
    assert plugins[core] == content_sha256(["ganzoo"])
    assert f"Plugins: ganzoo-sphere 1.0 (sha256 {plugins['ganzoo-sphere 1.0'][:8]})." in shown


# The doctor ----------------------------------------------------------------------------------------------------------


def doctor(*words: str) -> tuple[int, str]:
    done = runner().invoke(cli, ["doctor", *words], catch_exceptions=False)
    return done.exit_code, done.output


def test_the_doctor_says_all_that_a_bug_report_needs():
    code, shown = doctor("--json")
    found = json.loads(shown)
    assert code == (1 if found["troubles"] else 0)
    assert found["ganzoo"]["version"] == package.__version__
    assert found["python"]["executable"] == sys.executable
    assert found["packages"]["torch"] != "not installed"
    assert (
        "0909e7b177a9cd95d08f8fdc013aa5fc56900baba4b68a115c4a026b53c00e72" in found["weights"]["digits-cnn.safetensors"]
    )
    assert "GiB free" in found["folders"]["data root"]
    assert "1 engine, 7 extractors, 9 losses, 30 tricks" in found["plugins"][f"ganzoo-core {package.__version__}"]
    assert set(found) >= {"devices", "environment"}


def test_the_doctor_names_what_is_wrong(sphere, make_distribution, monkeypatch):
    monkeypatch.setenv("GANZOO_DISABLE", "ganzoo-spere,hinge")
    sphere("raise OSError('no disk')")
    make_distribution("foreign", raw=b"junk", version="3.2")
    code, shown = doctor()
    assert code == 1
    assert "    GANZOO_DISABLE: ganzoo-spere,hinge" in shown
    troubles = shown.partition("\ntroubles\n")[2].splitlines()
    assert "    GANZOO_DISABLE names ganzoo-spere, which nothing that is installed is called" in troubles
    assert any(
        "loss ganzoo-sphere/sphere 1.0 is broken: importing sphere:SPEC raised OSError: no disk" in line
        for line in troubles
    )
    assert any(line.startswith("    distribution foreign 3.2 is broken: ") for line in troubles)
    assert not any("hinge" in line for line in troubles)


def test_the_doctor_names_a_misspelt_group_beside_right_ones(make_distribution):
    groups = {"ganzoo.losses": {"sphere": "sphere:SPEC"}, "ganzoo.trick": {"cube": "sphere:SPEC"}}
    make_distribution("ganzoo-sphere", groups, {"sphere": SPEC.format(more="")})
    code, shown = doctor()
    slip = '"ganzoo.trick" is no group of entry points that this ganzoo reads; did you mean "ganzoo.tricks"?'
    assert code == 1
    assert f"    distribution ganzoo-sphere 1.0 is broken: {slip}" in shown.splitlines()
    (own,) = [line for line in shown.splitlines() if line.startswith("    ganzoo-sphere 1.0: 1 loss; content sha256 ")]
    assert own.endswith(f"; broken: {slip}")


def test_what_the_doctor_cannot_find_out_stops_nothing(monkeypatch):
    homeless(monkeypatch)
    _, shown = doctor()
    assert "    cache: cannot be found: ~/.cache: no home folder is known for it" in shown
    assert "    ~/.cache/torch: cannot be found: " in shown
    assert "digits-cnn.safetensors" in shown


def test_weights_that_lead_nowhere_stop_no_diagnosis(tmp_path, monkeypatch):
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "moved.pth").symlink_to(tmp_path / "gone")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    _, shown = doctor()
    assert "    moved.pth: cannot be read: No such file or directory" in shown


def test_the_doctor_says_where_the_weights_of_inception_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    checkpoints = tmp_path / "hub" / "checkpoints"
    line = f"    inception: not in {checkpoints}; downloaded when first used"
    assert line in doctor()[1].splitlines()
    checkpoints.mkdir(parents=True)
    (checkpoints / "pt_inception-2015-12-05-6726825d.pth").write_bytes(b"weights")
    assert line not in doctor()[1].splitlines()
