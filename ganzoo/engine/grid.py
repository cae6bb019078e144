"""Carry out a plan: one folder, one lock, what is done is skipped and what was interrupted goes on. No torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from ganzoo.engine.local import Placed, carry_out, cores, prepare
from ganzoo.engine.messages import Event, Options
from ganzoo.errors import Interrupted
from ganzoo.paths import cache_dir
from ganzoo.planning.command import RunOptions
from ganzoo.planning.grid import Plan
from ganzoo.planning.run import Run
from ganzoo.results.store import Result, finished, open_grid, run_folder, write_json


class Watcher(Protocol):
    """Who is told what happens."""

    def preparing(self, plan: Plan) -> None:
        """Data and references are being loaded."""
        ...

    def begin(self, todo: Sequence[Placed], done: int, slots: int, device: str) -> None:
        """These runs start, `slots` at a time; `done` of the grid were finished before."""
        ...

    def event(self, placed: Placed, event: Event) -> None:
        """Something happened in a run."""
        ...

    def stopping(self) -> None:
        """The user asked to stop, and the runs at work are writing their checkpoints."""
        ...


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
        options: how; runs at a time share the cores: by default one a core on a CPU, one on a GPU.

    Raises:
        ResultsError: the folder cannot be used, or another ganzoo works in it.
        Interrupted: on Ctrl-C; running again continues.
    """
    with open_grid(out, plan.runs, plan.published):
        placed = [Placed(run, run_folder(out, run)) for run in plan.runs]
        todo = [one for one in placed if finished(one.folder) is None]
        if not todo:
            watcher.begin([], len(placed), 0, options.device)
            return
        how = Options(
            device=options.device,
            mode=options.mode,
            precision=options.precision,
            profile=options.profile,
            data_root=str(plan.request.data_root),
            cache=str(cache_dir()),
            threads=cores(),
        )
        watcher.preparing(plan)
        try:
            kind = prepare(list({_needs(one.run): one.run for one in todo}.values()), how)
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None
        # Not of the runs there are: what is continued or given seeds has as many threads and ends with the same numbers
        slots = 1 if options.profile else options.jobs or (1 if kind == "cuda" else cores())
        how = msgspec.structs.replace(how, device=kind, threads=max(1, cores() // slots))
        side_by_side = slots if kind == "cuda" else 1  # runs in one process: only so do they run at once on a GPU
        watcher.begin(todo, len(placed) - len(todo), min(len(todo), slots), kind)

        def listen(one: Placed, event: Event) -> None:
            if event.kind == "error":
                _write_failure(one, event)
            watcher.event(one, event)

        ordered = _fairly(todo)
        crews = [ordered[start : start + side_by_side] for start in range(0, len(ordered), side_by_side)]
        carry_out(crews, slots // side_by_side, how, listen, watcher.stopping)


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
