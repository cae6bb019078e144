"""Bring an environment into the state that a command needs.

An environment is finished when its stamp says so. The stamp is taken away before packages change and written last, so
that an interrupted installation is never mistaken for a finished one. Two locks keep simultaneous calls apart:
INSTALLING is held by the call that changes the environment; USING is shared by all commands that run in it for as long
as they run, and is taken alone for a change that would pull the ground from under them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from environment.locks import SHARED, lock, locked, locked_if_free
from environment.messages import SetupError, say
from environment.needs import State, needed_state, requirements

STAMP, LOG = "ganzoo-stamp.json", "ganzoo-install.log"
INSTALLING, USING = "ganzoo-installing.lock", "ganzoo-using.lock"
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_TARGET", "PIP_USER")
"""Variables that would make pip look or install outside the environment."""


def prepare(checkout: Path, env: Path, dev: bool) -> int:
    """Make an environment serve a checkout, and return the file descriptor that keeps it so while it is open."""
    claim(env)
    busy = f"waiting for the installation that is under way in {env}"
    while True:
        using = lock(env / USING, SHARED, busy)
        needed = needed_state(checkout, env, dev)
        if serves(env, needed):
            return using
        os.close(using)
        with locked(env / INSTALLING, busy) as installing:
            if not serves(env, needed):
                change(checkout, env, needed, installing)


def claim(env: Path) -> None:
    """Make the folder of an environment, unless something is there that is not ours to change."""
    try:
        env.mkdir(parents=True, exist_ok=True)
        if (env / INSTALLING).exists():
            return
        if any(env.iterdir()) and not (env / INSTALLING).exists():
            raise SetupError(f"{env} was not made by tools/run.py: move it away, or name another folder in GANZOO_ENVS")
        (env / INSTALLING).touch()
    except OSError as error:
        raise SetupError(f"cannot make {env} ({error.strerror}): GANZOO_ENVS may name another folder") from error


def serves(env: Path, needed: State) -> bool:
    """Return whether an environment is finished and serves a need."""
    stamp = read_stamp(env)
    return stamp is not None and stamp.serves(needed)


def read_stamp(env: Path) -> State | None:
    """Return what a finished environment holds, or None when it is not finished or its Python has gone."""
    try:
        stamp = State(**json.loads((env / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return stamp if os.access(env / "bin" / "python", os.X_OK) else None


def write_stamp(env: Path, state: State) -> None:
    """Declare an environment finished, in one step."""
    draft = env / f"{STAMP}.new"
    draft.write_text(json.dumps(dataclasses.asdict(state), indent=2) + "\n", encoding="utf-8")
    draft.replace(env / STAMP)


def change(checkout: Path, env: Path, needed: State, installing: int) -> None:
    """Bring an environment into the state that is needed, with as little work as is safe."""
    stamp = read_stamp(env)
    fresh = stamp is None or (stamp.location, stamp.python) != (needed.location, needed.python)
    with contextlib.ExitStack() as alone:
        if stamp is None or fresh or disturbs(stamp, needed):
            wait = f"waiting for the commands that run in {env}: it has to change under them"
            alone.enter_context(locked(env / USING, wait))
        if stamp is None or fresh or not stamp.bare().serves(needed.bare()):
            (env / STAMP).unlink(missing_ok=True)
            install_dependencies(checkout, env, needed.dev, fresh, installing)
            stamp = needed
        write_stamp(env, stamp.bare())
        pip(env, ["--no-deps", "--no-build-isolation", "--no-index", "--editable", str(checkout)], installing)
        write_stamp(env, dataclasses.replace(stamp, checkout=needed.checkout, project=needed.project))


def disturbs(stamp: State, needed: State) -> bool:
    """Return whether a change replaces what commands that run now may still import, instead of adding to it."""
    return stamp.dependencies != needed.dependencies or stamp.checkout not in ("", needed.checkout)


def install_dependencies(checkout: Path, env: Path, dev: bool, fresh: bool, installing: int) -> None:
    """Install all that a checkout needs beside itself, into a new environment where `fresh` says so."""
    if fresh:
        say(f"setting up {env} (a minute or more; on Linux about 6 GB, because torch brings CUDA)")
        empty(env)
        make_venv(env, installing)
    else:
        say(f"updating {env}")
    pip(env, ["--constraint", str(checkout / "constraints.txt"), *requirements(checkout, dev)], installing)


def empty(env: Path) -> None:
    """Remove all but the locks, which other calls may be waiting for; the stamp goes first."""
    (env / STAMP).unlink(missing_ok=True)
    for path in env.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (INSTALLING, USING):
            path.unlink()


def prune(env: Path) -> None:
    """Empty the environments beside this one that nobody is using."""
    for other in {path.parent for path in env.parent.glob(f"*/{INSTALLING}")} - {env}:
        with locked_if_free(other / INSTALLING) as idle, locked_if_free(other / USING) as unused:
            if idle and unused and (other / "bin").exists():
                say(f"emptying {other}: this checkout needs another environment")
                empty(other)


def make_venv(env: Path, installing: int) -> None:
    """Make a virtual environment with the pip that this Python carries."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise SetupError(
            f"{sys.executable} cannot make virtual environments: install the system's package for it "
            f"(Debian and Ubuntu: {package}), or run this with another Python"
        )
    execute(env, [sys.executable, "-I", "-m", "venv", str(env)], installing)


def pip(env: Path, arguments: list[str], installing: int) -> None:
    """Install into an environment."""
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    execute(env, [str(env / "bin" / "python"), "-I", "-m", "pip", "install", *options, *arguments], installing)


def execute(env: Path, command: list[str], installing: int) -> None:
    """Run one step of an installation quietly, and show what it printed if it fails.

    The step holds the installation's lock too, so that it keeps others out should it outlive this process.
    """
    environ = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    with (env / LOG).open("a+", encoding="utf-8", errors="replace") as log:
        start = log.tell()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, pass_fds=[installing], check=False
        )
        if done.returncode:
            log.seek(start)
            raise SetupError(f"{log.read().strip()}\nthe installation failed: {command}\nits log: {env / LOG}")
