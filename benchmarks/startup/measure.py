"""How long the commands that never train take, as ratios to starting Python: run it on a quiet machine.

    python benchmarks/startup/measure.py [--rounds 15]

Every command runs once to warm the file cache, then once a round in turn, so that a slow moment hits all of them; the
median of the rounds is printed as a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DISTRIBUTIONS = 500
PLUGINS = 50
"""Of these distributions, those that register a loss; the others only have a console script."""
CROWD = 200
"""Distributions of another folder that all register a loss."""
SPEC = 'from ganzoo.api import Spec\n\nSPEC = Spec(kind="loss", target="measured:Loss", summary="a measured loss")\n'
PYTHON = "python -c pass"


def main() -> None:
    """Measure every command and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as crowd:
        install(Path(folder), DISTRIBUTIONS, PLUGINS)
        install(Path(crowd), CROWD, CROWD)
        times: dict[str, list[float]] = {name: [] for name in commands(folder, crowd)}
        for number in range(rounds + 1):
            for name, (command, environ) in commands(folder, crowd).items():
                seconds = duration(command, environ)
                if number:  # the first round warms the file cache
                    times[name].append(seconds)
    base = statistics.median(times[PYTHON])
    print("| command | median, ms | times `python -c pass` |\n|---|---:|---:|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| `{name}` | {1000 * median:.0f} | {median / base:.1f} |")


def install(folder: Path, distributions: int, plugins: int) -> None:
    """Write distributions into a folder, as an installer would; the first of them are plugins."""
    for number in range(distributions):
        info = folder / f"measured_{number}-1.0.dist-info"
        info.mkdir()
        plugin = f"[ganzoo.losses]\nmeasured-{number} = measured_{number}:SPEC\n" if number < plugins else ""
        (info / "entry_points.txt").write_text(f"[console_scripts]\na{number} = b:c\n\n{plugin}", encoding="utf-8")
        if plugin:
            (folder / f"measured_{number}.py").write_text(SPEC, encoding="utf-8")


def commands(folder: str, crowd: str) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Return each command with its environment."""
    ganzoo = [sys.executable, str(Path(sys.executable).with_name("ganzoo"))]
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    grid = ["--model", "dcgan", "--loss", "bce,hinge,wgan-gp", "--ablate", "spectral-norm,label-smoothing"]
    return {
        PYTHON: ([sys.executable, "-c", "pass"], plain),
        "ganzoo list": ([*ganzoo, "list"], plain),
        f"ganzoo list, {DISTRIBUTIONS} more distributions": ([*ganzoo, "list"], {**plain, "PYTHONPATH": folder}),
        "ganzoo show dcgan": ([*ganzoo, "show", "dcgan"], plain),
        "ganzoo bench --dry-run": ([*ganzoo, "bench", *grid, "--dry-run"], plain),
        f"ganzoo list, {CROWD} plugins": ([*ganzoo, "list"], {**plain, "PYTHONPATH": crowd}),
        f"ganzoo bench --dry-run, {CROWD} plugins": (
            [*ganzoo, "bench", *grid, "--dry-run"],
            {**plain, "PYTHONPATH": crowd},
        ),
    }


def duration(command: list[str], environ: dict[str, str]) -> float:
    """Return the seconds that a command takes; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
