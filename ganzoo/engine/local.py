"""Runs as processes of this machine: one process a run, so that a crash or a leak stays with its run. No torch."""

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
    todo: Sequence[Placed], slots: int, options: Options, listen: Listener, stopping: Callable[[], None]
) -> None:
    """Carry out runs, `slots` at a time. A run that fails is told as an `error` event and stops nothing else.

    On Ctrl-C, `stopping` is called before the processes are waited for.

    Raises:
        Interrupted: on Ctrl-C, after every process has written its checkpoint.
    """
    waiting, working = list(todo), dict[int, tuple[Placed, subprocess.Popen[bytes]]]()
    events: queue.Queue[tuple[int, Event | None]] = queue.Queue()
    try:
        while waiting or working:
            while waiting and len(working) < slots:
                placed = waiting.pop(0)
                process = _start_run(placed, options)
                working[process.pid] = (placed, process)
                threading.Thread(target=_read, args=(placed, process, events), daemon=True).start()
            pid, event = events.get()
            if event is None:
                del working[pid]
            else:
                listen(working[pid][0], event)
    except KeyboardInterrupt:
        stopping()
        raise Interrupted("stopped") from None
    finally:
        _stop([process for _, process in working.values()])


def _start_run(placed: Placed, options: Options) -> subprocess.Popen[bytes]:
    placed.folder.mkdir(parents=True, exist_ok=True)
    for outdated in ("result.json", "error.txt"):  # of an earlier attempt that failed
        (placed.folder / outdated).unlink(missing_ok=True)
    with (placed.folder / "output.txt").open("ab") as output:
        return _start(Task(kind="run", runs=(placed.run,), folder=str(placed.folder), options=options), output)


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


def _read(placed: Placed, process: subprocess.Popen[bytes], events: queue.Queue[tuple[int, Event | None]]) -> None:
    """Hand on what a run's process tells, or else how it ended, and then None."""
    told = False
    for event in _events(process):
        told = told or event.kind in ("finished", "error")
        events.put((process.pid, event))
    code = process.wait()
    if not told:
        text = f"its process ended with {_exit(code)}; see {placed.folder / 'output.txt'}"
        events.put((process.pid, Event(kind="error", error="ProcessError", text=text)))
    events.put((process.pid, None))


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
