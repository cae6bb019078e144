"""Batch norm where several batches share a pass: each is normalised by its own statistics, as it would be alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from ganzoo.errors import ContractError


@contextmanager
def apart(networks: Iterable[nn.Module], batches: int) -> Iterator[None]:
    """Have PyTorch's batch norms in networks normalise so many batches, one behind the other, apart.

    Raises:
        ContractError: there is a batch norm that would mix the batches, since it has a `forward` of its own, or is in
            TorchScript, where it cannot be seen.
    """
    norms: list[Apart] = []
    if batches > 1:
        modules = [module for network in networks for module in network.modules()]
        for module in modules:
            _check(module)
        norms = [_made(module) for module in modules if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.batches = batches
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = norm.kind


class Apart(_BatchNorm):
    """A batch norm of several batches."""

    kind: type[Any]
    """What it is otherwise."""
    batches: int

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each batch, and update the running statistics in their order."""
        usual = self.training and self.affine and self.momentum and self.track_running_stats
        if usual and torch.compiler.is_compiling():
            return self._at_once(input)
        return torch.cat([super(Apart, self).forward(batch) for batch in self._batches(input).unbind()])

    def _batches(self, input: Tensor) -> Tensor:
        return input.unflatten(0, (self.batches, -1))  # (batches, N, C, ...)

    def _at_once(self, input: Tensor) -> Tensor:
        """Do the same in as few kernels as one batch takes, where it is compiled."""
        seen = self._batches(input).to(self.weight.dtype)
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


def _check(module: nn.Module) -> None:
    kind = type(module)
    own = isinstance(module, _BatchNorm) and kind.forward is not _BatchNorm.forward
    if own or isinstance(module, torch.jit.ScriptModule):
        raise ContractError(
            f"joint_pass could mix real and generated images in {kind.__name__}, which normalises in its own way; set "
            "joint_pass=false, or let the spec provide couples-samples"
        )


def _made(norm: _BatchNorm) -> Apart:
    norm.__class__ = _apart(type(norm))
    return cast("Apart", norm)


@cache
def _apart(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    return type(kind.__name__, (Apart, kind), {"kind": kind})
