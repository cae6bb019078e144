"""Spectral normalisation (Miyato et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from ganzoo.api import Networks, Player, Setting, Trick
from ganzoo.zoo.specs.tricks.weights import SpectralNormParams
from ganzoo.zoo.weights import PLAYERS, WEIGHTED, layers, parts, some_of


class SpectralNorm(Trick[SpectralNormParams]):
    """Divides each weight by an estimate of its largest singular value (algorithm 1), kept in buffers u and v.

    What tricks add beside the discriminator, as the auxiliary classifier's layer, stays as it is.
    """

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Normalise every linear, embedding and convolution weight of the discriminator, or of both networks."""
        self._normalise(networks)
        return networks

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Normalise what tricks behind this one have put into the networks, too; nothing is added.

        Raises:
            IncompatibleError: a player that is to be normalised has no such weight.
        """
        self._normalise(networks)
        for player in self._players():
            some_of(layers(parts(networks, player), WEIGHTED), "spectral-norm", player)
        return {}

    def _normalise(self, networks: Networks) -> None:
        for player in self._players():
            for layer in layers(parts(networks, player), WEIGHTED):
                if not is_parametrized(layer, "weight"):
                    spectral_norm(layer, n_power_iterations=self.params.iterations)

    def _players(self) -> Sequence[Player]:
        return PLAYERS if self.params.generator else PLAYERS[:1]
