"""What jobs are for: to prepare a grid's data, or to carry out runs that share a process. No torch."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from ganzoo import errors
from ganzoo.api import Device, Job
from ganzoo.engine.messages import INTERRUPTED, Event, Options, Task, finish
from ganzoo.errors import EngineError, GanzooError, ResultsError
from ganzoo.planning.run import Run
from ganzoo.registry.permission import DISABLE, ONLY_FROM
from ganzoo.results.store import finished

OUTPUT = "output.txt"
"""What a process printed, in the folder of its first run."""
OUTDATED = ("result.json", "error.txt")
"""What an earlier attempt that failed has left in a run's folder."""
PASSED_ON = (DISABLE, ONLY_FROM, "GANZOO_CACHE", "GANZOO_DATA", "PYTHONPATH", "TORCH_HOME", "XDG_CACHE_HOME")
"""Variables of this process that jobs have too, wherever they are carried out."""


@dataclass(frozen=True)
class Placed:
    """A run and the folder that it writes to."""

    run: Run
    folder: Path


Listener = Callable[[Placed, Event], None]


def make_job(name: str, task: Task, folder: Path, output: Path) -> tuple[Job, Path]:
    """Write down what a process is asked to do; return the job, and the file in which it will tell events.

    Args:
        name: of the job.
        task: what it does.
        folder: of the files that the two sides exchange.
        output: where what it prints goes.
    """
    file, events = folder.absolute() / f"{name}.task.json", folder.absolute() / f"{name}.events.jsonl"
    file.write_bytes(msgspec.json.encode(task))
    events.touch()  # a shared folder may not show for a while what another machine creates
    job = Job(
        name=name,
        command=(sys.executable, "-P", "-m", "ganzoo.engine.worker", str(file), str(events)),
        folder=str(Path.cwd()),
        environment=_environment(task.options.threads),
        output=str(output.absolute()),
        device=cast("Device", task.options.device),
        threads=task.options.threads,
    )
    return job, events


def _environment(threads: int) -> dict[str, str]:
    waiting = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve other runs
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": waiting}


class Preparation:
    """Loads the data, the feature networks and the references of some runs, and finds out what they compute on."""

    def __init__(self, runs: Sequence[Run], options: Options, exchange: Path) -> None:
        """Name the runs, and the folder of the files that the two sides exchange."""
        self.runs, self.options, self.exchange = tuple(runs), options, exchange
        self.output = exchange / "prepare.txt"
        self.device = ""
        """`cpu` or `cuda`, once it is known."""

    def job(self) -> tuple[Job, Path]:
        """Return the job and the file of its events."""
        task = Task(kind="prepare", runs=self.runs, options=self.options)
        return make_job("prepare", task, self.exchange, self.output)

    def hear(self, event: Event) -> None:
        """Learn the device; raise what is missing or wrong, as the run itself would say it."""
        if event.kind == "error":
            raise _error(event)
        self.device = event.values["device"]

    def ended(self, code: int) -> None:
        """Check that all is prepared."""
        if code or not self.device:
            raise GanzooError(f"preparing the data ended with {exit_words(code)}: {_last_line(self.output)}")

    def failed(self, error: EngineError) -> None:
        """Raise what the engine could not do: it would be no different for the runs."""
        raise error


class Training:
    """Carries out runs that share a process. The listener is told the end of each, whatever becomes of it."""

    def __init__(self, placed: Sequence[Placed], options: Options, exchange: Path, listen: Listener) -> None:
        """Name the runs, the folder of the files that the two sides exchange, and who is told what happens."""
        self.placed, self.options, self.exchange, self.listen = placed, options, exchange, listen
        self.output = placed[0].folder / OUTPUT
        self._untold = dict(enumerate(placed))

    def job(self) -> tuple[Job, Path]:
        """Clear the runs' folders of what is outdated; return the job and the file of its events."""
        for placed in self.placed:
            placed.folder.mkdir(parents=True, exist_ok=True)
            if _success(placed.folder) is None:  # a job that outlived its ganzoo may have ended well since
                for outdated in OUTDATED:
                    (placed.folder / outdated).unlink(missing_ok=True)
        runs, folders = tuple(one.run for one in self.placed), tuple(str(one.folder) for one in self.placed)
        task = Task(kind="run", runs=runs, folders=folders, options=self.options)
        first = self.placed[0].folder
        return make_job(f"{first.parent.name}.{first.name}", task, self.exchange, self.output)

    def hear(self, event: Event) -> None:
        """Pass the event on, unless it is a second end of the same run."""
        if event.kind in ("finished", "error") and self._untold.pop(event.run, None) is None:
            return
        self.listen(self.placed[event.run], event)

    def ended(self, code: int) -> None:
        """Tell the end of the runs that did not tell it themselves."""
        told = "told to stop, and wrote its checkpoint; run the same command again to go on"
        words = told if code == INTERRUPTED else f"its process ended with {exit_words(code)}; see {self.output}"
        self._end("ProcessError", words)

    def failed(self, error: EngineError) -> None:
        """Tell that the engine failed the runs that have not ended."""
        self._end(type(error).__name__, str(error))

    def _end(self, error: str, text: str) -> None:
        for placed in self._untold.values():
            self.listen(placed, _success(placed.folder) or Event(kind="error", error=error, text=text))


def _success(folder: Path) -> Event | None:
    """Return the end of a run that has a good result: the last thing that a run writes."""
    with suppress(ResultsError):
        result = finished(folder)
        return finish(result) if result is not None else None
    return None


def _error(event: Event) -> GanzooError:
    kind = getattr(errors, event.error, GanzooError)
    if kind is GanzooError or not issubclass(kind, GanzooError):
        return GanzooError(f"preparing the data raised {event.error}: {event.text}")
    return kind(event.text)


def exit_words(code: int) -> str:
    """Return an exit code in words; minus a signal's number where a signal ended the process."""
    return f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"


def _last_line(output: Path) -> str:
    """Return the last words of a process, where an exception's type and message stand."""
    said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    return said.strip().rpartition("\n")[2][-500:] or "it printed nothing"
