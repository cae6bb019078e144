"""The recipe's optimiser and learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ganzoo.api import Player, Rates
from ganzoo.train.passes import Compiled


def make_optimizer(
    recipe: Mapping[str, Any], parameters: Iterable[Parameter], lr: float, once: Compiled | None = None
) -> torch.optim.Optimizer:
    """Return the optimiser that the recipe names: adam, rmsprop or sgd.

    On a GPU its state and, where PyTorch can, its learning rate are tensors, so that a captured step sees them change;
    and `once`, if given, compiles adam there.
    """
    parameters = list(parameters)
    on_gpu = parameters[0].is_cuda
    rate = torch.tensor(lr, dtype=torch.float32, device=parameters[0].device) if on_gpu else lr
    if recipe["optimizer"] == "adam":
        betas = (float(recipe["beta1"]), float(recipe["beta2"]))
        make = partial(CompiledAdam, once) if once and on_gpu else torch.optim.Adam
        return make(parameters, lr=rate, betas=betas, fused=True, capturable=on_gpu)
    if recipe["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, capturable=on_gpu)
    return torch.optim.SGD(parameters, lr=lr)


class CompiledAdam(torch.optim.Adam):
    """Adam in one or two compiled kernels: PyTorch's gives a GPU's processor 65,536 weights, so that most stay idle."""

    def __init__(self, once: Compiled, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.once = once

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update the weights; PyTorch's own step serves the first, other betas, and where compiling has failed."""
        groups = [[one for one in group["params"] if one.grad is not None] for group in self.param_groups]
        known = all(self.state.get(one) for weights in groups for one in weights)
        other = any(group["betas"] != self.defaults["betas"] for group in self.param_groups)
        if not known or other or self.once.failed:
            super().step()
            return
        for group, weights in zip(self.param_groups, groups, strict=True):
            kept = [[self.state[one][name] for one in weights] for name in ("step", "exp_avg", "exp_avg_sq")]
            gradients = [one.grad for one in weights]
            if weights:
                self.once.called(adam, weights, gradients, *kept, group["lr"], *group["betas"], group["eps"])


def adam(
    weights: list[Tensor], gradients: list[Tensor], steps: list[Tensor], means: list[Tensor], squares: list[Tensor],
    lr: float | Tensor, beta1: float, beta2: float, eps: float,
) -> None:  # fmt: skip
    """Carry out a step of algorithm 1 of Kingma & Ba (2015), in place; the steps' powers in float64."""
    each: Any = torch
    each._foreach_add_(steps, 1)
    each._foreach_lerp_(means, gradients, 1 - beta1)
    each._foreach_mul_(squares, beta2)
    each._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
    exact = [step.double() for step in steps]
    first, second = (each._foreach_neg(each._foreach_sub(each._foreach_pow(beta, exact), 1)) for beta in (beta1, beta2))
    rates = [(lr / one).to(weight.dtype) for one, weight in zip(first, weights, strict=True)]
    roots = [one.to(weight.dtype) for one, weight in zip(each._foreach_sqrt(second), weights, strict=True)]
    below = each._foreach_add(each._foreach_div(each._foreach_sqrt(squares), roots), eps)
    each._foreach_sub_(weights, each._foreach_div(each._foreach_mul(means, rates), below))


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore an optimiser's state in its weights' memory formats, which Adam's fused kernel assumes to be equal."""
    optimizer.load_state_dict(state)
    for weight, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                kept[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def set_rates(optimizer: torch.optim.Optimizer, player: Player, rates: Rates) -> None:
    """Set one player's learning rate and, where the optimiser is Adam, its betas."""
    lr = rates.generator_lr if player == "generator" else rates.discriminator_lr
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr
        if "betas" in group:
            group["betas"] = (float(rates.beta1), float(rates.beta2))


def scheduled(recipe: Mapping[str, Any], step: int) -> Rates:
    """Return the recipe's rates at a step; its learning rates are constant or decay linearly to 0."""
    factor = 1.0 if recipe["lr_schedule"] == "constant" else 1.0 - step / recipe["steps"]
    return Rates(
        generator_lr=recipe["generator_lr"] * factor,
        discriminator_lr=recipe["discriminator_lr"] * factor,
        beta1=recipe["beta1"],
        beta2=recipe["beta2"],
        ema_half_life=recipe["ema_half_life"],
    )
