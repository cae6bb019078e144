"""Batch norm where several batches share a pass: each is normalised by its own statistics, as it would be alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from ganzoo.errors import ContractError


@contextmanager
def norms_apart(networks: Iterable[nn.Module], batches: int) -> Iterator[None]:
    """Let PyTorch's batch norms normalise each of several batches in one pass by its own statistics.

    Args:
        networks: their batch norms are changed until the context ends.
        batches: number of batches in a pass, of equal size and one behind the other.

    Raises:
        ContractError: there is a batch norm that would mix the batches, since it has a `forward` of its own, or is in
            TorchScript, where it cannot be seen.
    """
    modules = [module for network in networks for module in network.modules()] if batches > 1 else []
    for module in modules:
        _check(module)
    norms = [_changed(module, batches) for module in modules if isinstance(module, _BatchNorm)]
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = norm.kind


class Apart(_BatchNorm):
    """A batch norm that normalises several batches in one pass, each by itself."""

    kind: type[Any]
    """The class that it has outside of `norms_apart`."""
    batches: int
    """Number of batches in a pass."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each batch, and update the running statistics in their order."""
        usual = self.training and self.affine and self.momentum and self.track_running_stats
        if usual and torch.compiler.is_compiling():
            return self._at_once(input)
        return torch.cat([super(Apart, self).forward(batch) for batch in self._batches(input).unbind()])

    def _batches(self, input: Tensor) -> Tensor:
        return input.unflatten(0, (self.batches, -1))  # (batches, N, C, ...)

    def _at_once(self, input: Tensor) -> Tensor:
        """Return the same, in a form that compiles into as few kernels as one batch takes."""
        seen = self._batches(input)
        found, mean, var = AtOnce.apply(seen, self.weight, self.bias, self.eps)
        with torch.no_grad():
            count = seen[0, :, 0].numel()
            for kept, new in ((self.running_mean, mean), (self.running_var, var * (count / (count - 1)))):
                assert kept is not None and self.momentum is not None
                for one in new.view(self.batches, -1):
                    kept.lerp_(one.to(kept.dtype), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += self.batches
        return found.to(input.dtype).flatten(0, 1)


class AtOnce(Function):
    """Normalises several batches (batches, N, C, ...), each by its own statistics, in the weight's precision.

    Its gradient is written out (Ioffe & Szegedy 2015, section 3), as it takes two sums of each channel; what PyTorch
    derives takes four. Its output is converted by who calls it: PyTorch 2.11's compiler takes a function for a constant
    whose own conversion has nothing to convert.
    """

    @staticmethod
    def forward(ctx: Any, seen: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same, normalised, with each batch's mean and variance (batches, 1, C, 1, ...)."""
        var, mean = torch.var_mean(seen.to(weight.dtype), _places(seen), correction=0, keepdim=True)
        scale = (var + eps).rsqrt()
        ctx.save_for_backward(seen, weight, mean, scale)
        ctx.mark_non_differentiable(mean, var)
        return (seen - mean) * (_wide(weight, seen) * scale) + _wide(bias, seen), mean, var

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of what was seen, the weight and the bias."""
        seen, weight, mean, scale = ctx.saved_tensors
        g, unit, places = gradients[0], (seen - mean) * scale, _places(seen)
        to_bias, to_weight = g.sum(places, keepdim=True), (g * unit).sum(places, keepdim=True)
        count = seen[0, :, 0].numel()
        to_seen = (g - (to_bias + unit * to_weight) / count) * (_wide(weight, seen) * scale)
        return to_seen.to(seen.dtype), to_weight.sum(0).view_as(weight), to_bias.sum(0).view_as(weight), None


def _places(seen: Tensor) -> tuple[int, ...]:
    """Return the dimensions that a channel's statistics are of."""
    return (1, *range(3, seen.ndim))


def _wide(one: Tensor, seen: Tensor) -> Tensor:
    """Return a weight or bias (C,) as it stands beside what is seen: (C, 1, ...)."""
    return one.view(-1, *(1 for _ in range(3, seen.ndim)))


def _check(module: nn.Module) -> None:
    kind = type(module)
    own = isinstance(module, _BatchNorm) and kind.forward is not _BatchNorm.forward
    if own or isinstance(module, torch.jit.ScriptModule):
        raise ContractError(
            f"joint_pass could mix real and generated images in {kind.__name__}, which normalises in its own way; set "
            "joint_pass=false, or let the spec provide couples-samples"
        )


def _changed(norm: _BatchNorm, batches: int) -> Apart:
    """Change the class of a batch norm in place."""
    norm.__class__ = _apart_class(type(norm))
    apart = cast("Apart", norm)
    apart.batches = batches
    return apart


@cache
def _apart_class(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    return type(kind.__name__, (Apart, kind), {"kind": kind})
