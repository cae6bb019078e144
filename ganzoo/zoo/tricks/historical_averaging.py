"""Historical averaging (Salimans et al. 2016, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Player, Setting, Step, Terms, Trick
from ganzoo.zoo.specs.tricks.weights import HistoricalAveragingParams
from ganzoo.zoo.weights import PLAYERS, parts, to_vector


class HistoricalAveraging(Trick[HistoricalAveragingParams]):
    """Each player pays for how far its weights are from the mean of all that they have been, which damps their orbits.

    Parts that other tricks train beside the networks, such as an auxiliary classifier, are left alone.
    """

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Note the weights of both players, as all tricks have made them; the means are saved and moved with them."""
        self.theta = {player: list(parts(networks, player).parameters()) for player in PLAYERS}
        self.past: dict[Player, Mean] = {player: Mean(to_vector(self.theta[player]).detach()) for player in PLAYERS}
        return self.past

    def discriminator(self, step: Step) -> Terms:
        """The discriminator's distance from its own past."""
        return self._cost("discriminator")

    def generator(self, step: Step) -> Terms:
        """The generator's distance from its own past."""
        return self._cost("generator")

    @torch.no_grad()
    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Take the new weights of a player into its mean."""
        self.past[player].add(to_vector(self.theta[player]))

    def _cost(self, player: Player) -> Terms:
        """|| theta - 1/t sum_i theta[i] ||^2; nothing before the first update, when theta[1] is all of the past."""
        distance = to_vector(self.theta[player]) - self.past[player].mean
        return {"distance": self.params.weight * distance.square().sum()}


class Mean(nn.Module):
    """The mean of t vectors, one after the other."""

    mean: Tensor
    t: Tensor

    def __init__(self, first: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", first)
        self.register_buffer("t", torch.ones(()))

    def add(self, vector: Tensor) -> None:
        """Move on to t + 1 vectors."""
        self.t += 1
        self.mean += (vector - self.mean) / self.t
