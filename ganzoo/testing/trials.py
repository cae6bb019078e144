"""Small jobs that stand for those of runs: each writes down that it was carried out, and ends as told. No torch."""

from __future__ import annotations

import fcntl
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ganzoo.api import Job
from ganzoo.engine.messages import Event
from ganzoo.engine.placing import AtWork, Placer
from ganzoo.errors import EngineError
from ganzoo.registry.compatibility import Chosen
from ganzoo.testing.check import BrokenClaimError

PATIENCE = 60.0
"""Seconds that a trial's jobs may take in all, and that one may take to stop."""
GONE_SECONDS = 5.0
"""How long it may take until nothing is left of a job that has ended."""
What = Literal["well", "fail", "wait", "deaf", "missing"]
"""To end with 0, with 7, at SIGTERM or SIGHUP with 3, at SIGKILL alone; or a program that is not there."""
SCRIPT = """
import fcntl, os, signal, sys, time
from pathlib import Path
what, place, events = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
lock = open(f"{place}.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
def stop(*_):
    Path(f"{place}.saved").touch()
    os._exit(3)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if what == "deaf" else stop)
with open(f"{place}.ran", "a") as ran:
    ran.write(os.getcwd() + " " + os.environ.get("GANZOO_TRIAL", "") + chr(10))
print("said by " + place.name, flush=True)
events.write_text('{"kind": "started"}' + chr(10))
time.sleep(0.2)
while what in ("wait", "deaf") and os.path.exists(lock.name):  # its folder is taken away in the end
    time.sleep(0.05)
Path(f"{place}.done").touch()
sys.exit(7 if what == "fail" else 0)
"""


class Trial:
    """A job of the trials, and what is known of it."""

    def __init__(self, folder: Path, number: int, what: What, interrupts: bool = False) -> None:
        """Describe the job; `interrupts`: Ctrl-C is pressed as soon as it is at work."""
        self.name, self.what, self.interrupts = f"trial-{number}.{what}", what, interrupts
        self.place = folder / self.name
        self.code: int | None = None
        self.error: EngineError | None = None
        self.done_in_time = False
        """Whether it had really ended when the engine said so."""
        self.at_work = False

    def job(self) -> tuple[Job, Path]:
        """Return the job and the file of its events."""
        events = Path(f"{self.place}.events.jsonl")
        python = [sys.executable, "-I", "-S", "-c", SCRIPT] if self.what != "missing" else [f"{self.place}/no-program"]
        folder = self.place.parent
        return Job(
            name=self.name,
            command=(*python, self.what, str(self.place), str(events)),
            folder=str(folder),
            environment={"GANZOO_TRIAL": "it's set"},
            output=f"{self.place}.txt",
            device="cpu",
            threads=1,
        ), events

    def hear(self, event: Event) -> None:
        """Note that it is at work."""
        self.at_work = True
        if self.interrupts:
            raise KeyboardInterrupt

    def ended(self, code: int) -> None:
        """Note how it is said to have ended, and whether that is so."""
        self.code, self.done_in_time = code, self.there("done")

    def failed(self, error: EngineError) -> None:
        """Note what the engine could not do."""
        self.error = error

    def there(self, what: str) -> bool:
        """Tell whether the job has left a file of this kind."""
        return Path(f"{self.place}.{what}").exists()

    def lines(self, what: str) -> list[str]:
        """Return the lines of a file that the job has left."""
        return Path(f"{self.place}.{what}").read_text(encoding="utf-8").splitlines() if self.there(what) else []

    def gone(self) -> bool:
        """Tell whether no process of the job is left, for which it is waited a little."""
        with Path(f"{self.place}.lock").open("w", encoding="utf-8") as lock:
            until = time.monotonic() + GONE_SECONDS
            while time.monotonic() < until:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(0.05)
                else:
                    return True
        return False


class Patient(Placer):
    """An engine at work whose jobs may not take for ever."""

    def __init__(self, chosen: Chosen, stop_seconds: float | None = None) -> None:
        """Build the engine; `stop_seconds`: how long a job may take to stop."""
        super().__init__(chosen, PATIENCE if stop_seconds is None else stop_seconds)
        self.until = time.monotonic() + PATIENCE

    def has_ended(self, one: AtWork) -> bool:
        """Ask the engine, but not for ever."""
        if time.monotonic() > self.until:
            name = one.errand.job()[0].name
            raise BrokenClaimError(f"{name} is not said to have ended after {PATIENCE:g} seconds")
        return super().has_ended(one)


@contextmanager
def trials(*whats: What, interrupted: bool = False) -> Iterator[Sequence[Trial]]:
    """Make jobs in a folder below the current one, which whatever carries out grids can see; take it away afterwards.

    Args:
        *whats: what each job is to do.
        interrupted: whether Ctrl-C is pressed when the first of them is at work.
    """
    folder = Path(tempfile.mkdtemp(prefix=".ganzoo-check-", dir=Path.cwd()))
    try:
        yield [Trial(folder, number, what, interrupted) for number, what in enumerate(whats)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
