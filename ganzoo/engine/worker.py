"""A process of a run or several: reads a task from one file and tells events in another."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from ganzoo.engine.memory import keep_memory
from ganzoo.engine.messages import INTERRUPTED, PARENT, Event, Task, failure
from ganzoo.errors import GanzooError, Interrupted

REFUSED, FAILED = 2, 1


class Stop:
    """Whether the runs were asked to stop: by a signal, or because what started them, or wants them, is gone."""

    def __init__(self, task: Path) -> None:
        """Watch the file of the task, which lies there as long as a ganzoo waits for the runs."""
        self.asked, self.task = False, task
        self.parent = int(os.environ.pop(PARENT, os.getppid()))

    def ask(self, *_: object) -> None:
        """Ask the run to stop after its current step; also a signal handler."""
        self.asked = True

    def __call__(self) -> bool:
        """Tell whether to stop."""
        return self.asked or os.getppid() != self.parent or _is_gone(self.task)


def _is_gone(file: Path) -> bool:
    try:
        file.stat()
    except FileNotFoundError:
        return True
    except OSError:  # of a shared folder that is away for a moment
        return False
    return False


def main() -> int:
    """Carry out the task in the first file that the command line names, and tell events in the second."""
    file = Path(sys.argv[1])
    stop = Stop(file)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop.ask)
    keep_memory()
    task = msgspec.json.decode(file.read_bytes(), type=Task)
    with Path(sys.argv[2]).open("ab", buffering=0) as events:
        return _carry_out(task, lambda event: _tell(events, event), stop)


def _carry_out(task: Task, tell: Callable[[Event], None], stop: Stop) -> int:
    """Carry a task out and return the exit code; whatever a component raises is told as an event."""
    if task.kind == "prepare":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is no state to keep
    try:
        return _work(task, tell, stop)
    except Interrupted:
        return INTERRUPTED
    except GanzooError as error:
        code, event = REFUSED, failure(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a component may raise anything
        code, event = FAILED, failure(error)
    for number in range(len(task.runs) if task.kind == "run" else 1):  # it was none of a run's own
        tell(msgspec.structs.replace(event, run=number))
    return code


def _work(task: Task, tell: Callable[[Event], None], stop: Stop) -> int:
    from ganzoo.engine.crew import Crew  # noqa: PLC0415  (torch takes seconds: signals are handled by then)
    from ganzoo.engine.job import prepare  # noqa: PLC0415

    if task.kind == "prepare":
        for run in task.runs:
            device = prepare(run, task.options).device.type
            tell(Event(kind="prepared", text=run.dataset.label, values={"device": device}))
        return 0
    crew = Crew(task, tell, stop)
    crew.carry_out()
    return INTERRUPTED if crew.interrupted else 0


def _tell(events: IO[bytes], event: Event) -> None:
    events.write(msgspec.json.encode(event) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
