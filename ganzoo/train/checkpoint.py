"""Checkpoints, weights and the metrics log: written so that a kill at any moment leaves a run that can continue."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import safetensors.torch
import torch
from torch import Tensor

from ganzoo.errors import ResultsError
from ganzoo.results.store import write_atomically


def save_checkpoint(file: Path, state: Mapping[str, Any]) -> None:
    """Replace a checkpoint atomically; tensors, numbers, strings, lists and dicts only."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(file, buffer.getvalue())


def load_checkpoint(file: Path, device: torch.device) -> dict[str, Any] | None:
    """Return a checkpoint, or None where there is none. It cannot run code.

    Raises:
        ResultsError: the file is damaged.
    """
    if not file.exists():
        return None
    try:
        return torch.load(file, map_location=device, weights_only=True)
    except torch.OutOfMemoryError:  # which is no reason to delete it
        raise
    except Exception as error:  # torch raises many types for a damaged file
        raise ResultsError(f"{file} is damaged ({type(error).__name__}); delete it to start this run afresh") from error


def save_weights(file: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights as safetensors, which cannot run code, atomically."""
    write_atomically(file, safetensors.torch.save({name: value.contiguous() for name, value in weights.items()}))


def load_weights(file: Path) -> dict[str, Tensor]:
    """Read weights.

    Raises:
        ResultsError: the file is missing or damaged.
    """
    try:
        return safetensors.torch.load_file(file)
    except FileNotFoundError:
        raise ResultsError(f"{file} is missing; {_again(file)}") from None
    except safetensors.SafetensorError as error:
        raise ResultsError(f"{file} is damaged ({error}); {_again(file)}") from None


def _again(file: Path) -> str:
    return f"delete {file.parent} and run the ganzoo bench command that made it again"


class MetricsLog:
    """Append-only JSON lines; what a killed run wrote after its last checkpoint is cut off on resume."""

    def __init__(self, file: Path, keep: int) -> None:
        """Open the log and keep its first `keep` bytes.

        Raises:
            ResultsError: it has fewer, as in a copy that was made while the run was at work.
        """
        there = file.stat().st_size if file.exists() else 0
        if there < keep:
            raise ResultsError(
                f"{file} has {there:,} of the {keep:,} bytes that its checkpoint was written with; delete "
                f"{file.parent} to start this run afresh"
            )
        self._stream = file.open("ab")
        self._stream.seek(self._stream.truncate(keep))

    def write(self, row: Any) -> None:
        """Append one row."""
        self._stream.write(msgspec.json.encode(row) + b"\n")
        self._stream.flush()

    def flush(self) -> int:
        """Make everything durable and return the length in bytes."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return self._stream.tell()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
