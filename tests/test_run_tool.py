"""tools/run.py: an environment is used when it is finished and current, and is made or changed when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))

from environment import install, locks, needs  # noqa: E402
from environment.command import activated  # noqa: E402
from environment.messages import SetupError  # noqa: E402

PROJECT = """
[build-system]
requires = ["hatchling>=1.26"]

[project]
name = "thing"
dependencies = ["click>=8.1"]

[project.scripts]
thing = "thing:main"

[dependency-groups]
Test-Tools = ["pytest>=8.2"]
dev = [{ include-group = "test_tools" }, "ruff>=0.9", "click>=8.1"]
"""


class Pip:
    """Stands in for the two programs that an installation runs, and may fail at the step it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails_at = ""

    def __call__(self, env: Path, command: list[str], installing: int) -> None:
        """Run a step."""
        step = "venv" if "venv" in command else "editable" if "--editable" in command else "packages"
        self.calls.append(f"{step} dev" if "ruff>=0.9" in command else step)
        if step == self.fails_at:
            raise SetupError("no network")
        if step == "venv":
            (env / "bin").mkdir()
            (env / "bin" / "python").symlink_to(sys.executable)

    def steps(self) -> list[str]:
        """Return the steps since the last time."""
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    fake = Pip()
    monkeypatch.setattr(install, "execute", fake)
    return fake


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "a checkout")


@pytest.fixture
def env(checkout: Path) -> Path:
    return needs.env_path(checkout, {})


def make_checkout(path: Path) -> Path:
    path.mkdir()
    (path / "pyproject.toml").write_text(PROJECT)
    (path / "constraints.txt").write_text("click==8.1.7\n")
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def prepare(checkout: Path, env: Path, dev: bool = False) -> None:
    """Prepare an environment, for a command that ends at once."""
    os.close(install.prepare(checkout, env, dev))


# Where the environment is, and what it holds


def test_the_environment_is_in_the_checkout_unless_ganzoo_envs_names_a_folder(checkout: Path, tmp_path: Path) -> None:
    assert needs.env_path(checkout, {}) == checkout / ".venv"
    assert needs.env_path(checkout, {"GANZOO_ENVS": ""}) == checkout / ".venv"
    assert needs.env_path(checkout, {"GANZOO_ENVS": str(tmp_path / "envs")}).parent == tmp_path / "envs"


def test_checkouts_that_need_the_same_packages_share_an_environment(checkout: Path, tmp_path: Path) -> None:
    environ = {"GANZOO_ENVS": str(tmp_path / "envs")}
    other = make_checkout(tmp_path / "other")
    edit(other / "pyproject.toml", "thing:main", "thing:run")
    assert needs.env_path(checkout, environ) == needs.env_path(other, environ)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("constraints.txt", "8.1.7", "8.1.8"),
        ("pyproject.toml", 'dependencies = ["click>=8.1"]', 'dependencies = ["click>=8.2"]'),
        ("pyproject.toml", "ruff>=0.9", "ruff>=1"),
        ("pyproject.toml", "hatchling>=1.26", "hatchling>=1.27"),
    ],
)
def test_other_packages_are_another_environment(checkout: Path, file: str, old: str, new: str) -> None:
    environ = {"GANZOO_ENVS": str(checkout / "envs")}
    before = needs.env_path(checkout, environ)
    edit(checkout / file, old, new)
    assert needs.env_path(checkout, environ) != before


def test_requirements_are_the_projects_and_the_builds_and_for_developers_the_dev_group(checkout: Path) -> None:
    assert needs.requirements(checkout, dev=False) == ["click>=8.1", "hatchling>=1.26", needs.EDITABLE]
    assert needs.requirements(checkout, dev=True) == [
        *["click>=8.1", "hatchling>=1.26", needs.EDITABLE],
        *["pytest>=8.2", "ruff>=0.9"],
    ]


