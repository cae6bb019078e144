"""Spectral normalisation (Miyato et al. 2018)."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.api import Networks, Setting, Trick
from ganzoo.zoo.specs.tricks.weights import SpectralNormParams

WEIGHTED = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


class SpectralNorm(Trick[SpectralNormParams]):
    """Divides each weight by an estimate of its largest singular value (algorithm 1), kept in buffers u and v."""

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Normalise every linear, embedding and convolution weight of the discriminator, or of both networks."""
        parts = [networks.body, networks.head, *([networks.generator] if self.params.generator else [])]
        for module in (module for part in parts for module in part.modules()):
            if isinstance(module, WEIGHTED):
                spectral_norm(module, n_power_iterations=self.params.iterations)
        return networks
