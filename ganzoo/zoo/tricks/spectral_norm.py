"""Spectral normalisation (Miyato et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from ganzoo.api import Networks, Player, Setting, Trick
from ganzoo.zoo.specs.tricks.weights import SpectralNormParams
from ganzoo.zoo.weights import WEIGHTED, layers


class SpectralNorm(Trick[SpectralNormParams]):
    """Divides each weight by an estimate of its largest singular value (algorithm 1), kept in buffers u and v."""

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Normalise every linear, embedding and convolution weight of the discriminator, or of both networks."""
        self._normalise(networks)
        return networks

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Normalise what tricks behind this one have put into the networks, too; nothing is added."""
        self._normalise(networks)
        return {}

    def _normalise(self, networks: Networks) -> None:
        parts = [networks.body, networks.head, *([networks.generator] if self.params.generator else [])]
        for layer in (layer for part in parts for layer in layers(part, WEIGHTED)):
            if not is_parametrized(layer, "weight"):
                spectral_norm(layer, n_power_iterations=self.params.iterations)