def test_a_group_that_includes_itself_or_nothing_known_is_an_error() -> None:
    with pytest.raises(SetupError, match="'A_a' includes itself"):
        needs.group({"a-a": [{"include-group": "b"}], "b": [{"include-group": "A_a"}]}, "a-a")
    with pytest.raises(SetupError, match="no dependency group 'b'"):
        needs.group({"a": [{"include-group": "b"}]}, "a")


def test_the_groups_of_this_project_resolve() -> None:
    assert any(requirement.startswith("pytest") for requirement in needs.requirements(ROOT, dev=True))


# Making it


def test_a_current_environment_is_left_alone(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env)
    assert pip.steps() == ["venv", "packages", "editable"]
    prepare(checkout, env)
    assert pip.steps() == []


def test_dev_packages_are_added_and_serve_ganzoo_too(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env)
    pip.steps()
    prepare(checkout, env, dev=True)
    assert pip.steps() == ["packages dev", "editable"]
    prepare(checkout, env)
    prepare(checkout, env, dev=True)
    assert pip.steps() == []


@pytest.mark.parametrize("step", ["venv", "packages", "editable"])
def test_a_failed_installation_is_not_taken_for_a_finished_one(checkout: Path, env: Path, pip: Pip, step: str) -> None:
    pip.fails_at = step
    with pytest.raises(SetupError, match="no network"):
        prepare(checkout, env)
    pip.fails_at = ""
    pip.steps()
    prepare(checkout, env)
    assert pip.steps() == (["editable"] if step == "editable" else ["venv", "packages", "editable"])


def test_a_failed_update_starts_afresh(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env)
    edit(checkout / "constraints.txt", "8.1.7", "8.1.8")
    pip.fails_at = "packages"
    with pytest.raises(SetupError, match="no network"):
        prepare(checkout, env)
    edit(checkout / "constraints.txt", "8.1.8", "8.1.7")
    (env / "half-installed").touch()
    pip.fails_at = ""
    pip.steps()
    prepare(checkout, env)
    assert pip.steps() == ["venv", "packages", "editable"]
    assert not (env / "half-installed").exists()


def test_changed_constraints_update_the_environment(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env)
    pip.steps()
    edit(checkout / "constraints.txt", "8.1.7", "8.1.8")
    prepare(checkout, env)
    assert pip.steps() == ["packages", "editable"]


def test_changed_entry_points_install_only_the_project(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env, dev=True)
    pip.steps()
    edit(checkout / "pyproject.toml", "thing:main", "thing:run")
    prepare(checkout, env)
    assert pip.steps() == ["editable"]
    prepare(checkout, env, dev=True)
    assert pip.steps() == []


def test_a_shared_environment_follows_the_checkout_that_calls(checkout: Path, tmp_path: Path, pip: Pip) -> None:
    env, other = tmp_path / "envs" / "key", make_checkout(tmp_path / "other")
    prepare(checkout, env)
    pip.steps()
    prepare(other, env)
    assert pip.steps() == ["editable"]
    prepare(checkout, env)
    assert pip.steps() == ["editable"]


def test_a_moved_checkout_gets_a_new_environment(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env)
    pip.steps()
    moved = checkout.rename(checkout.with_name("moved"))
    prepare(moved, moved / ".venv")
    assert pip.steps() == ["venv", "packages", "editable"]


def test_an_environment_whose_python_has_gone_is_made_anew(checkout: Path, env: Path, pip: Pip) -> None:
    prepare(checkout, env)
    pip.steps()
    (env / "bin" / "python").unlink()
    prepare(checkout, env)
    assert pip.steps() == ["venv", "packages", "editable"]


@pytest.mark.parametrize("text", ["", "{}", '{"python": "3.11"}', "[]"])
def test_a_damaged_stamp_is_no_stamp(checkout: Path, env: Path, pip: Pip, text: str) -> None:
    prepare(checkout, env)
    (env / install.STAMP).write_text(text)
    assert install.read_stamp(env) is None


def test_a_folder_that_somebody_else_made_is_left_alone(checkout: Path, env: Path, pip: Pip) -> None:
    env.mkdir()
    (env / "precious").touch()
    with pytest.raises(SetupError, match="was not made by"):
        prepare(checkout, env)
    assert [path.name for path in env.iterdir()] == ["precious"]


