"""`ganzoo list` and `ganzoo show`: what is installed, for people and for machines."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from command_line import runner

from ganzoo.cli.main import cli
from ganzoo.cli.output import print_table
from ganzoo.errors import BrokenPluginError, UnknownComponentError
from ganzoo.registry.lookup import PLURALS, installed

KEYS = {"kind", "name", "distribution", "version", "state", "reason", "summary", "paper", "entry"}
SPEC = 'from ganzoo.api import Spec\nSPEC = Spec(kind="loss", target="odd_loss:Odd", summary="a loss"{more})'
FULL = """
from dataclasses import dataclass
from ganzoo.api import Paper, Recipe, Spec, param

@dataclass(frozen=True)
class Params:
    path: str = param(help="a file of things")
    rate: float = param(0.5, "how fast", low=0, high=1, unit="per step")
    depth: int | None = param(None, "how deep")

SPEC = Spec(kind="loss", target="odd_loss:Odd", summary="a loss", params=Params, paper=Paper("On Odds", 2020, "x:1"))
"""


def output(*arguments: str) -> str:
    done = runner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def rows(*arguments: str) -> list[dict[str, str]]:
    return json.loads(output("list", "--json", *arguments))


@pytest.fixture
def odd(make_distribution):
    """Return a function that registers the loss `odd` with this source."""

    def install(source: str = SPEC.format(more="")) -> None:
        make_distribution("ganzoo-odd", {"ganzoo.losses": {"odd": "odd_spec:SPEC"}}, {"odd_spec": source})

    return install


# list ----------------------------------------------------------------------------------------------------------------


def test_the_plain_list_has_a_table_for_each_kind_and_a_line_for_each_component():
    lines = output("list").splitlines()
    assert [line for line in lines if line in PLURALS] == list(PLURALS)
    for component in installed().components:
        (line,) = [line for line in lines if line.split()[:1] == [component.name]]
        assert f"{component.distribution} {component.version}" in line
        assert component.spec is None or component.spec.summary in line


def test_one_kind_can_be_listed_alone():
    lines = output("list", "losses").splitlines()
    assert lines[0] == "losses"
    assert lines[1].split() == ["name", "summary", "paper", "distribution", "state"]
    assert [line.split()[0] for line in lines[2:-1]] == [one.name for one in installed().of("loss")]


def test_an_unknown_kind_names_those_that_there_are():
    done = runner().invoke(cli, ["list", "loses"])
    assert done.exit_code == 2
    assert "'architectures', 'losses', 'tricks', 'datasets', 'extractors'" in done.stderr


def test_json_is_an_array_of_one_object_a_component():
    found = rows()
    assert [(row["kind"], row["name"]) for row in found] == [(c.kind, c.name) for c in installed().components]
    for row in found:
        assert set(row) == KEYS
        assert all(isinstance(value, str) for value in row.values())
    (row,) = [row for row in found if row["name"] == "bce"]
    assert row == {
        "kind": "loss", "name": "bce", "distribution": "ganzoo-core", "version": installed().get("loss", "bce").version,
        "state": "ok", "reason": "", "summary": "binary cross-entropy, non-saturating by default",
        "paper": "Generative Adversarial Nets (2014, arXiv:1406.2661)", "entry": "ganzoo.zoo.specs.losses:BCE",
    }  # fmt: skip


@pytest.mark.parametrize(("plural", "kind"), PLURALS.items())
def test_json_of_one_kind(plural, kind):
    assert {row["kind"] for row in rows(plural)} == {kind}
    assert rows(kind) == rows(plural)


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("raise SystemExit(1)", "broken: importing odd_spec:SPEC raised SystemExit: 1"),
        (SPEC.format(more=", api=9"), "wrong API: written for plugin API 9, this ganzoo speaks 1; upgrade ganzoo-core"),
    ],
)
def test_what_cannot_be_used_is_listed_with_the_reason(odd, source, state):
    odd(source)
    (line,) = [line for line in output("list", "losses").splitlines() if line.startswith("odd ")]
    assert line.endswith(f"ganzoo-odd 1.0     {state}")
    (row,) = [row for row in rows() if row["name"] == "odd"]
    assert f"{row['state']}: {row['reason']}" == state


def test_both_claims_to_a_name_are_listed(make_distribution):
    make_distribution("ganzoo-rival", {"ganzoo.losses": {"bce": "rival:SPEC"}}, {"rival": SPEC.format(more="")})
    claims = [(row["distribution"], row["state"], row["reason"]) for row in rows("losses") if row["name"] == "bce"]
    reason = "several distributions claim it; write {}/bce"
    assert claims == [
        ("ganzoo-core", "ambiguous", reason.format("ganzoo-core")),
        ("ganzoo-rival", "ambiguous", reason.format("ganzoo-rival")),
    ]


@pytest.mark.parametrize("kind", [(), ("tricks",)])
def test_a_distribution_that_cannot_be_read_is_listed_whatever_was_asked(make_distribution, kind):
    make_distribution("foreign", raw=b"junk", version="3.2")
    last = output("list", *kind).splitlines()[-1]
    assert last.startswith("broken distribution foreign 3.2: ")
    assert last.endswith("; reinstall it")
    row = rows(*kind)[-1]
    assert set(row) == KEYS
    assert (row["kind"], row["name"], row["state"]) == ("distribution", "foreign", "broken")


def test_a_broken_plugin_stops_no_plan_that_does_not_use_it(odd, make_distribution):
    odd("raise SystemExit(1)")
    make_distribution("foreign", raw=b"junk")
    make_distribution("ganzoo-rival", {"ganzoo.losses": {"hinge": "x:y"}})
    make_distribution("ganzoo-future", {"ganzoo.losses": {"future": "f:SPEC"}}, {"f": SPEC.format(more=", api=9")})
    assert "1. dcgan + bce\n" in output("bench", "--model", "dcgan", "--loss", "bce", "--dry-run")


# show ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [one.full_name for one in installed().components])
def test_every_installed_component_can_be_shown(name):
    (component,) = [one for one in installed().components if one.full_name == name]
    lines = output("show", name).splitlines()
    assert lines[0] == f"{component.kind} {component.name}, from {component.distribution} {component.version}"
    assert component.usable_spec.summary in lines
    (code,) = [line for line in lines if line.startswith("code:  ")]
    assert code.endswith(".py")


def test_show_gives_parameters_recipe_traits_and_reasons():
    shown = output("show", "wgan-gp")
    squeezed = [" ".join(line.split()) for line in shown.splitlines()]
    assert "penalty float 10 at least 0 weight lambda of the gradient penalty" in squeezed
    assert "n_critic 5 discriminator steps per generator step" in squeezed
    assert "paper: Improved Training of Wasserstein GANs (2017, arXiv:1704.00028)" in squeezed
    assert squeezed[-1].startswith("excludes critic-norm:batch: its penalty is per sample")
    assert "requires targets: it moves the targets of the discriminator" in output("show", "label-smoothing")
    assert "provides: critic-norm:batch" in output("show", "dcgan").splitlines()
    assert "scored by: fid, is in the features of digits-cnn" in output("show", "digits").splitlines()


def test_show_marks_what_must_be_given_and_what_is_nothing_by_default(odd):
    odd(FULL)
    lines = [" ".join(line.split()) for line in output("show", "odd").splitlines()]
    assert "path str (needed) a file of things" in lines
    assert "rate float 0.5 0 to 1 how fast (per step)" in lines
    assert "depth int how deep" in lines
    assert "What it declares depends on its parameters; path must be given." in lines


def test_show_gives_every_component_of_an_ambiguous_name(make_distribution):
    make_distribution("ganzoo-rival", {"ganzoo.losses": {"bce": "rival:SPEC"}}, {"rival": SPEC.format(more="")})
    lines = output("show", "bce").splitlines()
    assert "state: ambiguous: several distributions claim it; write ganzoo-core/bce" in lines
    assert "state: ambiguous: several distributions claim it; write ganzoo-rival/bce" in lines


def test_show_gives_the_reason_of_what_is_broken(odd):
    odd("raise OSError('no disk')")
    assert output("show", "odd").splitlines() == [
        "loss odd, from ganzoo-odd 1.0",
        "state: broken: importing odd_spec:SPEC raised OSError: no disk",
        "",
    ]


def test_show_names_a_dataset_whose_extractor_raises(make_distribution):
    source = (
        "from ganzoo.api import DatasetSpec\n"
        'SPEC = DatasetSpec(target="a:b", summary="", describe=print, extractor=lambda params: 1 / 0)'
    )
    make_distribution("ganzoo-odd", {"ganzoo.datasets": {"odd": "odd_spec:SPEC"}}, {"odd_spec": source})
    with pytest.raises(BrokenPluginError, match=r"^dataset ganzoo-odd/odd 1\.0: its extractor raised ZeroDivision"):
        output("show", "odd")


@pytest.mark.parametrize(("name", "meant"), [("dcgam", "dcgan"), ("ganzoo-core/hing", "ganzoo-core/hinge")])
def test_show_of_an_unknown_name_says_what_was_probably_meant(name, meant):
    with pytest.raises(UnknownComponentError) as caught:
        runner().invoke(cli, ["show", name], catch_exceptions=False)
    assert str(caught.value) == f'nothing is called "{name}"; did you mean "{meant}"? (ganzoo list shows all)'


def test_an_error_is_one_line_and_exit_code_2():
    command = [sys.executable, "-m", "ganzoo", "show", "dcgam"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'ganzoo: nothing is called "dcgam"; did you mean "dcgan"? (ganzoo list shows all)\n'


# dry run -------------------------------------------------------------------------------------------------------------


def test_a_dry_run_explains_itself():
    grid = ("--model", "dcgan", "--loss", "bce,wgan-gp", "--ablate", "label-smoothing", "--seeds", "2")
    shown = output("bench", *grid, "--steps", "10", "--dry-run", "--out", "there")
    lines = [line.strip() for line in shown.splitlines()]
    for line in (
        "1. dcgan + bce",
        "2. dcgan + bce + label-smoothing",
        "3. dcgan + wgan-gp",
        "images   1x8x8 from digits",
        "scores   fid, is: 599 images through digits-cnn, at 5 points",
        "adjusted dcgan: critic norm = layer (wgan-gp excludes batch: its penalty is per sample, "
        "and batch norm couples the samples of a batch)",
        "left out: dcgan + wgan-gp + label-smoothing",
        "label-smoothing needs targets: it moves the targets of the discriminator, and this loss has none",
        "results would go to there",
    ):
        assert line in lines
    (cost,) = [line for line in lines if line.startswith("cost: ")]
    # Six runs of ten generator steps; wgan-gp's two take five critic steps each; 64 images a critic step,
    # the other four take one on 128.
    assert cost.startswith(
        "cost: 3 combinations x 2 seeds = 6 runs; 60 generator steps, 140 discriminator steps on 11,520 real images; "
    )


def test_a_dry_run_says_where_each_recipe_value_comes_from():
    lines = output("bench", "--model", "dcgan", "--loss", "wgan-gp", "--steps", "10", "--dry-run").splitlines()
    sources = dict(line.replace("recipe ", "").strip().split(": ", 1) for line in lines if "=" in line and ": " in line)
    assert sources["command line"] == "steps=10"
    assert sources["wgan-gp"].startswith("batch_size=64, n_critic=5, ")
    assert "lr_schedule=constant" in sources["ganzoo"]


def test_a_dry_run_counts_no_more_evaluations_than_steps():
    shown = output(
        "bench", "--model", "dcgan", "--loss", "bce", "--steps", "7", "--evaluations", "1000", "--samples", "10",
        "--dry-run"
    )  # fmt: skip
    assert "; 100 generated images to score\n" in shown


def test_a_dry_run_counts_one_in_the_singular():
    shown = output("bench", "--model", "dcgan", "--loss", "bce", "--dry-run")
    assert "cost: 1 combination x 1 seed = 1 run; " in shown


# tables --------------------------------------------------------------------------------------------------------------


def test_a_piped_table_is_plain_columns(capsys):
    print_table("title", ["name", "n"], [["a", "1"], ["bcdef", "10"]], right=[1])
    assert capsys.readouterr().out == "title\nname    n\na       1\nbcdef  10\n\n"


def test_an_empty_table_is_its_header(capsys):
    print_table("", ["name", "n"], [])
    assert capsys.readouterr().out == "name  n\n\n"


def test_a_terminal_gets_a_drawn_table_with_every_cell(capsys, monkeypatch):
    monkeypatch.setattr("ganzoo.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_table("title", ["name", "n"], [["[bold]a", "1"]])
    drawn = capsys.readouterr().out
    assert "[bold]a" in drawn
    assert "─" in drawn


@pytest.mark.parametrize("width", ["20", "60", "200"])
def test_no_terminal_is_too_narrow_for_a_whole_number(width, capsys, monkeypatch):
    monkeypatch.setattr("ganzoo.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", width)
    header = ["combination", "images seen", "device s", "memory", "parameters G+D", "remarks"]
    row = ["dcgan", "128,000", "30.3", "804 MiB", "184.19k + 132.93k", "best"]
    print_table("", header, [row], right=range(1, 5))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "dcgan" in line)
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == row


def test_square_brackets_in_a_title_or_a_header_are_no_markup(capsys, monkeypatch):
    monkeypatch.setattr("ganzoo.cli.output.is_terminal", lambda: True)
    print_table("folder:path=[red]/[/x]", ["[bold]name"], [["a name as long as the title"]])
    drawn = capsys.readouterr().out
    assert "folder:path=[red]/[/x]" in drawn
    assert "[bold]name" in drawn


def test_the_shell_completes_component_names(monkeypatch):
    from click.shell_completion import ShellComplete

    from ganzoo.cli.main import cli

    complete = ShellComplete(cli, {}, "ganzoo", "_GANZOO_COMPLETE").get_completions
    assert [item.value for item in complete(["bench", "--loss"], "bce,wgan-g")] == ["bce,wgan-gp"]
    assert [item.value for item in complete(["show"], "spec")] == ["spectral-norm"]
    assert "bench" in [item.value for item in complete([], "b")]
