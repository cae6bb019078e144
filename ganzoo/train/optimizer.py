"""The recipe's optimiser and learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ganzoo.api import Player, Rates


def make_optimizer(recipe: Mapping[str, Any], parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
    """Return the optimiser that the recipe names: adam, rmsprop or sgd.

    On a GPU its state and, where PyTorch can, its learning rate are tensors, so that a captured step sees them change.
    """
    parameters = list(parameters)
    on_gpu = parameters[0].is_cuda
    rate = torch.tensor(lr, dtype=torch.float32, device=parameters[0].device) if on_gpu else lr
    if recipe["optimizer"] == "adam":
        betas = (float(recipe["beta1"]), float(recipe["beta2"]))
        return torch.optim.Adam(parameters, lr=rate, betas=betas, fused=True, capturable=on_gpu)
    if recipe["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, capturable=on_gpu)
    return torch.optim.SGD(parameters, lr=lr)


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore an optimiser's state, in its weights' memory formats: Adam's fused kernel takes others for the same."""
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
    """Return the recipe's rates at a step: its learning rates are constant, or fall linearly from all to nothing."""
    factor = 1.0 if recipe["lr_schedule"] == "constant" else 1.0 - step / recipe["steps"]
    return Rates(
        generator_lr=recipe["generator_lr"] * factor,
        discriminator_lr=recipe["discriminator_lr"] * factor,
        beta1=recipe["beta1"],
        beta2=recipe["beta2"],
        ema_half_life=recipe["ema_half_life"],
    )