def test_without_ensurepip_the_error_names_the_package(
    checkout: Path, env: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(SetupError, match=rf"python3\.{sys.version_info.minor}-venv"):
        prepare(checkout, env)


def test_a_step_that_fails_shows_what_it_printed_and_where_the_log_is(tmp_path: Path) -> None:
    (tmp_path / install.LOG).write_text("from an earlier call\n")
    with locks.locked(tmp_path / "lock", "") as held, pytest.raises(SetupError) as caught:
        install.execute(tmp_path, [sys.executable, "-c", "print('no space left'); raise SystemExit(3)"], held)
    assert str(caught.value).startswith("no space left\n")
    assert str(tmp_path / install.LOG) in str(caught.value)


# Two at once


def test_a_step_that_outlives_this_process_still_keeps_others_out(tmp_path: Path) -> None:
    with locks.locked(tmp_path / "lock", "") as held:
        install.execute(tmp_path, [sys.executable, "-c", f"import os; os.fstat({held})"], held)


def test_a_command_keeps_other_checkouts_from_changing_its_environment(
    checkout: Path, tmp_path: Path, pip: Pip
) -> None:
    env, other = tmp_path / "envs" / "key", make_checkout(tmp_path / "other")
    running = install.prepare(checkout, env, dev=False)
    with locks.locked_if_free(env / install.USING) as free:
        assert not free
    stamp = install.read_stamp(env)
    assert stamp is not None
    assert install.disturbs(stamp, needs.needed_state(other, env, dev=False))
    os.close(running)
    with locks.locked_if_free(env / install.USING) as free:
        assert free


def test_dev_packages_need_not_wait_for_a_command_that_runs(checkout: Path, env: Path, pip: Pip) -> None:
    running = install.prepare(checkout, env, dev=False)
    prepare(checkout, env, dev=True)
    os.close(running)
    assert pip.steps() == ["venv", "packages", "editable", "packages dev", "editable"]


def test_prune_empties_the_environments_that_nobody_uses(checkout: Path, tmp_path: Path, pip: Pip) -> None:
    mine, used, unused = (tmp_path / "envs" / name for name in ("mine", "used", "unused"))
    prepare(checkout, mine)
    running = install.prepare(checkout, used, dev=False)
    prepare(checkout, unused)
    (tmp_path / "envs" / "not ours").mkdir()
    install.prune(mine)
    os.close(running)
    assert install.read_stamp(mine)
    assert install.read_stamp(used)
    assert sorted(path.name for path in unused.iterdir()) == [install.INSTALLING, install.USING]
    assert (tmp_path / "envs" / "not ours").is_dir()


# Running a command


def test_a_command_sees_the_environment_first_and_no_pythonhome() -> None:
    environ = activated(Path("/an env"), {"PATH": "/usr/bin", "PYTHONHOME": "/elsewhere", "VIRTUAL_ENV": "/other"})
    assert environ == {"PATH": "/an env/bin:/usr/bin", "VIRTUAL_ENV": "/an env"}


def test_run_passes_arguments_directory_and_exit_code_on(tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    (copy / "tools" / "environment").mkdir(parents=True)
    for path in [Path("tools/run.py"), *(p.relative_to(ROOT) for p in (ROOT / "tools/environment").glob("*.py"))]:
        (copy / path).write_bytes((ROOT / path).read_bytes())
    (copy / "pyproject.toml").write_text(PROJECT)
    (copy / "constraints.txt").touch()
    env = copy / ".venv"
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "python").symlink_to(sys.executable)
    (env / install.INSTALLING).touch()
    install.write_stamp(env, needs.needed_state(copy, env, dev=True))
    tell = "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['VIRTUAL_ENV'], sep='|'); sys.exit(7)"
    done = subprocess.run(
        [sys.executable, str(copy / "tools" / "run.py"), "python", "-c", tell, "--an option", "x"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.strip() == f"{tmp_path}|['--an option', 'x']|{env}"
