"""A process of a run or several: reads a task from standard input, tells events on standard output."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from ganzoo.engine.messages import Event, Task, failure
from ganzoo.errors import GanzooError, Interrupted

INTERRUPTED, REFUSED, FAILED = 3, 2, 1


class Stop:
    """Whether the run was asked to stop: by a signal, or because the process that started it is gone."""

    def __init__(self) -> None:
        self.asked = False
        self.parent = os.getppid()

    def ask(self, *_: object) -> None:
        """Ask the run to stop after its current step; also a signal handler."""
        self.asked = True

    def __call__(self) -> bool:
        """Tell whether to stop."""
        return self.asked or os.getppid() != self.parent


def main() -> int:
    """Carry out the task on standard input."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.ask)
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a component prints must not end up among the events

    def tell(event: Event) -> None:
        _tell(events, event, stop)

    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    if task.kind == "prepare":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is no state to keep
    try:
        return _work(task, tell, stop)
    except Interrupted:
        return INTERRUPTED
    except GanzooError as error:
        tell(failure(error))
        return REFUSED
    except (Exception, SystemExit) as error:  # a component may raise anything
        tell(failure(error))
        return FAILED


def _work(task: Task, tell: Callable[[Event], None], stop: Stop) -> int:
    from ganzoo.engine.crew import Crew  # noqa: PLC0415  (torch takes seconds: signals are handled by then)
    from ganzoo.engine.job import prepare  # noqa: PLC0415

    if task.kind == "prepare":
        for run in task.runs:
            *_, device = prepare(run, task.options)
            tell(Event(kind="prepared", text=run.dataset.label, values={"device": device.type}))
        return 0
    crew = Crew(task, tell, stop)
    crew.carry_out()
    return INTERRUPTED if crew.interrupted else 0


def _tell(events: BinaryIO, event: Event, stop: Stop) -> None:
    try:
        events.write(msgspec.json.encode(event) + b"\n")
    except BrokenPipeError:
        stop.ask()  # the command line is gone: keep what there is and end


if __name__ == "__main__":
    sys.exit(main())
