"""How a step is carried out: eagerly or as a CUDA graph, in which memory format and precision."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.utils.parametrize import cached, is_parametrized

from ganzoo.errors import DeviceError


@dataclass(frozen=True)
class Execution:
    """What changes a run's speed and, but for rounding, nothing that it computes."""

    graph: bool = False
    """Capture whole steps as CUDA graphs."""
    channels_last: bool = False
    """Keep images and convolutions' weights with their channels innermost, as the fast kernels want them."""
    bf16: bool = False
    """Convolve in bfloat16, except for what is differentiated twice."""

    @property
    def mode(self) -> str:
        """Return the mode's name."""
        return "graph" if self.graph else "fast" if self.channels_last else "eager"


EAGER = Execution()


def choose(mode: str, precision: str, device: torch.device) -> Execution:
    """Return what a mode and a precision mean on a device; `auto` is the fastest that leaves the numbers alone.

    Raises:
        DeviceError: a mode that this device does not have.
    """
    on_gpu, bf16 = device.type == "cuda", precision == "bf16"
    if mode == "graph" and not on_gpu:
        raise DeviceError("--mode graph captures CUDA graphs, and this run is on the CPU; use --mode fast or auto")
    if mode == "auto":
        mode = "graph" if on_gpu else "fast"
    return Execution(graph=mode == "graph", channels_last=mode == "fast" or (bf16 and mode == "graph"), bf16=bf16)


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
