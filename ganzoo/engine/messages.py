"""What the command line and a run's process say to each other: JSON lines. No torch."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ganzoo.errors import words_of
from ganzoo.planning.run import Run
from ganzoo.results.store import Result

INTERRUPTED = 3
"""The exit code of a process that was asked to stop, and wrote its checkpoints."""
PARENT = "GANZOO_PARENT"
"""Variable with the parent's process id, set by an engine that starts child processes.

A child cannot ask for it reliably: its parent may be gone by then.
"""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is carried out; recorded with the result, not part of the run's identity."""

    device: str = "auto"
    mode: str = "auto"
    precision: str = "auto"
    threads: int = 1
    profile: bool = False
    engine: str = "local"
    """What placed it, as `name:key=value`."""
    engine_distribution: str = "ganzoo-core"
    data_root: str
    cache: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is asked to do: prepare the data of these runs, or carry them out side by side."""

    kind: Literal["prepare", "run"]
    runs: tuple[Run, ...]
    folders: tuple[str, ...] = ()
    """Of the runs that are carried out."""
    options: Options


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A message from a process at work."""

    kind: Literal["prepared", "started", "progress", "evaluated", "note", "finished", "error"]
    text: str = ""
    """The error's or the message's words."""
    error: str = ""
    """The error's class."""
    run: int = 0
    """Which of the task's runs it is about."""
    step: int = 0
    values: dict[str, Any] = {}


def finish(result: Result) -> Event:
    """Return the event that tells of a run's result."""
    return Event(kind="finished", step=result.step, text=result.reason, values={"status": result.status})


def failure(error: BaseException) -> Event:
    """Return the event that tells of an error."""
    return Event(kind="error", error=type(error).__name__, text=words_of(error))
