"""A pass through a network: as it is, in bfloat16, or compiled into fewer and larger kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import cached, is_parametrized

from ganzoo.errors import one_line

Pass = Callable[[nn.Module, tuple[Any, ...], bool], Tensor]
"""A network, its inputs, and whether it runs in bfloat16 -> its output in float32."""
RECOMPILATIONS = 512
"""Of a pass, in one process: networks of all its runs, each with and without gradients for its weights."""


def through(network: nn.Module, inputs: tuple[Any, ...], bf16: bool) -> Tensor:
    """Pass inputs through a network, and return float32."""
    if not bf16:
        return network(*inputs)
    with _computed_weights(network):
        return _bare(network, inputs, bf16)


def _bare(network: nn.Module, inputs: tuple[Any, ...], bf16: bool) -> Tensor:
    with torch.autocast(inputs[0].device.type, torch.bfloat16, enabled=bf16):
        output = network(*inputs)
    return output.float() if bf16 else output


@contextmanager
def _computed_weights(network: nn.Module) -> Iterator[None]:
    """Compute the weights that are computed from others, such as spectral norm's, before the network runs.

    Power iteration in bfloat16 would not find the largest singular value; and what is compiled must not keep a vector
    for its gradient that it changes, as the second pass would change it again.
    """
    with cached():
        for module in filter(is_parametrized, network.modules()):
            for name in cast("nn.ModuleDict", module.parametrizations):
                getattr(module, name)
        yield


class Compiled:
    """What `through` does, compiled when it meets a network; as it is from the first that cannot be compiled.

    What is compiled can be differentiated once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Compile nothing yet; `tell` is told why networks are not compiled, once, where they are not."""
        from torch._dynamo import config as tracing  # noqa: PLC0415  (they take seconds)
        from torch._inductor import config as compiling  # noqa: PLC0415

        tracing.cache_size_limit = tracing.accumulated_cache_size_limit = RECOMPILATIONS
        tracing.fail_on_cache_limit_hit = True  # and tell, where all the rest would go on uncompiled in silence
        compiling.fallback_random = True  # dropout draws what it draws elsewhere
        self.compiled = torch.compile(_bare, dynamic=False)  # runs of a process share what fits several
        self.tell = tell
        self.failed = False

    def __call__(self, network: nn.Module, inputs: tuple[Any, ...], bf16: bool) -> Tensor:
        """Do what `through` does."""
        if self.failed:
            return through(network, inputs, bf16)
        with _computed_weights(network):
            try:
                return self.compiled(network, inputs, bf16)
            except Exception as error:  # no compiler, or whatever a network does that it cannot follow
                output = _bare(network, inputs, bf16)
                self.failed = True
                self.tell(f"networks are not compiled: {one_line(error)[:300]}")
                return output
