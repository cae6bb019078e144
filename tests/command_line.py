"""The command line as a user meets it: a process of its own, beside plugins that are no more than a folder."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

SMALL = ("--dataset", "digits", "--device", "cpu", "--samples", "50", "--evaluations", "2")
"""What makes a run on a CPU take a second."""


def runner() -> CliRunner:
    """Return what calls a command in this process, its two streams apart, for which click 8.1 has to be asked."""
    asked = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**asked)


def start(*words: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `ganzoo WORDS...` in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "ganzoo", *map(str, words)],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ganzoo(*words: str | Path, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run `ganzoo WORDS...` and return its exit code, standard output and standard error."""
    with start(*words, env=env) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def install(site: Path, name: str, source: str, groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Put a one-module distribution into a folder and return the environment in which ganzoo finds it, beside the rest.

    `groups` are entry points: `{"ganzoo.losses": ("loud",)}` registers the object LOUD of the module as `loud`.
    """
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = [
        line
        for group, keys in groups.items()
        for line in (f"[{group}]", *(f"{key} = {name}:{key.upper().replace('-', '_')}" for key in keys))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (site / f"{name}.py").write_text(source, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])}


def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user without a name or a home folder, and without a cache that is named."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "GANZOO_CACHE", "GANZOO_DATA", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
