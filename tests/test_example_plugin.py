"""The example plugin works as its users would meet it: built, installed from wheels and found by its entry point."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "plugins" / "ganzoo-example"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that has ganzoo and the plugin from their wheels, and all else from where the tests run.

    A .pth file lends it the packages of the tests' own environment, behind its own on sys.path, so that torch is not
    installed a second time. Python reads no .pth file in a folder that is named by one: the editable ganzoo stays out.
    """
    folder = tmp_path_factory.mktemp("clean")
    for project in (ROOT, PLUGIN):
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "wheels", project)
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    wheels = sorted((folder / "wheels").glob("*.whl"))
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, "install", *offline, *wheels)
    (own,) = (folder / "env" / "lib").glob("python*/site-packages")
    lent = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "lent.pth").write_text("\n".join(lent) + "\n", encoding="utf-8")
    return folder / "env"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program away from the checkout and return what it printed; its errors fail the test."""
    environ = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd or Path(sys.executable).parent,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_ganzoo_and_the_plugin_come_from_their_wheels(clean: Path) -> None:
    program = "import ganzoo, ganzoo_example; print(ganzoo.__file__, ganzoo_example.__file__, sep='\\n')"
    for file in run(clean / "bin" / "python", "-c", program).splitlines():
        assert Path(file).is_relative_to(clean)


def test_the_loss_is_listed_with_its_distribution(clean: Path) -> None:
    rows = json.loads(run(clean / "bin" / "ganzoo", "list", "losses", "--json"))
    (row,) = [row for row in rows if row["name"] == "example-lsgan"]
    assert (row["distribution"], row["state"], row["reason"]) == ("ganzoo-example", "ok", "")


def test_the_loss_trains(clean: Path, tmp_path: Path) -> None:
    grid = ("--model", "mlp", "--loss", "example-lsgan", "--dataset", "digits", "--steps", "20", "--seeds", "1")
    run(clean / "bin" / "ganzoo", "bench", *grid, "--device", "cpu", "--out", tmp_path / "runs", cwd=tmp_path)
    (result,) = (tmp_path / "runs").rglob("result.json")
    assert "example-lsgan" in "".join(path.read_text(encoding="utf-8") for path in result.parent.glob("*.json"))


def test_the_plugins_own_tests_pass(clean: Path, tmp_path: Path) -> None:
    shutil.copytree(PLUGIN / "tests", tmp_path / "tests")
    run(clean / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", tmp_path / "tests", cwd=tmp_path)
