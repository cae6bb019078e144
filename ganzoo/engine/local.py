"""Runs as processes of this machine: one process a run, so that a crash or a leak stays with its run. No torch."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    process = _start(Task(kind="prepare", runs=tuple(runs), options=options), None)
    assert process.stdout is not None
    device, failure = "cpu", ""
    try:
        for line in process.stdout:
            event = msgspec.json.decode(line, type=Event)
            if event.kind == "error":
                raise _error(event)
            device = event.values["device"]
        failure = process.communicate()[1].decode(errors="replace").strip()[-500:]
    finally:
        _stop([process])
    if process.returncode:
        raise GanzooError(f"preparing the data ended with {_exit(process.returncode)}: {failure}")
    return device


def carry_out(todo: Sequence[Placed], slots: int, options: Options, listen: Listener) -> None:
    """Carry out runs, `slots` at a time. A run that fails is told as an `error` event and stops nothing else.

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
                threading.Thread(target=_read, args=(process, events), daemon=True).start()
            pid, event = events.get()
            placed, process = working[pid]
            if event is not None:
                listen(placed, event)
                continue
            del working[pid]
            if process.wait() not in (0, 1, 2):  # 1 and 2 have told their error
                text = f"its process ended with {_exit(process.returncode)}; see {placed.folder / 'output.txt'}"
                listen(placed, Event(kind="error", error="ProcessError", text=text))
    except KeyboardInterrupt:
        raise Interrupted("stopped") from None
    finally:
        _stop([process for _, process in working.values()])


def _start_run(placed: Placed, options: Options) -> subprocess.Popen[bytes]:
    placed.folder.mkdir(parents=True, exist_ok=True)
    return _start(Task(kind="run", runs=(placed.run,), folder=str(placed.folder), options=options), placed.folder)


def _start(task: Task, folder: Path | None) -> subprocess.Popen[bytes]:
    """Start a process of its own session, so that Ctrl-C reaches it only through `_stop`."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(task.options.threads)}
    output = (folder / "output.txt").open("ab") if folder else subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ganzoo.engine.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(task))
    process.stdin.close()
    process.stdin = None
    if not isinstance(output, int):
        output.close()
    return process


def _read(process: subprocess.Popen[bytes], events: queue.Queue[tuple[int, Event | None]]) -> None:
    """Hand on a process's events, and None at its end."""
    assert process.stdout is not None
    for line in process.stdout:
        events.put((process.pid, msgspec.json.decode(line, type=Event)))
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
    return f"signal {-code}" if code < 0 else f"exit code {code}"
