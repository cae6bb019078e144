"""Carry out a plan in one locked folder: finished runs are skipped, interrupted ones continue. No torch."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec

from ganzoo.api import Device
from ganzoo.engine.errands import Placed, Preparation, Training
from ganzoo.engine.messages import Event, Options
from ganzoo.engine.placing import Placer
from ganzoo.engine.watch import Watcher
from ganzoo.paths import cache_dir
from ganzoo.planning.command import RunOptions
from ganzoo.planning.grid import Plan
from ganzoo.planning.placement import choose_engine, served_device
from ganzoo.planning.run import Run
from ganzoo.results.store import CHECKPOINT, Result, finished, open_grid, run_folder, write_json

EXCHANGE = ".jobs"
"""Below the results folder: what ganzoo and its jobs say to each other, as long as they are at work."""


def default_out(plan: Plan) -> Path:
    """Return `runs/<names>-<hash>`: the same folder for the same grid, so that it can be continued or given seeds."""
    products = plan.request.products
    groups = (group for one in products for group in (one.dataset, one.model, one.loss))
    names = dict.fromkeys(asked.name for group in groups for asked in group)
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(names))[:60].strip("-")
    digest = hashlib.sha256("".join(run.combination_id for run in plan.combinations).encode())
    return Path("runs") / f"{slug}-{digest.hexdigest()[:6]}"


def run_grid(plan: Plan, out: Path, watcher: Watcher, options: RunOptions) -> None:
    """Carry out every run of a plan that has no result yet.

    Args:
        plan: the runs.
        out: the results folder.
        watcher: who is told what happens.
        options: how, and by which engine, which decides what the runs at a time share.

    Raises:
        ResultsError: the folder cannot be used, or another ganzoo works in it.
        EngineError: the engine cannot even prepare the data.
        Interrupted: on Ctrl-C; running again continues.
    """
    engine = options.engine or choose_engine()
    placer = Placer(engine)
    with open_grid(out, plan.runs, plan.published):
        placed = [Placed(run, run_folder(out, run)) for run in plan.runs]
        todo = [one for one in placed if not _is_finished(one.folder)]
        if not todo:
            watcher.begin([], len(placed), 0, options.device)
            return
        how = Options(
            device=served_device(engine, options.device),
            mode=options.mode,
            precision=options.precision,
            profile=options.profile,
            engine=placer.name,
            engine_distribution=engine.component.distribution,
            data_root=str(plan.request.data_root),
            cache=str(cache_dir()),
        )
        with _exchange(out) as exchange:
            watcher.preparing(plan)
            how = _prepared(placer, todo, how, exchange)
            device = cast("Device", how.device)
            jobs, runs, threads = placer.capacity(device, 1 if options.profile else options.jobs)
            how = msgspec.structs.replace(how, threads=threads)
            watcher.begin(todo, len(placed) - len(todo), min(len(todo), jobs * runs), device)

            def listen(one: Placed, event: Event) -> None:
                if event.kind == "error":
                    _write_failure(one, event)
                watcher.event(one, event)

            ordered = _fairly(todo)
            shares = [ordered[start : start + runs] for start in range(0, len(ordered), runs)]
            placer.carry_out([Training(share, how, exchange, listen) for share in shares], jobs, watcher.stopping)


@contextmanager
def _exchange(out: Path) -> Iterator[Path]:
    """Make a fresh folder in which ganzoo and its jobs exchange files; remove it in the end."""
    folder = out / EXCHANGE
    shutil.rmtree(folder, ignore_errors=True)  # of a ganzoo that was killed: what it has queued finds no task
    folder.mkdir(exist_ok=True)  # what a job still holds open may have stayed
    try:
        yield Path(tempfile.mkdtemp(dir=folder, prefix=""))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(placer: Placer, todo: Sequence[Placed], how: Options, exchange: Path) -> Options:
    """Load data and references once, where the runs will be carried out; return the options with the device there."""
    alone = placer.capacity(cast("Device", how.device), 1)
    how = msgspec.structs.replace(how, threads=alone.threads)
    errand = Preparation(list({_needs(one.run): one.run for one in todo}.values()), how, exchange)
    placer.carry_out([errand], 1, lambda: None)
    return msgspec.structs.replace(how, device=errand.device)


def _is_finished(folder: Path) -> bool:
    """Whether a run has ended; removes the checkpoint of one that was killed before it could do so."""
    ended = finished(folder) is not None
    if ended:
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return ended


def _needs(run: Run) -> str:
    """Return what must be prepared for a run: runs with equal values share it."""
    return repr((run.dataset, run.evaluation))


def _fairly(todo: Sequence[Placed]) -> list[Placed]:
    """Order runs by seed, so that an interrupted grid has one seed of everything before it has two of anything.

    Among the runs of a seed the longest comes first, so that none is left to end alone.
    """
    return sorted(todo, key=lambda one: (one.run.seed, -_images(one.run)))


def _images(run: Run) -> int:
    """Return how many real images a run's discriminator will see."""
    return run.recipe["steps"] * run.recipe["n_critic"] * run.recipe["batch_size"]


def _write_failure(placed: Placed, event: Event) -> None:
    run = placed.run
    reason = f"{event.error}: {event.text}"
    failure = Result(run=run.id, combination=run.combination, seed=run.seed, status="failed", reason=reason, step=0)
    write_json(placed.folder / "config.json", run)
    write_json(placed.folder / "result.json", failure)
