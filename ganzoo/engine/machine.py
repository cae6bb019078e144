"""The machine that a run is carried out on: which device, how much memory, and what is recorded of it."""

from __future__ import annotations

import platform
import resource
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ganzoo.errors import DeviceError
from ganzoo.train.execution import Execution

PRECISIONS = {
    "fp32": "float32",
    "tf32": "TF32 products in training",
    "bf16": "bfloat16 networks in training, but for what is differentiated twice",
}
"""What is said of a precision beside a score, which is always computed in float32."""


def pick_device(name: str) -> torch.device:
    """Return the device that `auto`, `cpu`, `cuda` or, of several, `cuda:1` means here.

    Raises:
        DeviceError: CUDA was asked for and PyTorch finds none, or there is no such device.
    """
    available = torch.cuda.is_available()
    if name.startswith("cuda") and not available:
        raise DeviceError(f"PyTorch {torch.__version__} finds no CUDA device; use --device cpu or auto")
    *known, last = ("auto", "cpu", "cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count())))
    if name not in (*known, last):
        raise DeviceError(f'no device "{name}"; use {", ".join(known)} or {last}')
    return torch.device(("cuda" if available else "cpu") if name == "auto" else name)


def use_float32() -> None:
    """Let convolutions and products on a GPU be float32 as they say, not TF32, whose 10 bits would reach the scores."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def fresh_defaults() -> Generator[None]:
    """Compute as a run's own process does, whatever the caller has made PyTorch's default dtype, device or autocast."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        torch.set_default_dtype(dtype)


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that the process has held, or on a GPU PyTorch's allocator."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def _processor() -> str:
    """Return the processor's name where the system tells it, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"CPU {names[0] if names else platform.processor() or platform.machine()}"


def environment(
    recipe: Mapping[str, Any], device: torch.device, threads: int, execution: Execution, notes: Sequence[str]
) -> dict[str, str]:
    """Return what a number depends on besides the run: recorded, not part of its identity.

    Args:
        recipe: of the run.
        device: that the run was carried out on.
        threads: of the process.
        execution: how its steps were meant to be executed.
        notes: where they were executed differently.
    """
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else _processor(),
        "threads": str(threads),
        "mode": execution.mode + "".join(f" ({note})" for note in notes),
        "precision": PRECISIONS[execution.precision],
        "batches": _batches(recipe),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _batches(recipe: Mapping[str, Any]) -> str:
    """Say which images a step draws, and how they pass the discriminator."""
    drawn = "of the discriminator's last step reused" if recipe["reuse_fakes"] else "drawn anew"
    passed = "together" if recipe["joint_pass"] else "separately"
    return f"fakes {drawn} for the generator; real and fake pass the discriminator {passed}"
