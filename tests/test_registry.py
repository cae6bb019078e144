"""The registry: every component is found, what is broken is named, and nothing stops anything else."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import AmbiguousNameError, BrokenPluginError, UnknownComponentError
from ganzoo.registry.discovery import GROUPS, normalise, scan
from ganzoo.registry.lookup import PLURALS, Component, Registry, build_target, discover, installed, source_of
from ganzoo.results.store import Result, open_grid, run_folder, write_json

SPEC = """
from ganzoo.api import Spec
SPEC = Spec(kind="loss", target="{target}", summary="{summary}")
"""
LOSS = SPEC.format(target="sphere_loss:Sphere", summary="a loss on a sphere")


@pytest.fixture
def sphere(make_distribution) -> Path:
    """A folder on sys.path where ganzoo-sphere registers the loss `sphere`, as it should."""
    return make_distribution("ganzoo-sphere", {"ganzoo.losses": {"sphere": "sphere:SPEC"}}, {"sphere": LOSS})


def only(registry: Registry, name: str) -> Component:
    (component,) = [one for one in registry.components if one.name == name]
    return component


def spec_with(make_distribution, source: str, group: str = "ganzoo.losses") -> Component:
    """Register `source`, which defines SPEC, as `odd` and return the component."""
    folder = make_distribution("ganzoo-odd", {group: {"odd": "odd_spec:SPEC"}}, {"odd_spec": source})
    return only(discover([str(folder)]), "odd")


# What is found -------------------------------------------------------------------------------------------------------


def test_a_plugin_is_found_with_its_distribution_and_version(sphere):
    component = only(discover([str(sphere)]), "sphere")
    assert (component.kind, component.full_name, component.version) == ("loss", "ganzoo-sphere/sphere", "1.0")
    assert (component.state, component.reason) == ("ok", "")
    assert component.spec is not None
    assert component.spec.summary == "a loss on a sphere"


def test_every_kind_has_a_group_and_a_plural():
    assert set(GROUPS.values()) == set(PLURALS.values())
    assert [group.removeprefix("ganzoo.") for group in GROUPS] == list(PLURALS)


def test_all_that_ganzoo_brings_can_be_used():
    own = [one for one in installed().components if one.distribution == "ganzoo-core"]
    assert {one.kind for one in own} == set(PLURALS.values())
    assert [one for one in own if one.state != "ok"] == []


@pytest.mark.parametrize("written", ["Ganzoo_Sphere", "ganzoo.sphere", "GANZOO--sphere"])
def test_a_distribution_has_one_name_however_it_is_written(written):
    assert normalise(written) == "ganzoo-sphere"


def test_an_egg_info_without_a_version_is_found(sphere):
    (sphere / "ganzoo_sphere-1.0.dist-info").rename(sphere / "ganzoo_sphere.egg-info")
    assert only(discover([str(sphere)]), "sphere").version == "unknown"


def test_extras_after_a_target_are_ignored(make_distribution):
    folder = make_distribution("ganzoo-sphere", {"ganzoo.losses": {"sphere": "sphere:SPEC [gpu]"}}, {"sphere": LOSS})
    assert only(discover([str(folder)]), "sphere").state == "ok"


def test_the_first_distribution_of_a_name_on_the_path_shadows_the_others(make_distribution):
    first = make_distribution("ganzoo-sphere", {"ganzoo.losses": {"new": "m:S"}}, version="2.0", site="first")
    second = make_distribution("Ganzoo.Sphere", {"ganzoo.losses": {"old": "m:S"}}, version="1.0", site="second")
    assert [(entry.name, entry.version) for entry in scan([str(first), str(second)])[0]] == [("new", "2.0")]
    assert [(entry.name, entry.version) for entry in scan([str(second), str(first)])[0]] == [("old", "1.0")]


def test_a_folder_that_is_twice_on_the_path_or_absent_changes_nothing(sphere, tmp_path):
    path = [str(tmp_path / "absent"), str(sphere), str(sphere)]
    assert [entry.name for entry in scan(path)[0]] == ["sphere"]
    assert only(discover(path), "sphere").state == "ok"


def test_five_hundred_distributions_are_all_found(make_distribution):
    for number in range(500):
        entries = (
            {"ganzoo.losses": {f"loss-{number}": "sphere:SPEC"}} if number % 10 == 0 else {"console": {"a": "b:c"}}
        )
        folder = make_distribution(f"some-dist-{number}", entries)
    (folder / "sphere.py").write_text(LOSS, encoding="utf-8")
    registry = discover([str(folder)])
    assert {one.name for one in registry.components} == {f"loss-{number}" for number in range(0, 500, 10)}
    assert {one.state for one in registry.components} == {"ok"}
    assert registry.damaged == ()


# Distributions that cannot be read -----------------------------------------------------------------------------------

CORRUPTIONS = {
    "no section header": b"console = thing:main\n",
    "a section twice": b"[console_scripts]\na = b:c\n[console_scripts]\nd = e:f\n",
    "an entry twice": b"[console_scripts]\na = b:c\na = d:e\n",
    "a line that is no entry": b"[console_scripts]\njust some words\n",
    "not UTF-8": b"[console_scripts]\n\xff\xfe = b:c\n",
    "cut in a header": b"[console_scr",
    "a byte order mark": b"\xef\xbb\xbf[console_scripts]\na = b:c\n",
    "zeros": b"\0" * 512,
}


@pytest.mark.parametrize("raw", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corrupted_distribution_is_named_and_hides_no_other(sphere, make_distribution, raw):
    make_distribution("Foreign_Thing", raw=raw, version="3.2")
    registry = discover([str(sphere)])
    assert only(registry, "sphere").state == "ok"
    (damage,) = registry.damaged
    assert (damage.distribution, damage.version) == ("foreign-thing", "3.2")
    assert damage.reason.startswith(str(sphere / "Foreign_Thing-3.2.dist-info" / "entry_points.txt: "))
    assert "\n" not in damage.reason


@pytest.mark.parametrize("raw", [b"", b"# nothing\n", b"[console_scripts]\na = %(home)s/%x:c\n"])
def test_what_is_only_unusual_is_no_damage(sphere, make_distribution, raw):
    make_distribution("foreign", raw=raw)
    registry = discover([str(sphere)])
    assert only(registry, "sphere").state == "ok"
    assert registry.damaged == ()


@pytest.mark.parametrize(
    "group",
    ["ganzoo.loss", "ganzo.losses", "gan-zoo.losses", "ganzoo_losses", "ganzoo-losses", "ganzoolosses"],
)
def test_a_misspelt_group_is_told(make_distribution, group):
    (damage,) = discover([str(make_distribution("ganzoo-sphere", {group: {"sphere": "sphere:SPEC"}}))]).damaged
    reason = f'"{group}" is no group of entry points that this ganzoo reads; did you mean "ganzoo.losses"?'
    assert (damage.distribution, damage.reason) == ("ganzoo-sphere", reason)


def test_groups_of_others_are_no_slips(make_distribution):
    groups = ("zoo.losses", "torch.losses", "distutils.commands", "console_scripts", "pytest11", "gan.tricks")
    assert discover([str(make_distribution("foreign", {group: {"a": "b:c"} for group in groups}))]).damaged == ()


def test_a_percent_sign_in_a_plugins_own_value_breaks_only_that_plugin(sphere, make_distribution):
    make_distribution("ganzoo-percent", {"ganzoo.losses": {"percent": "%(here)s:SPEC"}})
    registry = discover([str(sphere)])
    assert only(registry, "sphere").state == "ok"
    assert only(registry, "percent").state == "broken"


def test_several_corrupted_distributions_are_all_named(sphere, make_distribution):
    for name in ("one", "two"):
        make_distribution(name, raw=b"junk")
    assert {damage.distribution for damage in discover([str(sphere)]).damaged} == {"one", "two"}


def test_a_zip_on_the_path_with_a_corrupted_distribution_is_named(sphere, tmp_path):
    archive = tmp_path / "bundle-2.0.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inner-1.0.dist-info/entry_points.txt", "junk")
    registry = discover([str(archive), str(sphere)])
    assert only(registry, "sphere").state == "ok"
    (damage,) = registry.damaged
    assert damage.reason.startswith(f"{archive}: ")


def test_a_corrupted_distribution_shadows_a_later_one_of_its_name(make_distribution):
    first = make_distribution("ganzoo-sphere", raw=b"junk", site="first")
    second = make_distribution("ganzoo-sphere", {"ganzoo.losses": {"sphere": "m:S"}}, site="second")
    entries, damaged = scan([str(first), str(second)])
    assert entries == []
    assert [damage.distribution for damage in damaged] == ["ganzoo-sphere"]


# Components that cannot be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no\\nluck')", "importing odd_spec:SPEC raised RuntimeError: no luck"),
        ("raise SystemExit(3)", "importing odd_spec:SPEC raised SystemExit: 3"),
        (
            "class Panic(BaseException): pass\nraise Panic('as of Rust')",
            "importing odd_spec:SPEC raised Panic: as of Rust",
        ),
        (
            "class Mute(Exception):\n    def __str__(self):\n        return self.words\nraise Mute",
            "importing odd_spec:SPEC raised Mute: its own message raised AttributeError",
        ),
        ("raise OSError('no file \\udcff')", r"importing odd_spec:SPEC raised OSError: no file \udcff"),
        ("import a_module_that_nobody_has", "No module named 'a_module_that_nobody_has'"),
        ("SPEC = (", "SyntaxError"),
        ("SPEK = 1", "has no attribute 'SPEC'"),
        ("SPEC = 'loss'", "odd_spec:SPEC is a str, not a ganzoo.api.Spec"),
        ("import ganzoo.api as SPEC", "odd_spec:SPEC is a module, not a ganzoo.api.Spec"),
        (LOSS.replace('"loss"', '"trick"'), 'odd_spec:SPEC says kind="trick" and is registered as loss'),
        (LOSS.replace('"loss"', "None"), 'odd_spec:SPEC says kind="None" and is registered as loss'),
        (LOSS.replace("summary=", "sumary="), "unexpected keyword argument 'sumary'"),
        (LOSS.replace("summary=", "paper='arXiv:1', summary="), "paper is 'arXiv:1', not a ganzoo.api.Paper"),
        (LOSS.replace('"a loss on a sphere"', "None"), "summary is None, not a string"),
        (LOSS.replace("sphere_loss:Sphere", "sphere_loss"), 'target is "sphere_loss", not module:attribute'),
        (LOSS.replace("summary=", "provides=('targets'), summary="), 'write ("targets",)'),
        (LOSS.replace("summary=", "provides=3, summary="), "provides is 3, not a collection of strings"),
        (LOSS.replace("summary=", "formerly=3, summary="), "formerly is 3, not a collection of strings"),
        (LOSS.replace("summary=", "requires=('targets',), summary="), "requires is ('targets',), not a mapping"),
        (LOSS.replace("summary=", "conflicts=['targets'], summary="), "conflicts is ['targets'], not a mapping"),
        (LOSS.replace("summary=", "recipe={'steps': 3}, summary="), "recipe is {'steps': 3}, not a ganzoo.api.Recipe"),
        (LOSS.replace("summary=", "params=dict, summary="), "params is <class 'dict'>, not a dataclass"),
        (LOSS.replace("summary=", "params=None, summary="), "params is None, not a dataclass"),
        (
            "from ganzoo.api import NoParams\n" + LOSS.replace("summary=", "params=NoParams(), summary="),
            "params is NoParams(); name the dataclass itself, not one of its instances",
        ),
        (
            "from dataclasses import dataclass\n@dataclass\nclass P:\n    w: list = None\n"
            + LOSS.replace("summary=", "params=P, summary="),
            "params: w: a parameter is int, float, bool, str",
        ),
        (
            "class Lazy:\n    def __getattr__(self, name):\n        raise OSError('gone')\nSPEC = Lazy()",
            "OSError: gone",
        ),
    ],
)
def test_a_broken_component_is_listed_with_the_reason_and_hides_no_other(sphere, make_distribution, source, reason):
    component = spec_with(make_distribution, source)
    assert component.state == "broken"
    assert reason in component.reason
    assert "\n" not in component.reason
    assert only(discover([str(sphere)]), "sphere").state == "ok"


def test_a_dataset_needs_a_spec_that_can_describe_it(make_distribution):
    component = spec_with(make_distribution, LOSS.replace('"loss"', '"dataset"'), "ganzoo.datasets")
    assert component.reason == "odd_spec:SPEC is a Spec; a dataset needs a ganzoo.api.DatasetSpec"


DATASET = """
from ganzoo.api import DatasetSpec
SPEC = DatasetSpec(target="a:b", summary="", describe=print, {more})
"""


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("extractor=None", "extractor is None, not the name of a feature network"),
        ("extractor='x', metrics='fid'", "metrics is 'fid', not a tuple of names; write (\"fid\",)"),
        ("extractor='x', metrics=()", 'metrics is (), not a tuple of names; write ("fid",)'),
        ("extractor='x', metrics=('fidd',)", 'metrics: no metric "fidd"; did you mean "fid"?'),
        ("extractor='x', samples='50'", "samples is '50', not a whole number above 1, or None"),
        ("extractor='x', samples=1", "samples is 1, not a whole number above 1, or None"),
        ("extractor=lambda params: 'x', metrics=['kid'], samples=2", ""),
    ],
)
def test_what_a_dataset_is_scored_by_is_looked_at_before_anything_is_planned(make_distribution, more, reason):
    component = spec_with(make_distribution, DATASET.format(more=more), "ganzoo.datasets")
    assert component.reason == (f"odd_spec:SPEC: {reason}" if reason else "")


@pytest.mark.parametrize("name", ["Sphere", "two_words", "a--b", "-a", "a b", "a/b", "süß"])
def test_names_are_lower_case_words_joined_by_single_dashes(make_distribution, name):
    folder = make_distribution("ganzoo-sphere", {"ganzoo.losses": {name: "sphere:SPEC"}}, {"sphere": LOSS})
    component = only(discover([str(folder)]), name)
    assert component.state == "broken"
    assert component.reason == f'the name "{name}" is not lower-case words joined by single dashes'


@pytest.mark.parametrize("value", ["", ":", "sphere:", ":SPEC", ".sphere:SPEC", "sphere:A.B", "a b:c", "sphere SPEC"])
def test_a_malformed_entry_is_broken(make_distribution, value):
    folder = make_distribution("ganzoo-sphere", {"ganzoo.losses": {"odd": value}}, {"sphere": LOSS})
    assert only(discover([str(folder)]), "odd").state == "broken"


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        (LOSS.replace("summary=", "api=2, summary="), "API 2, this ganzoo speaks 1; upgrade ganzoo-core"),
        (LOSS.replace("summary=", "api=0, summary="), "API 0, this ganzoo speaks 1; upgrade ganzoo-odd"),
        ("class NewSpec:\n    api = 7\n    shape = 'unknown'\nSPEC = NewSpec()", "upgrade ganzoo-core"),
        (
            "from ganzoo.api import Spec, Novelty\nSPEC = Spec()",
            "upgrade ganzoo-core or ganzoo-odd, whichever is older",
        ),
    ],
)
def test_a_plugin_for_another_api_says_what_to_upgrade(make_distribution, source, mend):
    component = spec_with(make_distribution, source)
    assert component.state == "wrong API"
    assert component.spec is None
    assert mend in component.reason


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rivals(make_distribution) -> Registry:
    """A registry where ganzoo-core and ganzoo-rival both claim `bce`."""
    make_distribution("ganzoo-core", {"ganzoo.losses": {"bce": "sphere:SPEC"}}, {"sphere": LOSS})
    folder = make_distribution("ganzoo-rival", {"ganzoo.losses": {"bce": "rival:SPEC"}}, {"rival": LOSS})
    return discover([str(folder)])


def test_a_name_that_two_distributions_claim_is_ambiguous_and_no_builtin_wins(rivals):
    with pytest.raises(AmbiguousNameError) as caught:
        rivals.get("loss", "bce")
    assert str(caught.value) == (
        'loss "bce" is registered by several distributions; write one of: ganzoo-core/bce, ganzoo-rival/bce'
    )
    assert [(one.state, one.reason) for one in rivals.components] == [
        ("ambiguous", "several distributions claim it; write ganzoo-core/bce"),
        ("ambiguous", "several distributions claim it; write ganzoo-rival/bce"),
    ]


@pytest.mark.parametrize("name", ["ganzoo-core/bce", "ganzoo-rival/bce"])
def test_the_distribution_before_the_name_chooses_one(rivals, name):
    component = rivals.get("loss", name)
    assert component.full_name == component.shown_name == name
    assert component.usable_spec.summary == "a loss on a sphere"


def test_the_full_name_works_where_nothing_is_ambiguous(sphere):
    component = discover([str(sphere)]).get("loss", "ganzoo-sphere/sphere")
    assert component.shown_name == "sphere"


def test_a_broken_rival_takes_no_name_away(make_distribution):
    make_distribution("ganzoo-core", {"ganzoo.losses": {"bce": "sphere:SPEC"}}, {"sphere": LOSS})
    folder = make_distribution("ganzoo-rival", {"ganzoo.losses": {"bce": "absent_module:SPEC"}})
    registry = discover([str(folder)])
    found = registry.get("loss", "bce")
    assert (found.full_name, found.shown_name, found.state) == ("ganzoo-core/bce", "bce", "ok")
    with pytest.raises(BrokenPluginError, match=r"ganzoo-rival/bce 1\.0 is broken: importing absent_module"):
        registry.get("loss", "ganzoo-rival/bce")


def test_beside_two_that_work_a_broken_one_says_what_is_wrong_with_it(make_distribution):
    for name, module in (("ganzoo-a", "sphere"), ("ganzoo-b", "absent_module"), ("ganzoo-c", "sphere")):
        folder = make_distribution(name, {"ganzoo.losses": {"bce": f"{module}:SPEC"}}, {"sphere": LOSS})
    states = [(one.distribution, one.state) for one in discover([str(folder)]).components]
    assert states == [("ganzoo-a", "ambiguous"), ("ganzoo-b", "broken"), ("ganzoo-c", "ambiguous")]


def test_what_a_plugin_prints_at_import_stays_out_of_standard_output(make_distribution, capsys):
    folder = make_distribution(
        "ganzoo-loud", {"ganzoo.losses": {"loud": "loud:SPEC"}}, {"loud": "print('hello')\n" + LOSS}
    )
    assert only(discover([str(folder)]), "loud").state == "ok"
    assert capsys.readouterr() == ("", "hello\n")


def test_one_name_in_two_kinds_is_not_ambiguous(make_distribution):
    entries = {"ganzoo.losses": {"same": "sphere:SPEC"}, "ganzoo.tricks": {"same": "sphere:TRICK"}}
    source = LOSS + 'TRICK = Spec(kind="trick", target="a:b", summary="")'
    registry = discover([str(make_distribution("ganzoo-sphere", entries, {"sphere": source}))])
    assert [one.state for one in registry.components] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("loss", "hing", 'no loss "hing"; did you mean "hinge"? (ganzoo list losses shows all)'),
        (
            "loss",
            "ganzoo-core/hing",
            'no loss "ganzoo-core/hing"; did you mean "ganzoo-core/hinge"? (ganzoo list losses',
        ),
        ("architecture", "zzzzz", 'no architecture "zzzzz"; known: dcgan, '),
        ("loss", "ema", '"ema" is a trick, not a loss; see: ganzoo show ema'),
        ("loss", "dcgan", '"dcgan" is an architecture, not a loss; see: ganzoo show dcgan'),
    ],
)
def test_an_unknown_name_says_what_was_probably_meant(kind, name, message):
    with pytest.raises(UnknownComponentError) as caught:
        installed().get(kind, name)
    assert str(caught.value).startswith(message)


def test_an_empty_registry_says_how_to_fill_it(tmp_path):
    with pytest.raises(UnknownComponentError, match="not even ganzoo's own; run: pip install ganzoo-core"):
        discover([str(tmp_path)]).get("loss", "bce")


# Building ------------------------------------------------------------------------------------------------------------


def test_the_target_is_imported_only_when_it_is_built(sphere):
    component = only(discover([str(sphere)]), "sphere")
    (sphere / "sphere_loss.py").write_text("class Sphere: pass", encoding="utf-8")
    assert "sphere_loss" not in sys.modules
    assert build_target(component).__name__ == "Sphere"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "ModuleNotFoundError: No module named 'sphere_loss'"),
        ("", "AttributeError: module 'sphere_loss' has no attribute 'Sphere'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("class Panic(BaseException): pass\nraise Panic", "Panic:"),
    ],
)
def test_a_target_that_cannot_be_imported_names_the_plugin(sphere, source, reason):
    component = only(discover([str(sphere)]), "sphere")
    if source is not None:
        (sphere / "sphere_loss.py").write_text(source, encoding="utf-8")
    message = f"loss ganzoo-sphere/sphere 1.0: importing sphere_loss:Sphere raised {reason}"
    with pytest.raises(BrokenPluginError, match=f"^{re.escape(message)}$"):
        build_target(component)


def test_source_of_finds_the_targets_file_without_importing_it(sphere):
    component = only(discover([str(sphere)]), "sphere")
    assert source_of(component) == "sphere_loss:Sphere"
    (sphere / "sphere_loss.py").write_text("raise SystemExit", encoding="utf-8")
    assert source_of(component) == str(sphere / "sphere_loss.py")
    (sphere / "sphere_loss.py").unlink()
    (sphere / "sphere_loss").mkdir()
    (sphere / "sphere_loss" / "__init__.py").touch()
    assert source_of(component) == str(sphere / "sphere_loss" / "__init__.py")


# What stays light ----------------------------------------------------------------------------------------------------

LIGHT = """
import sys
{code}
heavy = {{"torch", "torchvision", "pytorch_fid"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
COMMAND = "from ganzoo.cli.main import cli\ncli.main({arguments!r}, standalone_mode=False)"


def runs_light(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(code=code)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import ganzoo; ganzoo.list_components()",
        "import ganzoo.api",
        COMMAND.format(arguments=["list"]),
        COMMAND.format(arguments=["show", "dcgan"]),
        COMMAND.format(arguments=["bench", "--model", "dcgan", "--loss", "bce,wgan-gp", "--dry-run"]),
        COMMAND.format(arguments=["bench", "--model", "mlp", "--loss", "bce", "--engine", "local", "--dry-run"]),
    ],
)
def test_no_torch_is_imported_by(code):
    runs_light(code)


def test_no_torch_is_imported_by_the_report(tmp_path):
    (run,) = ganzoo.plan(model="mlp", loss="bce").runs
    result = Result(run=run.id, combination=run.combination, seed=0, status="failed", reason="broke", step=0)
    with open_grid(tmp_path / "out", (run,)):
        folder = run_folder(tmp_path / "out", run)
        folder.mkdir(parents=True)
        write_json(folder / "config.json", run)
        write_json(folder / "result.json", result)
    runs_light(COMMAND.format(arguments=["report", str(tmp_path / "out")]))


def test_only_one_file_imports_entrypoints():
    package = Path(__file__).parents[1] / "ganzoo"
    importing = [
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if re.search(r"^\s*(import|from) entrypoints\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == ["registry/discovery.py"]
