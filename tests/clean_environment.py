"""Environments as a user has them: ganzoo and plugins from their wheels, nothing from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path


def run(*command: str | Path, cwd: Path | None = None, codes: Sequence[int] = (0,)) -> str:
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
    assert done.returncode in codes, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build_wheels(sources: Sequence[Path], out: Path) -> list[Path]:
    """Build the wheel of each source folder and return them all."""
    for source in sources:
        run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", out, cwd=source)
    return sorted(out.glob("*.whl"))


def make_environment(folder: Path, wheels: Sequence[Path]) -> Path:
    """Make an environment that has these wheels, and all else from where the tests run, and return its folder.

    A .pth file lends it the packages of the tests' own environment, behind its own on sys.path, so that torch is not
    installed a second time. Python reads no .pth file in a folder that is named by one: the editable ganzoo stays out.
    """
    venv.create(folder, symlinks=True)
    (own,) = (folder / "lib").glob("python*/site-packages")
    lent = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "lent.pth").write_text("\n".join(lent) + "\n", encoding="utf-8")
    install(folder, wheels)
    return folder


def install(environment: Path, wheels: Sequence[Path]) -> None:
    """Install wheels without asking for what they depend on."""
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check", "--ignore-installed")
    run(sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", *offline, *wheels)
