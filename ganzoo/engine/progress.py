"""Where a run is: what its checkpoint holds, and whether it may go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.errors import ResultsError, one_line
from ganzoo.evaluate.metrics import Score
from ganzoo.results.store import THEN
from ganzoo.train.checkpoint import load_checkpoint, save_checkpoint
from ganzoo.train.trainer import Trainer

FORMAT = 2
"""Of checkpoints: another one's cannot be continued."""


@dataclass
class Progress:
    """What a checkpoint holds besides the trainer's state."""

    data_sha256: str
    untrained: Score | None = None
    last: Score | None = None
    """Of the last generator, whose weights and samples are written by then."""
    evaluated: int = 0
    """The last step after which the generator was evaluated."""
    best_step: int = 0
    best_rank: tuple[float, ...] = ()
    """Of its selection score; smaller is better."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    device_seconds: float = 0.0
    """Of the steps before the checkpoint."""
    evaluation_seconds: float = 0.0
    """Of the evaluations before the checkpoint."""
    log_bytes: int = 0
    peak_memory_bytes: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    """How the steps before the checkpoint were carried out."""
    plugins: dict[str, str] = field(default_factory=dict)
    """Whose code they were carried out with."""


def continued(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return what held for all steps of a run: before it was stopped, and now where that is something else."""
    found = {**now, **before}
    changed = {key: value for key, value in now.items() if found[key].split(THEN)[-1] != value}
    return found | {key: found[key] + THEN + value for key, value in changed.items()}


def save(file: Path, trainer: Trainer, progress: Progress) -> None:
    """Write a checkpoint."""
    state = {
        "format": FORMAT,
        "run": trainer.run.id,
        "device": trainer.device.type,
        "trainer": trainer.state_dict(),
        "progress": vars(progress),
    }
    save_checkpoint(file, state)


def resume(file: Path, trainer: Trainer, data_sha256: str) -> Progress:
    """Continue where a checkpoint was written, if there is one, with the same data.

    Raises:
        ResultsError: the checkpoint is of another version, run or device, or the data or the code has changed.
    """
    state = load_checkpoint(file, trainer.device)
    if state is None:
        return Progress(data_sha256)
    if state.get("format") != FORMAT:
        raise ResultsError(
            f"{file} was written by another version of ganzoo: continue with that one, or {_afresh(file)}"
        )
    if state["run"] != trainer.run.id or state["progress"]["data_sha256"] != data_sha256:
        raise ResultsError(f"{file} belongs to another run, or the data has changed since; {_afresh(file)}")
    if state["device"] != trainer.device.type:
        raise ResultsError(
            f"{file} was written on {state['device']}; continue with --device {state['device']}, or {_afresh(file)}"
        )
    try:  # the code of a plugin may have changed since, under the same version
        trainer.load_state_dict(state["trainer"])
        return Progress(**state["progress"])
    except torch.OutOfMemoryError:  # which is no reason to start afresh
        raise
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ResultsError(
            f"{file} does not fit what is installed now ({one_line(error)}): continue with what wrote it, or "
            f"{_afresh(file)}"
        ) from error


def _afresh(file: Path) -> str:
    return f"delete {file.parent} to start afresh"
