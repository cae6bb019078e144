"""Checks of an engine: it carries every job out once, says truly how it ended, and stops what it is told to stop."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import ganzoo
from ganzoo.api import Capacity, Device
from ganzoo.engine.grid import run_grid
from ganzoo.engine.watch import Watcher
from ganzoo.errors import EngineError, GanzooError, Interrupted, one_line
from ganzoo.planning.command import RunOptions
from ganzoo.planning.placement import served_device
from ganzoo.results.store import read_runs
from ganzoo.testing.check import BrokenClaimError, Check, check, require
from ganzoo.testing.description import imports
from ganzoo.testing.subject import Subject
from ganzoo.testing.trials import Patient, Trial, trials

ENGINE = ("engine",)
DEVICES: tuple[Device, ...] = get_args(Device)
TINY: dict[str, Any] = {
    "model": "ganzoo-core/mlp:generator=16,discriminator=16", "loss": "ganzoo-core/bce",
    "dataset": "ganzoo-core/digits", "seeds": 2, "samples": 50, "evaluations": 1,
    "recipe": {"steps": 4, "batch_size": 8},
}  # fmt: skip


@check("light-target", ENGINE, "target", fix="import torch nowhere in the engine: it only starts what imports it")
def _imports_nothing_heavy(subject: Subject) -> None:
    """The command line itself imports the engine, and never torch: it would wait for seconds before the first job."""
    module = subject.spec.target.partition(":")[0]
    found = imports(module)
    require(not found, f"importing {module} imports {found}")


@check("capacity", ENGINE, "contract", fix="return Capacity(jobs, runs, threads), each at least 1, for what is asked")
def _says_how_much_at_a_time(subject: Subject) -> None:
    """Runs at a time are what users ask for with --jobs, and what a machine has room for."""
    placer = Patient(subject.chosen)
    require(placer.engine.seconds > 0, f"seconds is {placer.engine.seconds!r}, not the time between two looks")
    for device in DEVICES:
        for asked in (None, 1, 3):
            made: Any = placer.engine.capacity(device, asked)
            at = f"capacity({device!r}, {asked})"
            require(isinstance(made, Capacity), f"{at} gives {made!r}, not a ganzoo.api.Capacity")
            numbers = all(type(number) is int and number >= 1 for number in made)
            require(numbers, f"{at} gives {made}; each is a whole number, at least 1")
            most = asked or made.jobs * made.runs
            require(made.jobs * made.runs <= most, f"{at} gives {made.jobs} x {made.runs} runs at a time")


@check(
    "carries-out", ENGINE, "contract", fix="start job.command in job.folder with job.environment, or job.shell; poll it"
)
def _carries_every_job_out_once(subject: Subject) -> None:
    """A job that is forgotten is a failed row; one that runs twice writes into a run's folder from two sides."""
    with trials("well", "well", "well") as jobs:
        carried_out(subject, jobs)
        for one in jobs:
            _was_carried_out(one)
            require(one.code == 0, f"{one.name} ended with 0, and the engine says {one.code}")


def _was_carried_out(one: Trial) -> None:
    if one.error:
        raise BrokenClaimError(str(one.error))
    require(one.done_in_time, f"{one.name} is said to have ended with {one.code}, and was not carried out to its end")
    ran = one.lines("ran")
    require(len(ran) == 1, f"{one.name} was carried out {len(ran)} times")
    folder, _, variable = ran[0].partition(" ")
    wanted = one.place.parent
    require(Path(folder).samefile(wanted), f"{one.name} was carried out in {folder}, not in its folder")
    require(variable == "it's set", f"{one.name} had the variable GANZOO_TRIAL={variable!r}, not its environment's")
    said = one.lines("txt")
    require(said == [f"said by {one.name}"], f"its output file holds {said}, not what {one.name} printed")


@check("tells-failures", ENGINE, "behaviour", fix="let poll give the job's own exit code, and None only while it works")
def _says_truly_how_jobs_end(subject: Subject) -> None:
    """A job that fails stops no other; its rows say why, which is the exit code where the job itself could not."""
    with trials("fail", "missing", "well") as jobs:
        failing, missing, well = jobs
        carried_out(subject, jobs)
        _was_carried_out(failing)
        require(failing.code == 7, f"{failing.name} ended with 7, and the engine says {failing.code}")
        told = missing.error or missing.code
        require(told, "a job whose program is not there is said to have ended well")
        _was_carried_out(well)


@check("stops", ENGINE, "behaviour", fix="let terminate send SIGTERM to the job at work, and poll wait for its end")
def _stops_when_it_is_asked(subject: Subject) -> None:
    """On Ctrl-C every job at work writes its checkpoint: what is killed at once has trained for nothing."""
    with trials("wait", "wait", interrupted=True) as jobs:
        _interrupted(subject, jobs)
        for one in jobs:
            require(one.gone(), f"{one.name} is still at work after it was stopped")
            require(not one.at_work or one.there("saved"), f"{one.name} was ended before it could write its checkpoint")


@check("kills", ENGINE, "behaviour", fix="let kill end the job at once, as SIGKILL does")
def _kills_what_does_not_stop(subject: Subject) -> None:
    """A job that hangs would keep its processor or GPU for ever."""
    with trials("deaf", interrupted=True) as jobs:
        _interrupted(subject, jobs, stop_seconds=0.5)
        require(jobs[0].gone(), f"{jobs[0].name}, which ignores SIGTERM, is still at work after it was killed")


def carried_out(subject: Subject, jobs: Sequence[Trial], stop_seconds: float | None = None) -> None:
    """Have an engine carry trial jobs out, two at a time where it can."""
    placer = Patient(subject.chosen, stop_seconds)
    placer.carry_out(jobs, placer.capacity("cpu", 2).jobs, lambda: None)


def _interrupted(subject: Subject, jobs: Sequence[Trial], stop_seconds: float | None = None) -> None:
    try:
        carried_out(subject, jobs, stop_seconds)
    except Interrupted:
        return
    raise BrokenClaimError(str(jobs[0].error or "the job is said to have ended, and goes on until it is stopped"))


@check("grid", ENGINE, "training", fix="carry out job.command as it is, with room for PyTorch and the folders it names")
def _carries_a_grid_out(subject: Subject) -> None:
    """What an engine is for: runs that are trained and scored, with the engine named in their records."""
    out = Path(tempfile.mkdtemp(prefix=".ganzoo-check-", dir=Path.cwd()))
    try:
        options = RunOptions(device=served_device(subject.chosen, "auto"), engine=subject.chosen)
        run_grid(ganzoo.plan(**TINY), out, Watcher(), options)
        for _, run, result in read_runs(out):
            assert result is not None
            require(result.status == "done", f"{run.combination}, seed {run.seed}: {result.outcome}")
    except EngineError as error:
        raise BrokenClaimError(str(error)) from None
    except GanzooError as error:
        raise BrokenClaimError(f"a grid of two runs ended with {one_line(error)}") from None
    finally:
        shutil.rmtree(out, ignore_errors=True)


CHECKS: tuple[Check, ...] = (
    _imports_nothing_heavy,
    _says_how_much_at_a_time,
    _carries_every_job_out_once,
    _says_truly_how_jobs_end,
    _stops_when_it_is_asked,
    _kills_what_does_not_stop,
    _carries_a_grid_out,
)
