"""What a run leaves in its folder, written so that a crash loses nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from ganzoo.errors import ResultsError
from ganzoo.evaluate.protocol import Protocol, Score
from ganzoo.planning.run import Run


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


class Grid(msgspec.Struct, frozen=True):
    """The runs that a results folder is for."""

    runs: tuple[str, ...]
    combinations: tuple[str, ...]
    version: int = 1


def write_atomically(file: Path, content: bytes) -> None:
    """Replace a file in one step, so that a reader or a crash sees the old content or the new, never a part."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


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
    except msgspec.DecodeError as error:
        raise ResultsError(f"{file} is not what ganzoo writes: {error}; move it away and run the grid again") from None


def run_folder(out: Path, run: Run) -> Path:
    """Return the folder of a run: the combination's slug and id, then the seed."""
    slug = re.sub(r"[^a-z0-9]+", "-", run.combination.lower()).strip("-")[:80]
    return out / f"{slug}-{run.combination_id}" / f"seed-{run.seed}"


def finished(folder: Path) -> Result | None:
    """Return the result of a run that need not run again; None where it is unfinished or failed."""
    if not (folder / "result.json").exists():
        return None
    result: Result = read_json(folder / "result.json", Result)
    return None if result.status == "failed" else result


def open_grid(out: Path, runs: tuple[Run, ...]) -> None:
    """Make the results folder of a grid, or check that the one that exists is of this grid or a part of it.

    Raises:
        ResultsError: it cannot be written, or holds another grid's results.
    """
    file = out / "grid.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not file.exists() and any(entry.name != ".lock" for entry in out.iterdir()):
            raise ResultsError(f"{out} holds other files; choose an empty or new folder with --out")
        ids, names = tuple(run.id for run in runs), tuple(dict.fromkeys(run.combination for run in runs))
        if file.exists():
            old: Grid = read_json(file, Grid)
            missing = set(old.runs) - set(ids)
            if missing:
                raise ResultsError(
                    f"{out} holds another grid ({', '.join(old.combinations)}; {len(missing)} of its {len(old.runs)} "
                    "runs are not in this one); choose another folder with --out, or run the command that made it"
                )
        write_json(file, Grid(ids, names))
    except OSError as error:
        raise ResultsError(f"cannot write results to {out}: {error.strerror}; choose another --out") from None


def read_runs(out: Path) -> list[tuple[Path, Run, Result | None]]:
    """Return the runs of a results folder in the order of its grid, with their results where they have one."""
    grid: Grid = read_json(out / "grid.json", Grid)
    found: dict[str, tuple[Path, Run, Result | None]] = {}
    for file in sorted(out.glob("*/seed-*/config.json")):
        run: Run = read_json(file, Run)
        result = file.parent / "result.json"
        found[run.id] = (file.parent, run, read_json(result, Result) if result.exists() else None)
    return [found[run] for run in grid.runs if run in found]
