"""Runs as processes of this machine: a process a run, or on a GPU one for those that share it. No torch."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from ganzoo import errors
from ganzoo.engine.messages import Event, Options, Task
from ganzoo.errors import GanzooError, Interrupted
from ganzoo.planning.run import Run

OUTPUT = "output.txt"
"""What a process printed, in the folder of its first run."""
STOP_SECONDS = 60
"""How long a run may take to finish its step and write its checkpoint before it is killed."""


@dataclass(frozen=True)
class Placed:
    """A run and the folder that it writes to."""

    run: Run
    folder: Path


Listener = Callable[[Placed, Event], None]


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(runs: Sequence[Run], options: Options) -> str:
    """Load the data, the feature networks and the references of these runs once; return the kind of device.

    Raises:
        GanzooError: what is missing or wrong, as the run itself would say it.
    """
    device = "cpu"
    with tempfile.TemporaryFile() as output:  # a pipe that nobody reads meanwhile would fill up
        process = _start(Task(kind="prepare", runs=tuple(runs), options=options), output)
        try:
            for event in _events(process):
                if event.kind == "error":
                    raise _error(event)
                device = event.values["device"]
            process.wait()
        finally:
            _stop([process])
        if process.returncode:
            raise GanzooError(f"preparing the data ended with {_exit(process.returncode)}: {_last_line(output)}")
    return device


def carry_out(
    crews: Sequence[Sequence[Placed]],
    slots: int,
    options: Options,
    listen: Listener,
    stopping: Callable[[], None],
) -> None:
    """Carry out runs, a process for each crew of them, `slots` processes at a time.

    A run that fails is told as an `error` event and stops nothing else. On Ctrl-C, `stopping` is called before the
    processes are waited for.

    Raises:
        Interrupted: on Ctrl-C, after every process has written its checkpoints.
    """
    waiting, working = list(crews), dict[int, subprocess.Popen[bytes]]()
    events: queue.Queue[tuple[int, Placed | None, Event | None]] = queue.Queue()
    try:
        while waiting or working:
            while waiting and len(working) < slots:
                crew = waiting.pop(0)
                process = _start_crew(crew, options)
                working[process.pid] = process
                threading.Thread(target=_read, args=(crew, process, events), daemon=True).start()
            pid, placed, event = events.get()
            if placed is None or event is None:
                del working[pid]
            else:
                listen(placed, event)
    except KeyboardInterrupt:
        stopping()
        raise Interrupted("stopped") from None
    finally:
        _stop(list(working.values()))


def _start_crew(crew: Sequence[Placed], options: Options) -> subprocess.Popen[bytes]:
    for placed in crew:
        placed.folder.mkdir(parents=True, exist_ok=True)
        for outdated in ("result.json", "error.txt"):  # of an earlier attempt that failed
            (placed.folder / outdated).unlink(missing_ok=True)
    runs, folders = tuple(one.run for one in crew), tuple(str(one.folder) for one in crew)
    with (crew[0].folder / OUTPUT).open("ab") as output:
        return _start(Task(kind="run", runs=runs, folders=folders, options=options), output)


def _start(task: Task, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process of its own session, so that Ctrl-C reaches it only through `_stop`."""
    waiting = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve other runs
    environment = {**os.environ, "OMP_NUM_THREADS": str(task.options.threads), "OMP_WAIT_POLICY": waiting}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ganzoo.engine.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stdin:  # its end will tell why it did not even read
        stdin.write(msgspec.json.encode(task))
    return process


def _events(process: subprocess.Popen[bytes]) -> Iterator[Event]:
    """Yield what a process tells, to its end."""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            if line.endswith(b"\n"):  # a kill may cut the last one
                yield msgspec.json.decode(line, type=Event)


def _read(
    crew: Sequence[Placed],
    process: subprocess.Popen[bytes],
    events: queue.Queue[tuple[int, Placed | None, Event | None]],
) -> None:
    """Hand on what a crew's process tells, or else how its runs ended, and then None."""
    untold = dict(enumerate(crew))
    for event in _events(process):
        if event.kind in ("finished", "error"):
            untold.pop(event.run, None)
        events.put((process.pid, crew[event.run], event))
    code = process.wait()
    for placed in untold.values():
        text = f"its process ended with {_exit(code)}; see {crew[0].folder / OUTPUT}"
        events.put((process.pid, placed, Event(kind="error", error="ProcessError", text=text)))
    events.put((process.pid, None, None))


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask processes to write their checkpoints and end; kill what does not, or all at a second Ctrl-C."""
    try:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(STOP_SECONDS)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        for process in processes:
            process.kill()
            process.wait()


def _error(event: Event) -> GanzooError:
    kind = getattr(errors, event.error, GanzooError)
    if kind is GanzooError or not issubclass(kind, GanzooError):
        return GanzooError(f"preparing the data raised {event.error}: {event.text}")
    return kind(event.text)


def _exit(code: int) -> str:
    return f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"


def _last_line(output: IO[bytes]) -> str:
    """Return the last words of a process, where an exception's type and message stand."""
    output.seek(0)
    return output.read().decode(errors="replace").strip().rpartition("\n")[2][-500:] or "it printed nothing"
