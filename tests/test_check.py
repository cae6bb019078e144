"""The conformance suite: every built-in passes, every wrong plugin is named in a line, and pytest sees the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import runner
from wrong_engines import ENDLESS, ENGINES
from wrong_plugins import PLUGINS, PLURAL, Wrong, modules

from ganzoo.cli.main import cli
from ganzoo.errors import BrokenPluginError, ParameterError, UnknownComponentError
from ganzoo.registry.lookup import installed
from ganzoo.testing import conformance
from ganzoo.testing.combinations import combinations
from ganzoo.testing.rehearsal import partners
from ganzoo.testing.source import find
from ganzoo.testing.subject import Subject, subjects
from ganzoo.testing.suite import ALL, Outcome, checks, outcomes

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"dcgan": ":width=16,latent=8", "resnet": ":width=8,critic_width=8", "sagan": ":width=8,critic_width=8"}
NEEDS_A_PATH = ("folder", "zip")
CORE = [one.name for one in installed().components if one.distribution == "ganzoo-core"]
EVERY = PLUGINS | ENGINES
NOT_OFTEN = ("sagan", "sndcgan", "resnet", "dcgan28")
"""Networks whose hundred passes take ten seconds; memory and options are left to `ganzoo check`."""

LOUD = """
class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))
    def forward(self, images):
        return images * (1 + 1e9 * self.scale)

def Wrong(params, setting):
    return changed(setting, "generator", Loud())
