"""Batch norm where several batches share a pass: each is normalised by its own statistics, as it would be alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]


@contextmanager
def apart(networks: Iterable[nn.Module], batches: int) -> Iterator[None]:
    """Have PyTorch's batch norms in networks normalise so many batches, one behind the other, apart.

    A class with a `forward` of its own may mean something else by its input, and stays as it is.
    """
    norms: list[Apart] = []
    if batches > 1:
        modules = (module for network in networks for module in network.modules() if isinstance(module, _BatchNorm))
        norms = [_made(module) for module in modules if type(module).forward in PLAIN]
    for norm in norms:
        norm.batches = batches
    try:
        yield
    finally:
        for norm in norms:
            norm.batches = 1


class Apart(_BatchNorm):
    """A batch norm of several batches."""

    batches: int = 1

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each batch, and update the running statistics in their order."""
        if self.batches == 1:
            return super().forward(input)
        usual = self.training and self.affine and self.momentum and self.track_running_stats
        if usual and torch.compiler.is_compiling():
            return self._at_once(input)
        return torch.cat([super(Apart, self).forward(batch) for batch in input.chunk(self.batches)])

    def _at_once(self, input: Tensor) -> Tensor:
        """Do the same in as few kernels as one batch takes, where it is compiled."""
        seen = input.unflatten(0, (self.batches, -1)).to(self.weight.dtype)  # (batches, N, C, ...)
        rest = range(3, seen.ndim)
        var, mean = torch.var_mean(seen, (1, *rest), correction=0, keepdim=True)
        with torch.no_grad():
            count = seen[0, :, 0].numel()
            for kept, found in ((self.running_mean, mean), (self.running_var, var * (count / (count - 1)))):
                assert kept is not None and self.momentum is not None
                for one in found.view(self.batches, -1):
                    kept.lerp_(one.to(kept.dtype), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += self.batches
        weight, bias = (one.view(-1, *(1 for _ in rest)) for one in (self.weight, self.bias))
        return ((seen - mean) * (weight * (var + self.eps).rsqrt()) + bias).to(input.dtype).flatten(0, 1)


PLAIN = (_BatchNorm.forward, Apart.forward)


def _made(norm: _BatchNorm) -> Apart:
    norm.__class__ = _apart(type(norm))
    return cast("Apart", norm)


@cache
def _apart(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    return kind if issubclass(kind, Apart) else type(kind.__name__, (Apart, kind), {})
