"""Weight decay as an L2 term (Krogh & Hertz 1991; Radford et al. 2016, the authors' release)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ganzoo.api import Networks, Player, Setting, Step, Terms, Trick
from ganzoo.zoo.specs.tricks.weights import WeightDecayParams
from ganzoo.zoo.weights import PLAYERS, WEIGHTED, free_weight, layers, parts, some_of, to_vector


class WeightDecay(Trick[WeightDecayParams]):
    """Draws the weights of linear, convolution and embedding layers towards 0; all others too where told.

    It is a term of the objective, so with Adam it is not the decoupled decay of Loshchilov & Hutter (2019): its slope
    goes through the moments, and large gradients shrink it. Under spectral norm, it decays the free weights, whose
    length does not matter to the network but to how far a step turns them.
    """

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Note the weights, as all tricks have made them; nothing is added.

        Raises:
            IncompatibleError: a player that is to pay has none.
        """
        self.weights = {}
        for player in PLAYERS:
            if not getattr(self.params, player):
                continue
            network = parts(networks, player)
            chosen = network.parameters() if self.params.everything else map(free_weight, layers(network, WEIGHTED))
            self.weights[player] = some_of(chosen, "weight-decay", player)
        return {}

    def discriminator(self, step: Step) -> Terms:
        """The discriminator's decay."""
        return self._decay("discriminator", self.params.discriminator)

    def generator(self, step: Step) -> Terms:
        """The generator's decay."""
        return self._decay("generator", self.params.generator)

    def _decay(self, player: Player, weight: float) -> Terms:
        """lambda/2 ||w||^2, whose slope is lambda w."""
        return {"l2": weight / 2 * to_vector(self.weights[player]).square().sum()} if weight else {}
