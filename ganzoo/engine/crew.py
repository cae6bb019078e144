"""The runs of one process, side by side: a step of each in turn, each on a stream of its own where there is a GPU."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import msgspec
import torch
from filelock import BaseFileLock, FileLock, Timeout

from ganzoo.engine.evaluator import Turns
from ganzoo.engine.job import TrainingRun
from ganzoo.engine.machine import pick_device
from ganzoo.engine.messages import Event, Options, Task, failure, finish
from ganzoo.errors import GanzooError, Interrupted
from ganzoo.planning.run import Run
from ganzoo.results.store import Result, clear_partial, finished

LOCK_SECONDS = 0.05
"""How long a turn waits for another process to leave a run."""


class Crew:
    """Carries out a task's runs. One that fails stops no other, and no number of a run depends on the others."""

    def __init__(self, task: Task, tell: Callable[[Event], None], stopping: Callable[[], bool]) -> None:
        self.task, self.tell, self.stopping = task, tell, stopping
        self.folders = [Path(folder).absolute() for folder in task.folders]  # a component may leave the current one
        places = {name: str(Path(getattr(task.options, name)).absolute()) for name in ("cache", "data_root")}
        self.options = msgspec.structs.replace(task.options, **places)
        self.interrupted = False
        """Whether any run was stopped before its end."""

    def carry_out(self) -> None:
        """Carry out all runs."""
        working = {
            number: (TurnContext(self.options), self._turns(number, run, folder))
            for number, (run, folder) in enumerate(zip(self.task.runs, self.folders, strict=True))
        }
        while working:
            for number, (context, turns) in list(working.items()):
                with context.entered():
                    if self._ends(number, turns):
                        del working[number]

    def _turns(self, number: int, run: Run, folder: Path) -> Turns[Result]:
        """Carry a run out, in turns; the first builds it."""
        lock = FileLock(folder / ".lock")  # a process that lost its command line may still be writing its checkpoint
        while not _taken(lock):
            if self.stopping():
                raise Interrupted(f"stopped while another process was at work in {folder}")
            yield
        try:
            clear_partial(folder)
            done = finished(folder)
            if done is not None and done.run == run.id:  # by such a process, which an engine could not stop
                return done
            shared = len(self.task.runs) > 1
            work = TrainingRun(run, folder, self.options, partial(self._tell, number), self.stopping, shared)
            return (yield from work.turns())
        finally:
            lock.release()

    def _ends(self, number: int, turns: Turns[Result]) -> bool:
        """Give a run its next turn; return whether that was its last, and tell how it ended."""
        try:
            next(turns)
        except StopIteration as end:
            self._tell(number, finish(end.value))
        except Interrupted:
            self.interrupted = True
        except GanzooError as error:
            self._tell(number, failure(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a component may raise anything; the run fails and the grid goes on
            file = self.folders[number] / "error.txt"
            with suppress(OSError):  # the folder is gone or the disk is full, which may be the error itself
                file.write_text(traceback.format_exc(), encoding="utf-8", errors="backslashreplace")
            self._tell(number, failure(error))
        else:
            return False
        return True

    def _tell(self, number: int, event: Event) -> None:
        self.tell(msgspec.structs.replace(event, run=number))


def _taken(lock: BaseFileLock) -> bool:
    """Try for a moment to take a lock."""
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        return False
    return True


class TurnContext:
    """What a run's turns have to themselves: the states of PyTorch's random generators, and on a GPU a stream."""

    def __init__(self, options: Options) -> None:
        self.device = pick_device(options.device)
        self.random = torch.Generator()
        if self.device.type == "cuda":
            self.stream = torch.cuda.Stream(self.device)
            self.random_on_gpu = torch.Generator(self.device)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the context for a turn."""
        torch.set_rng_state(self.random.get_state())
        try:
            with self._entered_on_gpu() if self.device.type == "cuda" else nullcontext():
                yield
        finally:
            self.random.set_state(torch.get_rng_state())

    @contextmanager
    def _entered_on_gpu(self) -> Iterator[None]:
        shared = torch.cuda.default_generators[self.stream.device_index]
        shared.graphsafe_set_state(self.random_on_gpu)
        with torch.cuda.stream(self.stream):
            yield
        self.random_on_gpu = shared.graphsafe_get_state()
