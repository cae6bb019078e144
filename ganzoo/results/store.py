"""What a run leaves in its folder, written so that a crash loses nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout

from ganzoo.errors import ResultsError
from ganzoo.evaluate.metrics import Score
from ganzoo.evaluate.protocol import Protocol
from ganzoo.planning.published import Published
from ganzoo.planning.run import Run

THEN = ", then "
"""Joins a value before a run was stopped and another after it was continued: `eager, then fast`."""
CHECKPOINT = "checkpoint.pt"
"""In a run's folder until it has a result."""
CONFIGS = "*/seed-*/config.json"
"""Below a results folder: a file of each run that was begun."""


class Checkpoint(msgspec.Struct, frozen=True):
    """The score of the generator as it was after a step."""

    step: int
    score: Score


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `last`, `best` and `untrained` are missing where there was nothing to score."""

    run: str
    """The run's id."""
    combination: str
    seed: int
    status: Literal["done", "diverged", "failed"]
    reason: str = ""
    step: int
    last: Checkpoint | None = None
    best: Checkpoint | None = None
    untrained: Checkpoint | None = None
    floor: Score | None = None
    protocol: Protocol | None = None
    images_seen: int = 0
    """Real images that the discriminator was trained on."""
    device_seconds: float = 0.0
    """Training, without loading and evaluation."""
    evaluation_seconds: float = 0.0
    peak_memory_bytes: int = 0
    """Of the process on a CPU, of PyTorch's allocator on a GPU."""
    parameters: dict[str, int] = {}
    environment: dict[str, str] = {}
    plugins: dict[str, str] = {}
    """The sha256 of every distribution that took part, by its name and version; several are joined by THEN."""

    @property
    def outcome(self) -> str:
        """How a run ended early, e.g. `diverged at step 300: the generator's loss is not finite`."""
        where = f" at step {self.step:,}" if self.status == "diverged" else ""
        return f"{self.status}{where}: {self.reason}"


class Grid(msgspec.Struct, frozen=True):
    """The runs that a results folder is for."""

    runs: tuple[str, ...]
    combinations: tuple[str, ...]
    published: dict[str, Published] = {}
    """What others printed of a combination, by its id."""
    version: int = 1


def write_atomically(file: Path, content: bytes) -> None:
    """Replace a file in one step, so that a reader or a crash sees the old content or the new, never a part."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)  # where the disk was full


def clear_partial(folder: Path) -> None:
    """Remove files that a killed `write_atomically` has left in a folder; nobody may be writing there."""
    for file in folder.glob(".*.*"):
        if re.fullmatch(r"\..+\.\d+", file.name):
            file.unlink(missing_ok=True)


def write_json(file: Path, value: Any) -> None:
    """Write a struct as indented JSON, atomically."""
    write_atomically(file, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_json(file: Path, kind: type[Any]) -> Any:
    """Read a struct.

    Raises:
        ResultsError: the file is missing, or does not hold what ganzoo writes; names the field.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ResultsError(f"{file} is missing; is {file.parent} a folder that ganzoo bench wrote?") from None
    except OSError as error:
        raise ResultsError(f"{file} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResultsError(f"{file} is not what ganzoo writes: {error}; move it away and run the grid again") from None


def run_folder(out: Path, run: Run) -> Path:
    """Return the folder of a run: the combination's, which is a slug and its id, then the seed's."""
    slug = re.sub(r"[^a-z0-9]+", "-", run.combination.lower()).strip("-")[:80]
    own = out / f"{slug}-{run.combination_id}"
    there = [] if own.exists() else sorted(out.glob(f"*-{run.combination_id}"))  # it may have been called otherwise
    return (there[0] if there else own) / f"seed-{run.seed}"


def finished(folder: Path) -> Result | None:
    """Return the result of a run that need not run again; None where it is unfinished or failed."""
    if not (folder / "result.json").exists():
        return None
    result: Result = read_json(folder / "result.json", Result)
    return None if result.status == "failed" else result


@contextmanager
def open_grid(out: Path, runs: tuple[Run, ...], published: Mapping[str, Published] | None = None) -> Iterator[None]:
    """Hold the results folder of a grid: a new one, or one whose results are all of this grid.

    Raises:
        ResultsError: it cannot be written, holds other files or another grid's results, or another ganzoo holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        there = {entry.name for entry in out.iterdir() if not entry.name.startswith(".")}
        if there and "grid.json" not in there and not any(out.glob(CONFIGS)):
            raise ResultsError(f"{out} holds other files; choose an empty or new folder with --out")
        with FileLock(out / ".lock", timeout=0):
            clear_partial(out)
            _claim(out, runs, published or {})
            yield
    except Timeout:
        raise ResultsError(f"another ganzoo is working in {out}; wait for it, or choose another --out") from None
    except BrokenPipeError:  # the reader of our output is gone, which is not the folder's fault
        raise
    except OSError as error:
        raise ResultsError(f"cannot write results to {out}: {error.strerror or error}; choose another --out") from None


def _claim(out: Path, runs: tuple[Run, ...], published: Mapping[str, Published]) -> None:
    """Record the grid's runs and their current names; refuse a folder with runs of another grid that were started."""
    names = {run.id: run.combination for run in runs}
    held = read_runs(out) if (out / "grid.json").exists() else list(_found(out).values())
    strangers = sum(run.id not in names for _, run, _ in held)
    if strangers:
        others = ", ".join(dict.fromkeys(run.combination for _, run, _ in held))
        raise ResultsError(
            f"{out} holds another grid ({others}; {strangers} of its {len(held)} runs are not in this one); choose "
            "another folder with --out, or run the command that made it"
        )
    for folder, run, _ in held:
        if run.combination != names[run.id]:
            write_json(folder / "config.json", msgspec.structs.replace(run, combination=names[run.id]))
    for run in runs:
        folder = run_folder(out, run)
        if (folder / "result.json").exists() and not (folder / "config.json").exists():  # it was damaged or deleted
            write_json(folder / "config.json", run)
    write_json(out / "grid.json", Grid(tuple(names), tuple(dict.fromkeys(names.values())), dict(published)))


Held = tuple[Path, Run, Result | None]
"""A run that a results folder holds: its own folder, what it is, and its result if it has one."""


def read_runs(out: Path) -> list[Held]:
    """Return the runs of a results folder in the order of its grid, with their results where they have one."""
    grid: Grid = read_json(out / "grid.json", Grid)
    found = _found(out)
    return [found[run] for run in grid.runs if run in found]


def _found(out: Path) -> dict[str, Held]:
    """Return the runs that a folder holds, by their ids."""
    found: dict[str, Held] = {}
    for file in sorted(out.glob(CONFIGS)):
        run: Run = read_json(file, Run)
        one = (file.parent, run, _result(file.with_name("result.json"), run))
        found[run.id] = max(found.get(run.id, one), one, key=_reached)  # a copy of its folder may lie beside it
    return found


def _result(file: Path, run: Run) -> Result | None:
    """Return the result beside a run's config.json, which must be of that run; None where there is none yet."""
    if not file.exists():
        return None
    result: Result = read_json(file, Result)
    if result.run != run.id:
        raise ResultsError(
            f"{file} is the result of another run ({result.combination}, seed {result.seed}, {result.run}) than the "
            f"config.json beside it ({run.combination}, seed {run.seed}, {run.id}): move away what is not of this "
            "folder, and run the grid again"
        )
    return result


def _reached(one: Held) -> int:
    """Return a number that is larger the further a run came."""
    result = one[2]
    return 0 if result is None else 1 if result.status == "failed" else 2