"""


LOSS_THAT_IS_GOOD = "class Wrong(Good): pass\n"


def quickly(name: str):
    return lambda check: name not in NOT_OFTEN or check.name not in ("memory", "options")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torchvision, which tries to download
@pytest.mark.parametrize("name", [name for name in CORE if name not in NEEDS_A_PATH])
def test_every_built_in_passes_every_check(name: str):
    for subject in subjects(name + SMALL.get(name, "")):
        assert [one for one in outcomes(subject, only=quickly(name), together=False) if one.bad] == []


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_must_be_told_a_path_is_asked_for_it(kind: str):
    with pytest.raises(ParameterError, match=f"^{kind}: path is needed .*add path="):
        subjects(kind)


def found(make_distribution, wrong: Wrong) -> list[Outcome]:
    make_distribution("ganzoo-wrong", {PLURAL[wrong.kind]: {wrong.name: "wrong_spec:SPEC"}}, modules(wrong))
    (component,) = [one for one in installed().components if one.distribution == "ganzoo-wrong"]
    return list(outcomes(Subject(component), together=False))


@pytest.mark.parametrize("wrong", EVERY.values(), ids=EVERY)
def test_every_wrong_plugin_is_named_in_one_line(make_distribution, monkeypatch, wrong: Wrong):
    monkeypatch.setattr("ganzoo.engine.placing.KILL_SECONDS", 0.5)  # of what cannot be killed
    monkeypatch.setattr("ganzoo.testing.trials.GONE_SECONDS", 1.0)
    failed = [one for one in found(make_distribution, wrong) if one.bad]
    assert wrong.check in [one.check.name for one in failed], [(one.check.name, one.message) for one in failed]
    (named,) = [one for one in failed if one.check.name == wrong.check]
    assert wrong.says in named.message
    assert "\n" not in named.message
    assert named.check.reason and named.check.fix


def test_no_check_is_there_that_no_wrong_plugin_needs():
    """Two need a machine or a paper of their own."""
    told = {wrong.check for wrong in EVERY.values()}
    assert {check.name for check in ALL} - told == {
        "paper", "description", "describe", "varied", "batches", "scores", "cuda", "repeats"
    }  # fmt: skip


def test_a_job_that_never_ends_is_not_waited_for(make_distribution, monkeypatch):
    monkeypatch.setattr("ganzoo.engine.placing.KILL_SECONDS", 0.5)
    monkeypatch.setattr("ganzoo.testing.trials.PATIENCE", 1.0)
    (named,) = [one for one in found(make_distribution, ENDLESS) if one.bad]
    assert (named.check.name, named.message) == (
        "carries-out", "trial-0.well is not said to have ended after 1 seconds"
    )  # fmt: skip


@pytest.mark.parametrize("fault", ["a spec that raises", "another API", "a missing target"])
def test_what_keeps_a_component_from_being_loaded_is_named_once(make_distribution, fault: str):
    wrong = EVERY[fault]
    after = found(make_distribution, wrong)
    assert [one.check.name for one in after if one.bad] == [wrong.check]
    assert after[-1].message == f"first mend {wrong.check}"


def test_rounding_of_large_pixels_is_no_dependence_on_the_batch(make_distribution):
    """Weights that were moved at random may make pixels of a deep network as large as 1e8, as those of r3gan are."""
    loud = Wrong("architecture", "", "", LOUD)
    (outcome,) = [one for one in found(make_distribution, loud) if one.check.name == "one-by-one"]
    assert outcome.verdict == "passed"


# With built-ins ------------------------------------------------------------------------------------------------------


def trains_with(name: str, partner: str) -> Outcome:
    (subject,) = subjects(name)
    (outcome,) = outcomes(subject, only=lambda check: check.name == f"trains-with-{partner}")
    return outcome


def test_a_component_is_trained_with_every_built_in_it_can_be_combined_with():
    (subject,) = subjects("bce")
    partners = {check.name.removeprefix("trains-with-") for check in combinations(subject)}
    assert partners == {one.name for kind in ("architecture", "trick") for one in installed().of(kind)}
    assert trains_with("bce", "r1").verdict == "passed"
    assert trains_with("r1", "orthogonal").verdict == "passed"
    assert trains_with("mlp", "hinge").verdict == "passed"
    assert trains_with("digits", "mlp").verdict == "passed"


def test_what_cannot_be_combined_is_left_out_with_the_plans_reason():
    outcome = trains_with("hinge", "label-smoothing")
    assert outcome.verdict == "skipped"
    assert "label-smoothing needs targets: it moves the targets of the discriminator" in outcome.message


def test_a_plugin_is_tried_with_what_its_own_distribution_brings(make_distribution):
    group = {"own-loss": "own_spec:SPEC", "other-loss": "own_spec:SPEC"}
    source = modules(Wrong("loss", "", "", LOSS_THAT_IS_GOOD))
    make_distribution("ganzoo-own", {"ganzoo.losses": group}, {"own_spec": source["wrong_spec"]})
    (trick,) = subjects("r1")
    (loss, *_) = subjects("own-loss")
    assert "ganzoo-own/other-loss" in partners("loss", loss)
    assert not any(name.startswith("ganzoo-own/") for name in partners("loss", trick))


# The command ---------------------------------------------------------------------------------------------------------


def run(*words: str) -> tuple[int, str]:
    done = runner().invoke(cli, ["check", *words], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def two_faults(make_distribution) -> None:
    """A loss `wrong` whose terms are not finite, and change their inputs in place."""
    target = 'class Wrong(Good):\n    def generator(self, step):\n        step.fake.data.mul_(2)\n        return {"fake": self.fake(step).mean() * float("nan")}'  # noqa: E501
    make_distribution(
        "ganzoo-wrong", {"ganzoo.losses": {"wrong": "wrong_spec:SPEC"}}, modules(Wrong("loss", "", "", target))
    )


def test_a_component_that_passes_ends_with_0_and_a_line_a_check():
    code, shown = run("lsgan", "--alone")
    assert code == 0
    lines = shown.splitlines()
    assert lines[0].startswith("loss lsgan, from ganzoo-core ")
    assert "  ok        finite" in lines
    assert "skipped   cuda: PyTorch finds no CUDA device here" in shown or torch.cuda.is_available()
    assert lines[-2].startswith("  3") and " passed" in lines[-2]


@pytest.mark.usefixtures("two_faults")
def test_a_fault_ends_with_1_its_reason_and_its_mending():
    code, shown = run("wrong", "--alone")
    assert code == 1
    lines = shown.splitlines()
    (place,) = [
        number for number, line in enumerate(lines) if line.startswith("  FAILED    finite: not finite: the generator")
    ]
    assert lines[place + 1].strip().startswith("why: A term that is infinite where")
    assert lines[place + 2].strip().startswith("fix: use logsigmoid and softplus")
    assert "  FAILED    inputs-kept: step.fake was changed in place" in lines
    assert lines[-2].endswith(" not tried, which stand on what failed")


@pytest.mark.usefixtures("two_faults")
def test_json_is_an_object_a_check():
    code, shown = run("wrong", "lsgan", "--alone", "--json")
    rows = json.loads(shown)
    assert code == 1
    failed = {(row["name"], row["check"]) for row in rows if row["verdict"] == "failed"}
    assert failed >= {("wrong", "finite"), ("wrong", "inputs-kept")}
    assert {name for name, _ in failed} == {"wrong"}
    assert set(rows[0]) == {"kind", "name", "distribution", "check", "verdict", "message", "reason", "fix"}


def test_what_a_component_prints_stays_out_of_its_json(make_distribution):
    target = LOSS_THAT_IS_GOOD + "print('hello', flush=True)\n"
    make_distribution(
        "ganzoo-wrong", {"ganzoo.losses": {"wrong": "wrong_spec:SPEC"}}, modules(Wrong("loss", "", "", target))
    )
    done = runner().invoke(cli, ["check", "wrong", "--alone", "--json"], catch_exceptions=False)
    assert {row["name"] for row in json.loads(done.stdout)} == {"wrong"}
    assert done.stderr == "hello\n"


def test_parameters_can_be_given():
    code, shown = run("wgan-gp:penalty=5", "--alone")
    assert (code, shown.splitlines()[0][: len("loss wgan-gp:penalty=5, ")]) == (0, "loss wgan-gp:penalty=5, ")


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        ([], ParameterError, "check what?"),
        (["bse"], UnknownComponentError, 'did you mean "bce"'),
        (["bce:x=1"], ParameterError, 'no parameter "x"'),
        (["./tests"], UnknownComponentError, "pyproject.toml is missing"),
        (["./no-such-folder"], UnknownComponentError, "./no-such-folder: no such folder"),
    ],
)
def test_what_cannot_be_checked_is_said(words: list[str], error: type[Exception], says: str, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(error, match=says.replace("?", r"\?")):
        run(*words)


def test_the_checks_can_be_listed():
    _, shown = run("--list")
    assert len(shown.splitlines()) == len(ALL)
    assert all(check.reason and check.fix and "\n" not in check.reason for check in ALL)


def test_a_folder_is_checked_without_being_installed(tmp_path, monkeypatch):
    source = modules(Wrong("loss", "", "", LOSS_THAT_IS_GOOD))
    for module, text in source.items():
        file = tmp_path / f"{module.replace('wrong', 'local')}.py"
        file.write_text(text.replace("wrong_", "local_"), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "Ganzoo_Local"\nversion = "0.3"\n'
        '[project.entry-points."ganzoo.losses"]\nlocal = "local_spec:SPEC"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    code, shown = run(f"{tmp_path}/", "--alone")
    assert (code, shown.splitlines()[0]) == (0, "loss local, from ganzoo-local 0.3")
    installed.cache_clear()


def test_a_folder_is_checked_even_where_another_copy_is_installed(make_distribution, tmp_path, monkeypatch):
    """And was imported, as all specs are that a name is looked up in."""
    source = modules(Wrong("loss", "", "", LOSS_THAT_IS_GOOD))
    make_distribution("ganzoo-wrong", {"ganzoo.losses": {"wrong": "wrong_spec:SPEC"}}, source)
    (hinge, installed_one) = (*subjects("hinge"), *subjects("wrong"))
    assert installed_one.target and hinge.target
    for module, text in source.items():
        (tmp_path / f"{module}.py").write_text(f"{text}\nNEW = True\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "ganzoo-wrong"\nversion = "2.0"\n'
        '[project.entry-points."ganzoo.losses"]\nwrong = "wrong_spec:SPEC"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    (local,) = find(f"{tmp_path}/")
    assert local.component.version == "2.0"
    assert local.component.spec is not installed_one.component.spec
    assert sys.modules[local.target.__module__].NEW
    (again,) = subjects("hinge")
    assert again.target is hinge.target


def test_the_name_of_a_folder_without_a_slash_is_told_of_the_slash(tmp_path, monkeypatch):
    (tmp_path / "ganzoo-local").mkdir()
    (tmp_path / "ganzoo-local" / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownComponentError, match=r"check the folder: ganzoo check ganzoo-local/$"):
        run("ganzoo-local")


def test_a_misspelt_group_in_a_plugins_folder_is_named_beside_right_ones(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "ganzoo-local"\n[project.entry-points."ganzoo.losses"]\nlocal = "local_spec:SPEC"\n'
        '[project.entry-points."ganzoo.trick"]\nother = "local_spec:OTHER"\n',
        encoding="utf-8",
    )
    with pytest.raises(BrokenPluginError, match=r'"ganzoo.trick" is no group .*; did you mean "ganzoo.tricks"\?'):
        run(f"{tmp_path}/")


# pytest --------------------------------------------------------------------------------------------------------------


def test_the_same_checks_are_pytest_parameters():
    parameters = conformance("lsgan")
    (subject,) = subjects("lsgan")
    assert [one.id for one in parameters] == [check.name for check in checks(subject)]
    (finite,) = [one.values[0] for one in parameters if one.id == "finite"]
    finite()


@pytest.mark.usefixtures("two_faults")
def test_a_failing_parameter_says_what_why_and_how():
    (finite,) = [one.values[0] for one in conformance("wrong") if one.id == "finite"]
    with pytest.raises(AssertionError) as caught:
        finite()
    what, why, how = str(caught.value).splitlines()
    assert what.startswith("loss wrong: finite: not finite: the generator's term 'fake'")
    assert why.startswith("why it matters: ") and how.startswith("to mend it: use logsigmoid")


@pytest.mark.usefixtures("two_faults")
def test_an_expected_failure_is_expected_and_has_its_reason():
    parameters = conformance("wrong", expected_failures={"finite": "it is a joke"})
    (marked,) = [one for one in parameters if one.marks]
    assert (marked.id, marked.marks[0].name, marked.marks[0].kwargs) == (
        "finite", "xfail", {"reason": "it is a joke", "strict": True}
    )  # fmt: skip


def test_an_expected_failure_of_no_check_is_refused():
    with pytest.raises(ParameterError, match='no check "finte"; did you mean "finite"'):
        conformance("bce", expected_failures={"finte": "a slip"})


def test_the_command_line_is_light_until_it_checks():
    code = "import sys\nimport ganzoo.cli.check, ganzoo.testing\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_check_warns_of_nothing_where_it_is_the_first_in_its_process():
    """PyTorch warns once a process, so that an earlier test would hide it."""
    code = (
        "from ganzoo.testing import conformance\n"
        "next(one.values[0] for one in conformance('hinge') if one.id == 'format')()"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("two_faults")
def test_in_a_terminal_every_line_is_there_too(monkeypatch):
    monkeypatch.setattr("ganzoo.cli.check.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    code, shown = run("wrong", "--alone")
    words = " ".join(shown.split())
    assert code == 1
    assert "FAILED inputs-kept: step.fake was changed in place why Loss and tricks share one step" in words
    assert max(map(len, shown.splitlines())) <= 70
