"""Runs on a CPU, one or several at once, each in a process of its own, as `ganzoo bench` starts them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import torch

from ganzoo.api import Images
from ganzoo.engine.memory import keep_memory
from ganzoo.planning.run import Run
from ganzoo.train.execution import Execution
from ganzoo.train.trainer import Trainer


class Grid:
    """Runs in processes of their own, all of which take a step at a time."""

    def __init__(self, runs: Sequence[Run], execution: Execution, pixels: np.ndarray, threads: int = 1) -> None:
        """Start a process of so many threads for each run."""
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        self.processes: list[SpawnProcess] = []
        for run in runs:
            here, there = context.Pipe()
            process = context.Process(target=work, args=(there, run, execution, pixels, threads), daemon=True)
            process.start()
            self.pipes.append(here)
            self.processes.append(process)

    def step(self) -> None:
        """Train one generator step of each run."""
        for pipe in self.pipes:
            pipe.send(None)
        for pipe in self.pipes:
            pipe.recv()

    def memory(self) -> float:
        """Return the MiB that all processes have held at most, each at its own time."""
        return sum(held(process.pid) for process in self.processes)

    def close(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.terminate()
            process.join()


def held(pid: int | None) -> float:
    """Return the most MiB that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def work(pipe: Connection, run: Run, execution: Execution, pixels: np.ndarray, threads: int) -> None:
    """Train a run, a step whenever asked to."""
    keep_memory()
    torch.set_num_threads(threads)
    trainer = Trainer(run, Images(pixels, None), torch.device("cpu"), 10**6, execution, print)
    with suppress(EOFError):  # the measurement has ended
        while True:
            pipe.recv()
            trainer.step()
            pipe.send(None)
