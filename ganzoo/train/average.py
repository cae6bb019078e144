"""The exponential moving average of the generator's weights, for recipes that ask for one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ganzoo.api import Networks, NoParams, Player, Trick


class WeightAverage(Trick[NoParams]):
    """theta' <- lerp(theta, theta', beta), beta = 0.5^(images a step / half-life), as StyleGAN2's training loop does.

    Weights and batch-norm statistics are averaged. Vectors that a parametrisation keeps, such as spectral norm's,
    belong to the weights that they were estimated on: the average goes on estimating its own. It is what samples are
    drawn from.
    """

    def __init__(self, generator: nn.Module, half_life: float, images_a_step: int) -> None:
        """Keep a copy of the generator; the half-life is in real images seen."""
        super().__init__(NoParams())
        self.half_life = half_life
        """In real images seen; may change from step to step, and 0 keeps the average at the weights."""
        self.images_a_step = images_a_step
        self.average = copy.deepcopy(generator).requires_grad_(False)

    @torch.no_grad()
    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Move the average towards the generator's new weights."""
        if player == "discriminator":
            return
        if self.half_life == 0:
            self.average.load_state_dict(networks.generator.state_dict())
            return
        pairs = list(zip(_tensors(self.average), _tensors(networks.generator), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        move = get_ema_multi_avg_fn(decay=0.5 ** (self.images_a_step / self.half_life))
        move([average for average, _ in floats], [value for _, value in floats], number)
        for average, value in pairs:
            if not average.is_floating_point():
                average.copy_(value)
        for module in filter(is_parametrized, self.average.modules()):
            for name in cast("nn.ModuleDict", module.parametrizations):
                getattr(module, name)  # in training mode, reading the weight is one power iteration

    def sampler(self, generator: nn.Module) -> nn.Module:
        """Return the averaged generator."""
        return self.average

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged tensors."""
        return dict(self.average.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the averaged tensors."""
        self.average.load_state_dict(state)


def _tensors(network: nn.Module) -> list[Tensor]:
    """Return all weights, and the buffers that are no parametrisation's own."""
    buffers = [buffer for name, buffer in network.named_buffers() if "parametrizations." not in name]
    return [*network.parameters(), *buffers]
