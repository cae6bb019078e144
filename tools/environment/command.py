"""The command line of tools/run.py: prepare the environment, then become the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from environment.install import prepare, prune
from environment.messages import SetupError, fail
from environment.needs import env_path

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Run a command in the environment of this checkout; return an exit code only where that is impossible."""
    try:
        env = env_path(CHECKOUT, os.environ)
        if arguments == ["--prune"]:
            if os.environ.get("GANZOO_ENVS"):
                prune(env)
            return 0
        if not arguments or arguments[0].startswith("-"):
            return fail("usage: python3 tools/run.py COMMAND [ARGUMENT]..., e.g. python3 tools/run.py ganzoo list", 2)
        using = prepare(CHECKOUT, env, dev=arguments[0] != "ganzoo")
        return become(arguments, env, using)
    except SetupError as error:
        return fail(str(error), 1)
    except KeyboardInterrupt:
        return fail("interrupted; the next call finishes the environment", 130)


def become(command: list[str], env: Path, using: int) -> int:
    """Become a command that runs in an environment, and keep the environment as it is until the command ends."""
    environ = activated(env, os.environ)
    program = shutil.which(command[0], path=environ["PATH"])
    if program is None:
        return fail(f"there is no command {command[0]!r}, neither in {env} nor on PATH", 127)
    os.set_inheritable(using, True)
    try:
        os.execve(program, command, environ)
    except OSError as error:
        return fail(f"cannot run {program}: {error.strerror}", 126)


def activated(env: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process that runs in an environment."""
    changed = {key: value for key, value in environ.items() if key != "PYTHONHOME"}
    changed["VIRTUAL_ENV"] = str(env)
    changed["PATH"] = os.pathsep.join([str(env / "bin"), environ.get("PATH") or os.defpath])
    return changed
