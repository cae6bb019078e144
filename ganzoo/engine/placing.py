"""Run jobs on an engine: a limited number at a time, read to their end, and stopped on Ctrl-C. No torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ganzoo.api import Capacity, Device, Engine, Job, Process
from ganzoo.engine.messages import Event
from ganzoo.errors import EngineError, GanzooError, Interrupted, one_line
from ganzoo.params import label
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import build_target

STOP_SECONDS = 60.0
"""How long a job may take to finish its step and write its checkpoints before it is killed."""
KILL_SECONDS = 10.0
"""How long a job that is killed is waited for."""


class Errand(Protocol):
    """What a job is for."""

    def job(self) -> tuple[Job, Path]:
        """Make all ready that the job needs; return it, and the file in which it will tell events."""
        ...

    def hear(self, event: Event) -> None:
        """The job has told something."""
        ...

    def ended(self, code: int) -> None:
        """The job's process has ended."""
        ...

    def failed(self, error: EngineError) -> None:
        """The engine could not start the job, or has lost it."""
        ...


class Placer:
    """An engine at work. Whatever the engine raises becomes an EngineError that names it."""

    def __init__(self, chosen: Chosen, stop_seconds: float = STOP_SECONDS) -> None:
        """Build the engine; `stop_seconds`: how long a job may take to stop."""
        self.name, self.stop_seconds = label(chosen.name, chosen.params), stop_seconds
        target = build_target(chosen.component)
        with self._blamed("building it"):
            self.engine: Engine[Any] = target(chosen.params)
            self.seconds = max(0.0, float(self.engine.seconds))

    @contextmanager
    def _blamed(self, what: str) -> Iterator[None]:
        try:
            yield
        except GanzooError as error:  # whose words are for users
            raise EngineError(f"engine {self.name}: {error}") from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's method may raise anything
            raise EngineError(f"engine {self.name}: {what} raised {one_line(error)}") from error

    def capacity(self, device: Device, asked: int | None) -> Capacity:
        """Return how much it carries out at a time."""
        with self._blamed("capacity"):
            jobs, runs, threads = self.engine.capacity(device, asked)
        if any(type(number) is not int or number < 1 for number in (jobs, runs, threads)):
            raise EngineError(f"engine {self.name}: capacity gives {jobs}, {runs}, {threads}; each is at least 1")
        return Capacity(jobs, runs, threads)

    def carry_out(self, errands: Sequence[Errand], at_once: int, stopping: Callable[[], None]) -> None:
        """Carry errands out, `at_once` at a time. One that fails is told so and stops no other.

        On Ctrl-C, `stopping` is called before the jobs are waited for.

        Raises:
            Interrupted: on Ctrl-C, after every job has written its checkpoints.
        """
        waiting, working = list(errands), list[AtWork]()
        try:
            while waiting or working:
                while waiting and len(working) < at_once:
                    working += self._start(waiting.pop(0))
                ended = [one for one in working if self.has_ended(one)]
                working = [one for one in working if one not in ended]
                if working and not ended:
                    time.sleep(self.seconds)
        except KeyboardInterrupt:
            stopping()
            raise Interrupted("stopped") from None
        finally:
            self._stop(working)

    def _start(self, errand: Errand) -> list[AtWork]:
        """Start an errand's job; return nothing where the engine cannot."""
        job, events = errand.job()
        try:
            with self._blamed("start"):
                process = self.engine.start(job)
        except EngineError as error:
            errand.failed(error)
            return []
        return [AtWork(errand, process, events)]

    def has_ended(self, one: AtWork) -> bool:
        """Hear what a job has told since it was last heard; return whether its process has ended."""
        try:
            code = self._poll(one.process)
        except EngineError as error:
            with suppress(Exception):
                one.process.kill()
            one.listen()
            one.errand.failed(error)
            return True
        one.listen()  # after having asked: what has ended tells no more
        if code is not None:
            one.errand.ended(code)
        return code is not None

    def _poll(self, process: Process) -> int | None:
        with self._blamed("poll"):
            code: Any = process.poll()
        if code is None or isinstance(code, int):
            return code
        raise EngineError(f"engine {self.name}: poll gave {code!r}, neither None nor an exit code")

    def _stop(self, working: Sequence[AtWork]) -> None:
        """Ask jobs to write their checkpoints and end; kill those that do not, or all at a second Ctrl-C."""
        try:
            for one in working:
                with suppress(Exception):  # the others have to be stopped, too
                    one.process.terminate()
            stopped = all(self._ends(one, self.stop_seconds) for one in working)
        except KeyboardInterrupt:
            stopped = False
        if not stopped:
            for one in working:
                with suppress(Exception):
                    one.process.kill()
            for one in working:
                self._ends(one, KILL_SECONDS)

    def _ends(self, one: AtWork, seconds: float) -> bool:
        """Wait for a job to end; return whether the engine says that it has."""
        until = time.monotonic() + seconds
        try:
            while self._poll(one.process) is None:
                if time.monotonic() > until:
                    return False
                time.sleep(self.seconds)
        except EngineError:
            return False
        return True


@dataclass(eq=False)
class AtWork:
    """A job that was started, and how much of what it has told was heard."""

    errand: Errand
    process: Process
    events: Path
    heard: int = 0
    """Bytes."""

    def listen(self) -> None:
        """Pass on what the job has told since. The file is opened anew, so that a shared folder shows what is new."""
        told = b""
        with suppress(FileNotFoundError), self.events.open("rb") as events:
            events.seek(self.heard)
            told = events.read()
        for line in told[: told.rfind(b"\n") + 1].splitlines():  # the last line may be incomplete
            self.heard += len(line) + 1
            with suppress(msgspec.DecodeError, UnicodeDecodeError):  # of a full disk
                self.errand.hear(msgspec.json.decode(line, type=Event))
