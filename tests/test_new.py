"""Tried as a new author would: from `ganzoo new` to a scored row, with the installed wheel in a fresh environment."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from clean_environment import build_wheels, install, make_environment, run
from command_line import runner

from ganzoo.api import API_VERSION
from ganzoo.cli.main import cli
from ganzoo.errors import ParameterError
from ganzoo.registry.lookup import PLURALS
from ganzoo.scaffold.files import LICENCES, files
from ganzoo.scaffold.names import LONGEST, checked
from ganzoo.version import __version__

KINDS = list(PLURALS.values())
NAMES = {kind: f"my-{kind}" for kind in KINDS}
KEYS = {"architecture": "model", "loss": "loss", "dataset": "dataset", "trick": "trick"}
"""What a combination is made of, as a suite file names it; the other kinds are a whole suite's."""
each_kind = pytest.mark.parametrize("kind", KINDS)


# As an author meets it -----------------------------------------------------------------------------------------------


class Author:
    """Who has installed ganzoo, and wrote one plugin of each kind with `ganzoo new`."""

    def __init__(self, folder: Path, own_wheel: Path) -> None:
        self.folder = folder
        self.environment = make_environment(folder / "env", [own_wheel])
        for kind, name in NAMES.items():
            self.ganzoo("new", kind, name, "--in", folder, "--author", "An Author")
        self.wheels = build_wheels([self.plugin(kind) for kind in KINDS], folder / "wheels")
        install(self.environment, self.wheels)

    def plugin(self, kind: str) -> Path:
        return self.folder / f"ganzoo-{NAMES[kind]}"

    def ganzoo(self, *words: str | Path) -> str:
        return run(self.environment / "bin" / "ganzoo", *words, cwd=self.folder)

    def scored(self, name: str, suite: str) -> dict[str, dict[str, Any]]:
        """Carry a suite out, small and short, and return the rows of its report by their names."""
        (self.folder / f"{name}.toml").write_text(suite, encoding="utf-8")
        size = ("--steps", "4", "--evaluations", "1", "--samples", "64", "--batch-size", "16", "--device", "cpu")
        self.ganzoo("bench", f"{name}.toml", "--metrics", "fid", *size, "--out", name)
        tables = json.loads(self.ganzoo("report", name, "--format", "json"))["tables"]
        return {row["combination"]: row for table in tables for row in table["rows"]}


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory, own_wheel: Path) -> Author:
    return Author(tmp_path_factory.mktemp("author"), own_wheel)


@pytest.fixture(scope="module")
def verdicts(author: Author) -> list[dict[str, str]]:
    return json.loads(author.ganzoo("check", *NAMES.values(), "--json"))


@pytest.fixture(scope="module")
def rows(author: Author) -> dict[str, dict[str, Any]]:
    """Return a row for each plugin of a combination, trained and scored beside built-ins, and one of all together."""
    alone = "".join(f'[[combination]]\nname = "{kind}"\n{asked(kind)}' for kind in KEYS)
    others = "".join(f'{kind} = "{NAMES[kind]}"\n' for kind in KINDS if kind not in KEYS)
    together = f'{others}[[combination]]\nname = "together"\n{asked(*KEYS)}'
    return author.scored("alone", alone) | author.scored("together", together)


def asked(*own: str) -> str:
    """Return the keys of a combination: of these kinds the author's, of the others built-ins."""
    usual = {"architecture": "mlp", "loss": "bce", "dataset": "digits"}
    named = usual | {kind: NAMES[kind] for kind in own}
    return "".join(f'{KEYS[kind]} = "{name}"\n' for kind, name in named.items())


@pytest.mark.slow
@each_kind
def test_it_is_listed_from_its_own_distribution(author: Author, kind: str) -> None:
    rows = json.loads(author.ganzoo("list", "--json"))
    (found,) = [one for one in rows if one["name"] == NAMES[kind]]
    assert (found["kind"], found["distribution"], found["version"], found["state"]) == (
        kind, f"ganzoo-{NAMES[kind]}", "0.1.0", "ok"
    )  # fmt: skip


@pytest.mark.slow
@each_kind
def test_it_passes_every_check_as_it_is(verdicts: list[dict[str, str]], kind: str) -> None:
    found = [one for one in verdicts if one["name"] == NAMES[kind]]
    assert len(found) > 20
    assert [one for one in found if one["verdict"] not in ("passed", "skipped")] == []


@pytest.mark.slow
@each_kind
def test_it_trains_and_is_scored(rows: dict[str, dict[str, Any]], author: Author, kind: str) -> None:
    found = rows[kind if kind in KEYS else "together"]
    assert math.isfinite(found["last"]["fid"]["mean"])
    result = author.folder / found["folder"] / "seed-0" / "result.json"
    took_part = {name for name in json.loads(result.read_text(encoding="utf-8"))["plugins"] if "my-" in name}
    assert took_part == {f"ganzoo-{NAMES[one]} 0.1.0" for one in ([kind] if kind in KEYS else KINDS)}


