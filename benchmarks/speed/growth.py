"""How the cost of a step grows with the side of the images and with the number of runs at a time.

    python benchmarks/speed/growth.py [--device cuda] [--seconds 1] [--sides 32,64,128] [--runs 1,2,4,8,16]

Prints Markdown: time by the clock, and its ratio to what would be linear in the pixels or in the runs. On a CPU every
run is a process of one thread, as `ganzoo bench` has it, and memory is what its processes hold, PyTorch included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from grid import Grid
from instruments import Contestant, machine, synchronise
from measure import Case, Together, noise, plan
from PIL import Image

import ganzoo
from ganzoo.api import Images
from ganzoo.train.execution import choose_execution
from ganzoo.train.trainer import Trainer

BATCH = 64
COUNT = 1024
"""Images to train on: noise."""
FASTEST = 10**4
"""Steps that a GPU takes in a second at most. A million would have as much memory for their terms as `dcgan` takes."""


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--sides", default="32,64,128")
    parser.add_argument("--runs", default="1,2,4,8,16")
    given = parser.parse_args()
    device = torch.device(given.device, 0) if given.device == "cuda" else torch.device(given.device)
    execution = choose_execution("auto", given.precision, device)
    print(f"{machine(device)}; dcgan + bce, batch {BATCH}, {execution.mode}, {execution.precision}\n")
    rows = [(side, *of_side(side, device, given.precision, given.seconds)) for side in numbers(given.sides)]
    show("side", rows, lambda side: side**2)
    rows = [(runs, *of_runs(runs, device, given.precision, given.seconds)) for runs in numbers(given.runs)]
    show("runs at a time", rows, lambda runs: runs)


def numbers(text: str) -> list[int]:
    """Read `32,64`."""
    return list(map(int, text.split(",")))


def of_side(side: int, device: torch.device, precision: str, seconds: float) -> tuple[float, float]:
    """Return seconds a step and peak MiB, for images of a side."""
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 3, side, side), dtype=np.uint8)
    with TemporaryDirectory() as folder:
        for number in range(BATCH):  # the plan wants a batch of them to be there
            Image.fromarray(pixels[number].transpose(1, 2, 0)).save(Path(folder) / f"{number}.png")
        request = {"model": "dcgan", "loss": "bce", "recipe": {"batch_size": BATCH, "steps": 10**6}}
        (run,) = ganzoo.plan(dataset=f"folder:path={folder},size={side}", samples=10, **request).runs
    execution = choose_execution("auto", precision, device)
    if device.type == "cpu":
        return of_processes(Grid((run,), execution, pixels), seconds)
    return measured(Trainer(run, Images(pixels, None), device, most_steps(seconds), execution, print), device, seconds)


def of_runs(runs: int, device: torch.device, precision: str, seconds: float) -> tuple[float, float]:
    """Return seconds for a step of each of so many runs, and peak MiB."""
    planned, execution = plan(Case("dcgan", "bce"), BATCH, runs), choose_execution("auto", precision, device)
    if device.type == "cpu":
        return of_processes(Grid(planned, execution, noise()), seconds)
    return measured(Together(planned, execution, device, most_steps(seconds)), device, seconds)


def most_steps(seconds: float) -> int:
    """Return how many steps a GPU takes at most while it is measured."""
    return FASTEST * (1 + int(seconds))


def of_processes(grid: Grid, seconds: float) -> tuple[float, float]:
    """Return seconds for a step of each process, and the MiB that they hold, and end them."""
    with closing(grid):
        took = timed(grid, torch.device("cpu"), seconds)
        return took, grid.memory()


def measured(one: Trainer | Together, device: torch.device, seconds: float) -> tuple[float, float]:
    """Return seconds a step on a GPU, and the most MiB of its memory."""
    torch.cuda.reset_peak_memory_stats(device)
    return timed(one, device, seconds), torch.cuda.max_memory_allocated(device) / 2**20


def timed(one: Contestant, device: torch.device, seconds: float) -> float:
    """Return the seconds that a step takes, after those that prepare it."""
    for _ in range(5 if device.type == "cuda" else 2):
        one.step()
    synchronise(device)
    started, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - started < seconds:
        one.step()
        steps += 1
        if steps % 10 == 0:
            synchronise(device)
    synchronise(device)
    return (time.perf_counter() - started) / steps


def show(what: str, rows: Iterable[tuple[int, float, float]], linear: Callable[[int], float]) -> None:
    """Print a table; the first row is what the others are compared with."""
    (first, seconds, memory), *others = rows
    print(f"| {what} | ms a step | times the first | over linear | memory, MiB |\n|---|---:|---:|---:|---:|")
    for size, took, held in [(first, seconds, memory), *others]:
        ratio, expected = took / seconds, linear(size) / linear(first)
        print(f"| {size} | {took * 1000:.2f} | {ratio:.2f} | {ratio / expected:.2f} | {held:,.0f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
