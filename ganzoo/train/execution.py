"""How a step is carried out: eagerly or as a CUDA graph, in which memory format and precision."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.utils.parametrize import cached, is_parametrized

from ganzoo.errors import DeviceError
from ganzoo.train.fast import Fast


@dataclass(frozen=True)
class Execution:
    """What changes a run's speed and, but for rounding, nothing that it computes."""

    graph: bool = False
    """Capture whole steps as CUDA graphs."""
    channels_last: bool = False
    """Keep images and convolutions' weights with their channels innermost, as the fast kernels want them."""
    precision: str = "fp32"
    """`fp32`; `tf32`: products of float32 with 10 bits of it, on a GPU, as PyTorch convolves by default; `bf16`:
    the networks in bfloat16, except for what is differentiated twice."""

    @property
    def mode(self) -> str:
        """Return the mode's name."""
        return "graph" if self.graph else "fast" if self.channels_last else "eager"

    @property
    def bf16(self) -> bool:
        """Whether the networks run in bfloat16."""
        return self.precision == "bf16"

    @contextmanager
    def products(self) -> Generator[None]:
        """Let functions have the precision and the kernels that steps want; what is scored is always float32."""
        before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        wanted = self.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = wanted
        try:
            with Fast() if self.mode == "fast" else nullcontext():
                yield
        finally:
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


EAGER = Execution()


def choose(mode: str, precision: str, device: torch.device) -> Execution:
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
    return Execution(mode == "graph", mode == "fast" or (mode == "graph" and precision != "fp32"), precision)


@contextmanager
def low_precision(network: nn.Module, device: torch.device, wanted: bool) -> Generator[None]:
    """Let a network run in bfloat16 where that is wanted.

    Weights that are computed from others, such as spectral norm's, are computed before in float32: power iteration in
    bfloat16 would not find the largest singular value.
    """
    if not wanted:
        yield
        return
    with cached():
        for module in filter(is_parametrized, network.modules()):
            for name in cast("nn.ModuleDict", module.parametrizations):
                getattr(module, name)
        with torch.autocast(device.type, torch.bfloat16):
            yield
