"""The recipe's optimiser and learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.nn import Parameter


def make_optimizer(recipe: Mapping[str, Any], parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
    """Return the optimiser that the recipe names: adam, rmsprop or sgd."""
    parameters = list(parameters)
    if recipe["optimizer"] == "adam":
        betas = (float(recipe["beta1"]), float(recipe["beta2"]))
        return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)
    if recipe["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=lr)
    return torch.optim.SGD(parameters, lr=lr)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every parameter."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def lr_factor(schedule: str, step: int, steps: int) -> float:
    """Return what the learning rate is multiplied with at a step: 1, or linear decay from 1 to 0."""
    return 1.0 if schedule == "constant" else 1.0 - step / steps
