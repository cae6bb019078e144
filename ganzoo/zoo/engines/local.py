"""Jobs as processes of this machine. No torch."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ganzoo.api import Capacity, Device, Engine, Job, NoParams, Process
from ganzoo.engine.messages import PARENT


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_threads() -> int:
    """Return how many threads a run may have: those of OMP_NUM_THREADS if that is set, else one per core."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) else cores()


class Local(Engine[NoParams]):
    """On a CPU one process per run, with the cores divided among them; on a GPU one process for all runs at a time."""

    def capacity(self, device: Device, asked: int | None) -> Capacity:
        """Return one run per core, or one on a GPU, unless the user asks for a number."""
        on_gpu = device == "cuda"
        # The number of runs in the grid does not matter: a continued or extended grid must have as many threads as
        # before, since numbers depend on them in their last digits
        runs = asked or (1 if on_gpu else cores())
        threads = max(1, min(most_threads(), cores() // runs))
        # Only runs of one process compute at the same time on a GPU
        return Capacity(jobs=1, runs=runs, threads=threads) if on_gpu else Capacity(jobs=runs, threads=threads)

    def start(self, job: Job) -> Process:
        """Start a process of its own session, so that Ctrl-C reaches it only through `terminate`."""
        with Path(job.output).open("ab") as output:
            return subprocess.Popen(
                job.command, cwd=job.folder, env={**os.environ, **job.environment, PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
