"""What a user sees while a grid runs: live bars in a terminal, one plain line an event when piped. No torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganzoo.engine.errands import Placed
from ganzoo.engine.messages import Event
from ganzoo.evaluate.metrics import brief
from ganzoo.planning.grid import Plan
from ganzoo.planning.run import Run

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_SECONDS = 15.0
"""The least time between two progress lines of a run when piped."""


class Pace:
    """How far the runs of a grid are, all together, and how long the rest may take."""

    def __init__(self, todo: Sequence[Placed]) -> None:
        self.runs, self.ended = len(todo), 0
        self._total = {one.run.id: one.run.recipe["steps"] for one in todo}
        self._taken = dict.fromkeys(self._total, 0)
        self._before, self._began = 0, time.monotonic()

    def heard(self, run: Run, event: Event) -> None:
        """Take in what a run tells; one that ends early has no more steps to take."""
        self._taken[run.id] = max(self._taken[run.id], event.step)
        if event.kind == "started":
            self._before += event.step  # steps of an earlier session
        elif event.kind in ("finished", "error"):
            self.ended += 1
            self._total[run.id] = self._taken[run.id]

    @property
    def taken(self) -> int:
        """Return the generator steps that were taken, those before this grid was continued among them."""
        return sum(self._taken.values())

    @property
    def total(self) -> int:
        """Return the generator steps that there are to take in all."""
        return sum(self._total.values())

    def __str__(self) -> str:
        """Return e.g. `3 of 12 runs, about 25 min left`: the other steps take as long as these did."""
        found = f"{self.ended} of {_runs(self.runs)}"
        if self.taken <= self._before or self.taken == self.total:
            return found
        a_step = (time.monotonic() - self._began) / (self.taken - self._before)
        return f"{found}, about {_time(a_step * (self.total - self.taken))} left"


class Watcher:
    """Listens to a grid's events; this base class shows nothing."""

    def preparing(self, plan: Plan) -> None:
        """Data and references are being loaded."""

    def begin(self, todo: Sequence[Placed], done: int, slots: int, device: str) -> None:
        """These runs start, `slots` at a time; `done` of the grid were finished before."""

    def event(self, placed: Placed, event: Event) -> None:
        """Something happened in a run."""

    def stopping(self) -> None:
        """The user asked to stop, and the runs at work are writing their checkpoints."""


class Lines(Watcher):
    """Prints one line an event. Use as a context manager."""

    def __init__(self) -> None:
        self._shown: dict[str, float] = {}  # by the id of a run: combinations may share a name
        self._pace: Pace | None = None  # of a grid of several runs

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stdout, flush=True)

    def preparing(self, plan: Plan) -> None:
        """Say what is being loaded."""
        labels = dict.fromkeys(f"{run.dataset.label} for {run.evaluation.extractor.label}" for run in plan.runs)
        self.say(f"preparing {', '.join(labels)}")

    def begin(self, todo: Sequence[Placed], done: int, slots: int, device: str) -> None:
        """Say how much there is to do."""
        if not todo:
            self.say(f"{_runs(done)} done already, nothing to train")
        else:
            before = f", {done} done before" if done else ""
            self.say(f"training {_runs(len(todo))} on {device}, {slots} at a time{before}")
            self._pace = Pace(todo) if len(todo) > 1 else None

    def stopping(self) -> None:
        """Say what is waited for, on standard error: Ctrl-C may have ended what reads the lines, too, as `| tee`."""
        print("stopping: every run at work writes its checkpoint; Ctrl-C again ends at once", file=sys.stderr)

    def event(self, placed: Placed, event: Event) -> None:
        """Show the event."""
        if self._pace:
            self._pace.heard(placed.run, event)
        self.show(placed, event)

    def show(self, placed: Placed, event: Event) -> None:
        """Print the event, progress only now and then."""
        name, steps = _name(placed.run), placed.run.recipe["steps"]
        if event.kind == "started":
            self.say(f"{name}: {f'continues at step {event.step:,}' if event.step else 'starts'}")
        elif event.kind == "note":
            self.say(f"{name}: {event.text}")
        elif event.kind == "progress":
            if time.monotonic() - self._shown.get(placed.run.id, 0.0) >= PLAIN_SECONDS:
                self._shown[placed.run.id] = time.monotonic()
                self.say(f"{name}: step {event.step:,} of {steps:,}{_terms(event.values)}")
        else:
            ended = self._pace and event.kind != "evaluated"
            self.say(f"{name}: {_outcome(event)}{f' ({self._pace})' if ended else ''}")


class Bars(Lines):
    """Draws a bar for each run at work; finished runs become lines above."""

    def __init__(self) -> None:
        super().__init__()
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        self.progress: Progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False), transient=True,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self.progress.console.print(text, markup=False, highlight=False)

    def begin(self, todo: Sequence[Placed], done: int, slots: int, device: str) -> None:
        """Say how much there is to do, and draw a bar for all of it."""
        super().begin(todo, done, slots, device)
        if self._pace:
            self._all = self.progress.add_task("all runs", total=self._pace.total, note="")

    def show(self, placed: Placed, event: Event) -> None:
        """Move the bars; print how a run ended."""
        if self._pace:
            if event.kind == "started" and event.step:  # steps of before, which tell nothing of the pace now
                self.progress.reset(self._all, completed=self._pace.taken)
            self.progress.update(self._all, completed=self._pace.taken, total=self._pace.total)
        run, steps = placed.run.id, placed.run.recipe["steps"]
        if event.kind == "started":
            self._tasks[run] = self.progress.add_task(_name(placed.run), total=steps, completed=event.step, note="")
        elif event.kind in ("progress", "evaluated"):
            note: dict[str, Any] = {"note": _outcome(event)} if event.kind == "evaluated" else {}
            self.progress.update(self._tasks[run], completed=event.step, **note)
        else:
            if event.kind != "note" and run in self._tasks:
                self.progress.remove_task(self._tasks.pop(run))
            super().show(placed, event)


def _name(run: Run) -> str:
    return f"{run.combination}, seed {run.seed}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _terms(values: dict[str, Any]) -> str:
    """Return the players' terms, e.g. `; discriminator 0.62 0.31; generator 1.20`."""
    players = values.get("terms", {})
    return "".join(
        f"; {player} {', '.join(f'{name} {value:.3g}' for name, value in terms.items())}"
        for player, terms in players.items()
    )


def _outcome(event: Event) -> str:
    if event.kind == "evaluated":
        return f"step {event.step:,}: {brief(event.values)}"
    if event.kind == "error":
        return f"failed: {event.error}: {event.text}"
    if event.values.get("status") == "diverged":
        return f"diverged at step {event.step:,}: {event.text}"
    return "done"