@pytest.mark.slow
@each_kind
def test_the_command_that_its_readme_names_is_planned(author: Author, kind: str) -> None:
    readme = (author.plugin(kind) / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    ganzoo (bench .+)$", readme, re.MULTILINE)
    assert NAMES[kind] in author.ganzoo(*command.split(), "--dry-run")


@pytest.mark.slow
def test_their_own_tests_pass(author: Author) -> None:
    folders = [author.plugin(kind) / "tests" for kind in KINDS]
    quick = ("-k", "not trains and not memory")  # which `ganzoo check` has tried
    options = ("-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", author.folder)
    shown = run(author.environment / "bin" / "python", "-m", "pytest", *options, *quick, *folders, cwd=author.folder)
    assert " passed" in shown


@pytest.mark.slow
def test_their_code_is_formatted_linted_and_strictly_typed(author: Author) -> None:
    for kind in KINDS:
        for command in (("check",), ("format", "--check")):
            run(sys.executable, "-m", "ruff", *command, ".", cwd=author.plugin(kind))
    paths = [str(author.plugin(kind)) for kind in KINDS]
    settings = {"include": ["ganzoo-*"], "typeCheckingMode": "strict", "extraPaths": paths}
    (author.folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    python = ("--pythonpath", str(author.environment / "bin" / "python"))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", *python],
        cwd=author.folder, env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


# What is written -----------------------------------------------------------------------------------------------------


def new(*words: str | Path) -> tuple[str, str]:
    done = runner().invoke(cli, ["new", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


@each_kind
def test_it_is_a_whole_distribution(kind: str) -> None:
    found = files(checked(kind, "sphere"), "Ann", "MIT")
    assert set(found) == {
        ".github/workflows/test.yml", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "ganzoo_sphere/__init__.py",
        f"ganzoo_sphere/{kind}.py", "ganzoo_sphere/spec.py", "pyproject.toml", "tests/test_conformance.py",
        f"tests/test_{kind}.py",
    }  # fmt: skip
    project = tomllib.loads(found["pyproject.toml"])["project"]
    assert (project["name"], project["license"], project["authors"]) == ("ganzoo-sphere", "MIT", [{"name": "Ann"}])
    (group,) = project["entry-points"]
    assert project["entry-points"][group] == {"sphere": "ganzoo_sphere.spec:SPEC"}
    major, minor, *_ = __version__.split(".")
    assert f"ganzoo-core>={major}.{minor},<{int(major) + 1}" in project["dependencies"]
    assert f"api={API_VERSION}," in found["ganzoo_sphere/spec.py"]
    assert "torch" not in re.sub(r'"""[^"]*"""', "", found["ganzoo_sphere/spec.py"])
    assert "Copyright (c) Ann" in found["LICENSE"]
    assert not [path for path, text in found.items() if re.search(r"\$[a-z_]+", text) and path.endswith((".py", ".md"))]


@pytest.mark.parametrize("licence", LICENCES)
def test_the_licence_can_be_chosen(licence: str) -> None:
    found = files(checked("loss", "sphere"), "Ann", licence)
    assert ("LICENSE" in found) == (licence != "none")
    assert tomllib.loads(found["pyproject.toml"])["project"].get("license", "none") == licence


def test_an_author_may_have_quotes_in_their_name() -> None:
    author = 'Ann "the\\Owl" Ö.'
    found = files(checked("loss", "sphere"), author, "MIT")
    assert tomllib.loads(found["pyproject.toml"])["project"]["authors"] == [{"name": author}]
    assert f"Copyright (c) {author}\n" in found["LICENSE"]


@pytest.mark.parametrize("name", ["a", "3d", "a" * LONGEST, "none", "import", "x-1-y"])
@each_kind
def test_whatever_it_is_called_its_code_is_well_formed(kind: str, name: str, tmp_path: Path) -> None:
    new(kind, name, "--in", tmp_path)
    for command in (("check",), ("format", "--check")):
        run(sys.executable, "-m", "ruff", *command, "--no-cache", ".", cwd=tmp_path / f"ganzoo-{name}")


def test_a_dry_run_shows_the_files_and_writes_none(tmp_path: Path) -> None:
    shown, _ = new("loss", "sphere", "--in", tmp_path, "--dry-run")
    assert f"{tmp_path / 'ganzoo-sphere' / 'ganzoo_sphere' / 'loss.py'}  (" in shown
    assert f"{tmp_path / 'ganzoo-sphere' / 'ganzoo_sphere' / '__init__.py'}  (1 line)\n" in shown
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    shown, warned = new("loss", "sphere", "--in", tmp_path)
    assert f"    ganzoo check {tmp_path / 'ganzoo-sphere'}/\n" in shown
    assert "    ganzoo bench --model mlp --loss sphere,bce\n" in shown
    assert warned == ""


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    new("loss", "sphere", "--in", tmp_path)
    mine = tmp_path / "ganzoo-sphere" / "ganzoo_sphere" / "loss.py"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(ParameterError, match="ganzoo-sphere is there already"):
        new("loss", "sphere", "--in", tmp_path)
    assert mine.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Sphere", "is not lower-case words and digits joined by single hyphens"),
        ("a--b", "is not lower-case words"),
        ("a_b", "is not lower-case words"),
        ("a" * (LONGEST + 1), "has 41 characters"),
        ("ganzoo-sphere", "name the component, not the distribution: ganzoo new loss sphere"),
        ("core", "ganzoo-core is ganzoo's own distribution"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=says):
        new("loss", name, "--in", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_in_use_is_warned_of(tmp_path: Path) -> None:
    _, warned = new("loss", "bce", "--in", tmp_path)
    assert 'warning: the loss "bce" is already registered by ganzoo-core' in warned
    assert "must write ganzoo-bce/bce" in warned
