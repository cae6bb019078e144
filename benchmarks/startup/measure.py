"""How long the commands that never train take, by the clock and of the processor: run it on a quiet machine.

    python benchmarks/startup/measure.py [--rounds 15]

Every command runs once to warm the file cache, then once a round in turn, so that a slow moment hits all of them; the
median of the rounds is printed as a Markdown table. The time of the processor is what other people's work leaves alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

DISTRIBUTIONS = 500
PLUGINS = 50
"""Of these distributions, those that register a loss; the others only have a console script."""
CROWD = 200
"""Distributions of another folder that all register a loss."""
SPEC = 'from ganzoo.api import Spec\n\nSPEC = Spec(kind="loss", target="measured:Loss", summary="a measured loss")\n'
PYTHON = "`python -c pass`"


def main() -> None:
    """Measure every command and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as crowd:
        install(Path(folder), DISTRIBUTIONS, PLUGINS)
        install(Path(crowd), CROWD, CROWD)
        times: dict[str, list[Taken]] = {name: [] for name in commands(folder, crowd)}
        for number in range(rounds + 1):
            for name, (command, environ) in commands(folder, crowd).items():
                taken = duration(command, environ)
                if number:  # the first round warms the file cache
                    times[name].append(taken)
    print("| command | median, ms | slowest, ms | of the processor, ms | times `python -c pass` |")
    print("|---|---:|---:|---:|---:|")
    base = statistics.median(one.processor for one in times[PYTHON])
    for name, found in times.items():
        clock = [1000 * one.clock for one in found]
        processor = statistics.median(one.processor for one in found)
        numbers = f"{statistics.median(clock):.0f} | {max(clock):.0f} | {1000 * processor:.0f} | {processor / base:.1f}"
        print(f"| {name} | {numbers} |")


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
    plan = [*ganzoo, "bench", *grid, "--dry-run"]
    return {
        PYTHON: ([sys.executable, "-c", "pass"], plain),
        "`ganzoo list`": ([*ganzoo, "list"], plain),
        f"`ganzoo list`, {DISTRIBUTIONS} more distributions": ([*ganzoo, "list"], {**plain, "PYTHONPATH": folder}),
        "`ganzoo show dcgan`": ([*ganzoo, "show", "dcgan"], plain),
        "`ganzoo bench --dry-run`": (plan, plain),
        f"`ganzoo list`, {CROWD} plugins": ([*ganzoo, "list"], {**plain, "PYTHONPATH": crowd}),
        f"`ganzoo bench --dry-run`, {CROWD} plugins": (plan, {**plain, "PYTHONPATH": crowd}),
    }


class Taken(NamedTuple):
    """Seconds of a command."""

    clock: float
    processor: float


def duration(command: list[str], environ: dict[str, str]) -> Taken:
    """Return what a command takes; it must succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    clock, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
