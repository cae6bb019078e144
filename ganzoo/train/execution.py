"""How a step is carried out: eagerly, compiled or as a CUDA graph, in which memory format and precision."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch

from ganzoo.errors import DeviceError
from ganzoo.train.fast import Fast


@dataclass(frozen=True)
class Execution:
    """Settings that change a run's speed and, except for rounding, none of its numbers."""

    graph: bool = False
    """Capture whole steps as CUDA graphs."""
    channels_last: bool = False
    """Keep images and convolutions' weights with their channels innermost, as the fast kernels want them."""
    compiled: bool = False
    """Compile the networks, but for what is differentiated twice."""
    precision: str = "fp32"
    """`fp32`; `tf32`: on a GPU, products of float32 numbers rounded to 10 bits, as PyTorch convolves by default;
    `bf16`: the networks in bfloat16, except for what is differentiated twice."""

    @property
    def mode(self) -> str:
        """Return the mode's name."""
        if self.compiled:
            return "compiled"
        return "graph" if self.graph else "fast" if self.channels_last else "eager"

    @property
    def bf16(self) -> bool:
        """Whether the networks run in bfloat16."""
        return self.precision == "bf16"

    @contextmanager
    def kernels(self) -> Generator[None]:
        """Compute with the precision and the kernels of training steps; scores are always computed in float32."""
        before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        wanted = self.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = wanted
        try:
            with Fast() if self.mode == "fast" else nullcontext():
                yield
        finally:
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


EAGER = Execution()


def choose_execution(mode: str, precision: str, device: torch.device) -> Execution:
    """Return what a mode and a precision mean on a device; `auto` is the fastest that leaves the numbers alone.

    Raises:
        DeviceError: a mode that this device does not have.
    """
    on_gpu = device.type == "cuda"
    if mode == "graph" and not on_gpu:
        raise DeviceError("--mode graph captures CUDA graphs, and this run is on the CPU; use --mode fast or auto")
    if precision == "tf32" and not on_gpu:
        raise DeviceError("--precision tf32 is a GPU's, and this run is on the CPU; use --precision fp32 or bf16")
    if mode == "auto":
        mode = "graph" if on_gpu else "fast"
    precision = "fp32" if precision == "auto" else precision
    compiled = mode == "compiled"
    captured = mode == "graph" or (compiled and on_gpu)
    channels_last = precision != "fp32" if captured else mode != "eager"
    return Execution(captured, channels_last, compiled, precision)
